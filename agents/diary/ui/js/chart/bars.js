/* Bars: lying ones with a name and a number, and standing ones of a histogram. In: numbers. Out: lists and figures in
   which every number is written out, so the bars are for the eye alone. */

import { freshId, h, replace, s } from "../dom.js";
import { bucket, count, percent } from "../format.js";
import { still } from "../table.js";

/** A thin bar of a share from 0 to 1. */
export function meter(share, tone = "running") {
  const width = Math.round(Math.min(1, Math.max(0, share || 0)) * 1000) / 10;
  const bar = s("rect", { class: `bar-fill tone-${tone}`, width: `${width}%`, height: "100%" });
  return s("svg", { class: "meter", "aria-hidden": "true", focusable: "false" }, s("rect", { class: "bar-rest", width: "100%", height: "100%" }), bar);
}

/** Lines of name, bar and number, which keep their nodes. */
export class BarList {
  #signs = "";

  constructor(label) {
    this.element = h("ul", { class: "bars", "aria-label": label });
  }

  /** `items`: `name` (a node), `sign` of the name, `value`, `tone`, `link`. */
  update(items) {
    const sign = JSON.stringify(items.map(({ sign: one, value, link }) => [one, value, link]));
    if (sign === this.#signs) return;
    this.#signs = sign;
    const focused = [...this.element.querySelectorAll("a")].indexOf(document.activeElement);
    const most = Math.max(...items.map(({ value }) => value), 1);
    replace(this.element, items.map(({ name, value, tone, link }) => {
      const content = [h("span", { class: "bars-name" }, name), meter(value / most, tone), h("span", { class: "bars-value" }, count(value))];
      return h("li", {}, link ? h("a", { class: "bars-line", href: link }, content) : h("span", { class: "bars-line" }, content));
    }));
    if (focused >= 0) this.element.querySelectorAll("a")[focused]?.focus();
  }
}

const HEIGHT = 120;
const BAR = 22;

/** A histogram of `buckets` (bound → count), with its numbers as a table. */
export function histogram(title, { buckets = {}, count: total = 0 }) {
  const entries = Object.entries(buckets);
  const most = Math.max(...entries.map(([, number]) => number), 1);
  const width = entries.length * BAR;
  const bars = entries.map(([bound, number], index) => {
    const height = number ? Math.max(2, (number / most) * HEIGHT) : 0;
    const at = { x: index * BAR + 2, y: HEIGHT - height, width: BAR - 4, height };
    return s("rect", { ...at, class: "bar-fill tone-running" }, s("title", {}, `${bucket(bound)}: ${count(number)}`));
  });
  const labels = entries.map(([bound], index) =>
    s("text", { class: "chart-text", "text-anchor": "end", transform: `translate(${index * BAR + BAR / 2 + 4} ${HEIGHT + 10}) rotate(-55)` }, bucket(bound)),
  );
  const id = freshId("histogram");
  const base = s("line", { class: "chart-base", x1: 0, x2: width, y1: HEIGHT, y2: HEIGHT });
  const svg = { class: "histogram", role: "img", "aria-labelledby": id, viewBox: `-24 -4 ${width + 28} ${HEIGHT + 62}` };
  const rows = entries.map(([bound, number]) => [bucket(bound), count(number), percent(total ? number / total : null)]);
  const table = still({ caption: title, heads: ["Time", "Number", "Share"], rows, numeric: [1, 2] });
  return h(
    "figure",
    { class: "figure" },
    s("svg", svg, s("title", { id }, `${title}: ${count(total)} measured. The numbers are in the table below.`), base, bars, labels),
    h("details", { class: "as-table" }, h("summary", {}, "As a table"), table.element),
  );
}
