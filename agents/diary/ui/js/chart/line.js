/* Lines over time, as SVG. In: series by name, points in order of time. Out: a figure with a legend, a cursor for pointer
   and arrow keys, and the same numbers as a table. Lines differ in colour, in dashes and in the name at their end.
   Nodes are kept, only their attributes change: an update costs a few milliseconds. */

import { freshId, h, replace, s, say, set } from "../dom.js";
import { rate } from "../format.js";
import { still } from "../table.js";
import { clockText } from "../time.js";
import { linear, path, roundUp, ticks, timeTicks } from "./scale.js";

const HEIGHT = 200;
const PAD = { top: 12, right: 12, bottom: 24, left: 44 };
const TABLE_ROWS = 60;

/** One chart. `series`: `key`, `label`, `tone`, `dash`. `unit` is said after a number: "per second". */
export class LineChart {
  #points = [];
  #width = 600;
  #cursor = null;

  constructor({ title, series, unit }) {
    Object.assign(this, { title, series, unit });
    const id = freshId("chart");
    this.grid = s("g", { class: "chart-grid" });
    this.paths = series.map(({ tone, dash }) => s("path", { class: `chart-line tone-${tone}`, "stroke-dasharray": dash ?? null }));
    this.rule = s("line", { class: "chart-rule", y1: PAD.top, y2: HEIGHT - PAD.bottom, visibility: "hidden" });
    this.label = s("title", { id }, title);
    const svg = { class: "chart", role: "img", "aria-labelledby": id, tabindex: "0", height: HEIGHT };
    this.svg = s("svg", svg, this.label, this.grid, this.paths, this.rule);
    this.readout = h("p", { class: "readout", "aria-live": "polite" });
    this.values = series.map(() => h("b", {}, ""));
    const legend = h("ul", { class: "legend" }, series.map((item, index) => h("li", {}, swatch(item), h("span", {}, item.label), this.values[index])));
    this.table = h("details", { class: "as-table" }, h("summary", {}, "As a table"));
    this.element = h("figure", { class: "figure" }, legend, this.svg, this.readout, this.table);
    this.#wire();
  }

  /** Points: `{at: milliseconds, values: {key: number or null}}`, in order. */
  update(points) {
    this.#points = points;
    this.#draw();
    if (this.table.open) this.#fillTable();
  }

  #wire() {
    new ResizeObserver(([entry]) => {
      const width = Math.max(240, Math.round(entry.contentRect.width));
      if (width === this.#width) return;
      this.#width = width;
      requestAnimationFrame(() => this.#draw());
    }).observe(this.element);
    this.svg.addEventListener("pointermove", (event) => this.#point(event.clientX - this.svg.getBoundingClientRect().left));
    this.svg.addEventListener("pointerleave", () => this.#move(null));
    this.svg.addEventListener("blur", () => this.#move(null));
    this.svg.addEventListener("keydown", (event) => this.#key(event));
    this.table.addEventListener("toggle", () => this.table.open && this.#fillTable());
  }

  #scales() {
    const points = this.#points;
    const top = roundUp(Math.max(...points.flatMap((point) => this.series.map(({ key }) => point.values[key] ?? 0)), 0));
    const [from, to] = [points[0].at, points.at(-1).at];
    return {
      top,
      x: linear(from, to, PAD.left, this.#width - PAD.right),
      y: linear(0, top, HEIGHT - PAD.bottom, PAD.top),
    };
  }

  #draw() {
    set(this.svg, { width: this.#width, viewBox: `0 0 ${this.#width} ${HEIGHT}` });
    if (this.#points.length < 2) {
      replace(this.grid, s("text", { x: this.#width / 2, y: HEIGHT / 2, "text-anchor": "middle", class: "chart-text" }, "No facts yet"));
      this.paths.forEach((line) => line.removeAttribute("d"));
      return;
    }
    const { top, x, y } = this.#scales();
    this.#drawGrid(top, x, y);
    this.series.forEach(({ key }, index) => {
      const line = this.#points.map((point) => (point.values[key] == null ? null : [x(point.at), y(point.values[key])]));
      this.paths[index].setAttribute("d", path(line));
      say(this.values[index], rate(this.#points.at(-1).values[key]));
    });
    say(this.label, this.#summary());
    this.#showCursor();
  }

  #drawGrid(top, x, y) {
    const [left, right] = [PAD.left, this.#width - PAD.right];
    const across = ticks(top).map((value) => [
      s("line", { x1: left, x2: right, y1: y(value), y2: y(value) }),
      s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end", class: "chart-text" }, rate(value)),
    ]);
    const times = timeTicks(this.#points[0].at, this.#points.at(-1).at, Math.floor((right - left) / 80));
    const along = times.map((at) =>
      s("text", { x: x(at), y: HEIGHT - 6, "text-anchor": "middle", class: "chart-text" }, clockText(at, { today: at }).replace(/:00$/, "")),
    );
    replace(this.grid, across, along);
  }

  /** In one sentence, for who does not see it. */
  #summary() {
    const last = this.#points.at(-1);
    const now = this.series.map(({ key, label }) => `${label} ${rate(last.values[key])}`).join(", ");
    const most = this.series.map(({ key, label }) => `${label} ${rate(Math.max(...this.#points.map((point) => point.values[key] ?? 0)))}`);
    return `${this.title}, ${this.unit}. Now: ${now}. Highest: ${most.join(", ")}. Arrow keys read single values.`;
  }

  #point(pixel) {
    if (this.#points.length < 2) return;
    const share = (pixel - PAD.left) / (this.#width - PAD.left - PAD.right);
    this.#move(Math.round(Math.min(1, Math.max(0, share)) * (this.#points.length - 1)));
  }

  #key(event) {
    const last = this.#points.length - 1;
    const here = this.#cursor ?? last;
    const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined || last < 1) return;
    event.preventDefault();
    this.#move(to === null ? null : Math.min(last, Math.max(0, to)));
  }

  #move(cursor) {
    this.#cursor = cursor;
    this.#showCursor();
  }

  #showCursor() {
    const point = this.#cursor === null ? null : this.#points[this.#cursor];
    this.rule.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) {
      say(this.readout, "");
      return;
    }
    const at = this.#scales().x(point.at);
    set(this.rule, { x1: at, x2: at });
    const values = this.series.map(({ key, label }) => `${label} ${rate(point.values[key])}`).join(" · ");
    say(this.readout, `${clockText(point.at)}: ${values} ${this.unit}`);
  }

  #fillTable() {
    const rows = this.#points.slice(-TABLE_ROWS).reverse().map((point) => [
      clockText(point.at),
      ...this.series.map(({ key }) => rate(point.values[key])),
    ]);
    const shown = this.#points.length > TABLE_ROWS ? `, the last ${TABLE_ROWS} values` : "";
    const heads = ["Time", ...this.series.map(({ label }) => label)];
    const numeric = this.series.map((_, index) => index + 1);
    const table = still({ caption: `${this.title}, ${this.unit}${shown}`, heads, rows, numeric });
    replace(this.table, this.table.querySelector("summary"), table.element);
  }
}

function swatch({ tone, dash }) {
  const line = s("line", { x1: 0, x2: 22, y1: 5, y2: 5, class: `chart-line tone-${tone}`, "stroke-dasharray": dash ?? null });
  return s("svg", { class: "swatch", width: 22, height: 10, "aria-hidden": "true" }, line);
}
