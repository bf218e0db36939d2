/* Numbers, sizes and durations in words. Pure: in go values, out come texts. What is missing is a dash. */

export const DASH = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** Whether a value is a number that can be shown. */
export function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** A whole number with thousands apart. */
export function count(value) {
  return known(value) ? whole.format(value) : DASH;
}

/** "1 task", "2 tasks". */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A rate: one decimal below 100, none above. */
export function rate(value) {
  if (!known(value)) return DASH;
  return Math.abs(value) < 99.95 ? short.format(value) : whole.format(value);
}

/** A share from 0 to 1 in per cent. 99.96 % is not rounded to 100, nor 0.02 % to 0. */
export function percent(value) {
  if (!known(value)) return DASH;
  const hundred = value * 100;
  if (hundred === 0 || hundred === 100) return `${hundred} %`;
  if (hundred > 99.9) return `${Math.floor(hundred * 100) / 100} %`;
  if (hundred < 0.1) return "< 0.1 %";
  return `${short.format(hundred)} %`;
}

/** Milliseconds as people say them. */
export function duration(ms) {
  if (!known(ms)) return DASH;
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${short.format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return two(Math.floor(seconds / 60), "min", seconds % 60, "s");
  if (seconds < 86_400) return two(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min");
  return two(Math.floor(seconds / 86_400), "d", Math.floor((seconds % 86_400) / 3600), "h");
}

/** A span for the eye, in its largest unit only: "12 s", "3 min", "2 h", "5 d". */
export function span(ms) {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

function two(first, firstUnit, second, secondUnit) {
  return second ? `${first} ${firstUnit} ${second} ${secondUnit}` : `${first} ${firstUnit}`;
}

/** A quantile is the upper bound of its bucket: "≤ 20 ms"; above all bounds there is none. */
export function atMost(ms, total) {
  if (known(ms)) return `≤ ${duration(ms)}`;
  return total ? "> 5 min" : DASH;
}

/** The label of a histogram's bucket. */
export function bucket(bound) {
  return bound === "+Inf" ? "above" : `≤ ${duration(Number(bound))}`;
}

/** Characters as a size. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${short.format(bytes / 1000)} kB`;
  return `${short.format(bytes / 1_000_000)} MB`;
}

/** The first `limit` characters, never half of a surrogate pair. */
export function cut(text, limit) {
  if (text.length <= limit) return text;
  const end = /[\uD800-\uDBFF]/.test(text[limit - 1]) ? limit - 1 : limit;
  return `${text.slice(0, end)}…`;
}

/** A place in the diary. */
export function place(partition, offset) {
  return `[${partition}]@${offset}`;
}

/** A word of the wire in people's letters: "outbox-waiting" → "outbox waiting". */
export function words(slug) {
  return String(slug).replaceAll(/[-_]/g, " ").replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}
