/* Where a value lies in a picture. Pure: numbers in, numbers out. */

/** The next round number at or above a value: 1, 2, 2.5, 5 times a power of ten. At least `least`. */
export function roundUp(value, least = 1) {
  if (!(value > least)) return least;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((one) => value <= one * power * (1 + 1e-9));
  return step * power;
}

/** Round values from 0 to `top`, about `number` of them. */
export function ticks(top, number = 4) {
  const step = roundUp(top / number, top / number / 10);
  const found = [];
  for (let value = 0; value <= top * (1 + 1e-9); value += step) found.push(value);
  return found;
}

/** A straight line from the span `from`…`to` onto `start`…`end`. */
export function linear(from, to, start, end) {
  const width = to - from || 1;
  return (value) => start + ((value - from) / width) * (end - start);
}

const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
  1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000, 2_592_000_000,
];

/** The step between marks of time, so that at most `number` lie in `spanMs`. */
export function timeStep(spanMs, number) {
  return STEPS_MS.find((step) => spanMs / step <= number) ?? STEPS_MS.at(-1);
}

/** Times between `from` and `to` that are round in the reader's zone. */
export function timeTicks(from, to, number) {
  const step = timeStep(to - from, number);
  const zone = new Date(from).getTimezoneOffset() * 60_000;
  const found = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) found.push(at);
  return found;
}

/** The path of a line through points `[x, y]`; null ends a line, what follows begins another. */
export function path(points) {
  let text = "";
  let begun = false;
  for (const point of points) {
    if (point === null) {
      begun = false;
      continue;
    }
    text += `${begun ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    begun = true;
  }
  return text;
}
