/* Draws the life of a task: a lane for each attempt, spans with patterns, facts as marks. In: a life (`model.js`). Out: a
   figure. Whatever is in the picture also stands in the tables of the page. */

import { freshId, h, replace, s, set } from "../dom.js";
import { counted, duration } from "../format.js";
import { factLook } from "../states.js";
import { timeStep } from "../chart/scale.js";
import { KINDS, lifeOf, scaleOf, sums, uneven } from "./model.js";
import { clockText } from "../time.js";

const LANE = 34;
const BAR = 16;
const LEFT = 84;
const RIGHT = 16;
const TOP = 8;
const AXIS = 26;
const LABEL_PX = 7;

/** The picture; it is redrawn with `update(task, presentMs)`. */
export class LifePicture {
  #width = 800;
  #evened = null;
  #life = null;

  constructor() {
    const id = freshId("life");
    this.label = s("title", { id }, "Attempts");
    this.content = s("g");
    this.svg = s("svg", { class: "life", role: "img", "aria-labelledby": id }, this.label, this.content);
    this.toggle = h("button", { type: "button", class: "quiet", on: { click: () => this.#flip() } });
    this.note = h("span", { class: "faint" });
    const legend = Object.entries(KINDS).map(([kind, { label, means }]) => h("li", { title: means }, key(kind), label));
    const bottom = h("div", { class: "life-foot" }, h("ul", { class: "legend" }, legend), this.note, this.toggle);
    this.scroller = h("div", { class: "life-scroller", tabindex: "0", role: "group", "aria-label": "Picture of the attempts" }, this.svg);
    this.element = h("figure", { class: "figure" }, this.scroller, bottom);
    new ResizeObserver(([entry]) => {
      const width = Math.max(320, Math.round(entry.contentRect.width));
      if (width === this.#width) return;
      this.#width = width;
      requestAnimationFrame(() => this.#draw());
    }).observe(this.scroller);
  }

  update(task, presentMs) {
    this.#life = lifeOf(task, presentMs);
    this.#draw();
  }

  #flip() {
    this.#evened = !this.#isEvened();
    this.#draw();
  }

  #isEvened() {
    return this.#evened ?? uneven(this.#life);
  }

  #draw() {
    const life = this.#life;
    this.element.hidden = life === null;
    if (life === null) return;
    const evened = this.#isEvened();
    const height = TOP + life.lanes.length * LANE + AXIS;
    const share = scaleOf(life, evened);
    const x = (at) => LEFT + share(at) * (this.#width - LEFT - RIGHT);
    set(this.svg, { width: this.#width, height, viewBox: `0 0 ${this.#width} ${height}` });
    const lanes = life.lanes.map((lane, index) => this.#lane(lane, TOP + index * LANE, x));
    replace(this.content, patterns(), this.#axis(life, x, height, evened), lanes, expected(life, x, height));
    this.label.textContent = summary(life);
    this.toggle.textContent = evened ? "Show true to scale" : "Show evened out";
    this.note.textContent = evened ? "Not to scale: short spans are drawn wider" : "To scale";
  }

  #lane(lane, top, x) {
    const name = s("text", { class: "life-name", x: 0, y: top + LANE / 2 + 4 }, `Attempt ${lane.attempt}`);
    const rail = s("line", { class: "life-rail", x1: LEFT, x2: this.#width - RIGHT, y1: top + LANE / 2, y2: top + LANE / 2 });
    const spans = lane.spans.map((one) => bar(one, top + (LANE - BAR) / 2, x));
    return s("g", {}, name, rail, spans, lane.marks.map((one) => markOf(one, top + LANE / 2, x)));
  }

  #axis(life, x, height, evened) {
    const bottom = height - AXIS + 4;
    const room = this.#width - LEFT - RIGHT;
    const line = s("line", { class: "life-axis", x1: LEFT, x2: this.#width - RIGHT, y1: bottom, y2: bottom });
    let free = LEFT - 30;
    const marks = offsets(life, evened, Math.floor(room / 90)).map((offset) => {
      const at = x(life.from + offset);
      const text = offset ? `+${duration(offset)}` : clockText(life.from);
      const half = (text.length * LABEL_PX) / 2;
      const centre = Math.min(Math.max(at, LEFT + half - 20), this.#width - half);
      if (centre - half < free) return null;
      free = centre + half + 8;
      const tick = s("line", { class: "life-axis", x1: at, x2: at, y1: bottom, y2: bottom + 4 });
      return s("g", {}, tick, s("text", { class: "chart-text", x: centre, y: bottom + 18, "text-anchor": "middle" }, text));
    });
    return s("g", {}, line, marks.filter(Boolean));
  }
}

function offsets(life, evened, number) {
  const total = life.to - life.from;
  if (evened) {
    const ends = life.lanes.flatMap((lane) => lane.spans.flatMap((one) => [one.from - life.from, one.to - life.from]));
    return [...new Set([0, ...ends])].sort((one, other) => one - other);
  }
  const step = timeStep(Math.max(total, 1), Math.max(number, 1));
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, index) => index * step);
}

function bar(one, top, x) {
  const from = x(one.from);
  const width = Math.max(3, x(one.to) - from);
  const text = `${KINDS[one.kind].label} ${duration(one.to - one.from)}`;
  const who = one.worker ? `, ${one.worker}` : "";
  const classes = `life-span life-${one.kind}${one.open ? " life-open" : ""}${one.well === false ? " life-bad" : ""}`;
  const label = width > text.length * LABEL_PX + 8 ? s("text", { class: `life-label life-on-${one.kind}`, x: from + 6, y: top + 12 }, text) : null;
  return s("g", {}, s("rect", { class: classes, fill: hatch(one.kind), x: from, y: top, width, height: BAR, rx: 2 }, s("title", {}, text + who)), label);
}

/** A mark has the shape of its fact: what begins points right, what ends well is round, what fails is square. */
function markOf(one, middle, x) {
  const at = x(one.at);
  const { tone } = factLook(one.fact);
  const shapes = {
    TaskExecutionStarted: `M${at - 3} ${middle - 13}l6 4-6 4z`,
    TaskExecutionCompleted: `M${at} ${middle + 6}a4 4 0 1 1 0 .01z`,
    TaskExecutionFailed: `M${at - 4} ${middle + 7}h8v8h-8z`,
    TaskFailedPermanently: `M${at - 4} ${middle + 7}h8v8h-8z`,
  };
  const shape = shapes[one.fact] ?? `M${at} ${middle - 14}v8`;
  const drawn = s("path", { class: `life-mark tone-${tone}`, d: shape }, s("title", {}, `${one.fact} ${clockText(one.at, { millis: true })}`));
  const odd = one.odd ? s("path", { class: "life-odd", d: `M${at} ${middle - 17}l5 9h-10z` }, s("title", {}, "An anomaly, see below")) : null;
  return s("g", {}, drawn, odd);
}

function expected(life, x, height) {
  if (!life.expected || life.expected.at > life.to) return null;
  const at = x(life.expected.at);
  const title = s("title", {}, `${life.expected.what} expected by ${clockText(life.expected.at)}`);
  return s("line", { class: "life-expected", x1: at, x2: at, y1: 0, y2: height - AXIS + 4 }, title);
}

function hatch(kind) {
  return kind === "gap" || kind === "lost" ? `url(#hatch-${kind})` : null;
}

function patterns() {
  const lines = (id, d) =>
    s("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, s("rect", { width: 6, height: 6, class: `${id}-ground` }), s("path", { d, class: `${id}-lines` }));
  return s("defs", {}, lines("hatch-gap", "M-1 7 7-1M2 10 10 2M-4 4 4-4"), lines("hatch-lost", "M-1-1 7 7M2-4l8 8M-4 2l8 8"));
}

function key(kind) {
  return s("svg", { class: "swatch", width: 22, height: 12, "aria-hidden": "true" }, s("rect", { class: `life-span life-${kind}`, fill: hatch(kind), x: 1, y: 1, width: 20, height: 10, rx: 2 }));
}

function summary(life) {
  const spent = Object.entries(sums(life)).map(([kind, ms]) => `${KINDS[kind].label.toLowerCase()} ${duration(ms)}`);
  const long = `${life.open ? "So far" : "In all"} ${duration(life.present - life.from)}`;
  return `${counted(life.lanes.length, "attempt")}. ${long}${spent.length ? `, of which ${spent.join(", ")}` : ""}. Each attempt is in the table below.`;
}
