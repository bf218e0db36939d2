/* A line without axes, for a tile: the last two minutes since the page was opened. In: one number a second. Out: an SVG
   that screen readers leave out; the number itself stands beside it. */

import { s, set } from "../dom.js";
import { linear, path } from "./scale.js";

const SECONDS = 120;
const WIDTH = 120;
const HEIGHT = 28;

/** A short line that moves. */
export class Spark {
  #values = [];

  constructor(tone) {
    this.line = s("path", { class: `chart-line tone-${tone}` });
    this.area = s("path", { class: `chart-area tone-${tone}` });
    const attributes = { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" };
    this.element = s("svg", attributes, this.area, this.line);
  }

  /** One more value; the oldest leaves. */
  push(value) {
    this.#values = [...this.#values, Number.isFinite(value) ? value : null].slice(-SECONDS);
    const known = this.#values.filter((one) => one !== null);
    if (known.length < 2) return;
    const x = linear(0, SECONDS - 1, 0, WIDTH);
    const y = linear(0, Math.max(...known, 1), HEIGHT - 2, 2);
    const first = SECONDS - this.#values.length;
    const points = this.#values.map((one, index) => (one === null ? null : [x(first + index), y(one)]));
    const line = path(points);
    set(this.line, { d: line });
    set(this.area, { d: `${line}L${WIDTH} ${HEIGHT}L${x(first).toFixed(1)} ${HEIGHT}Z` });
  }
}
