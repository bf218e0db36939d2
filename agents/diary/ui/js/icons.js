/* Small pictures, drawn here so that they look the same whatever fonts there are. In: a name. Out: an SVG that screen
   readers leave out; beside it there is always a word. */

import { s } from "./dom.js";

const SHAPES = {
  ring: [["circle", { cx: 8, cy: 8, r: 5.2, class: "i-line" }]],
  queue: [["path", { d: "M3 4.5h10M3 8h7M3 11.5h4", class: "i-line" }]],
  play: [["path", { d: "M4.5 2.8v10.4L13 8z", class: "i-fill" }]],
  bang: [["path", { d: "M8 1.8 15 14H1z", class: "i-fill" }], ["path", { d: "M8 6v4M8 11.6v.6", class: "i-cut" }]],
  again: [["path", { d: "M12.8 8a4.8 4.8 0 1 1-1.6-3.6M11.6 1.6v3.2H8.4", class: "i-line" }]],
  tick: [["path", { d: "M2.6 8.6 6.3 12.2 13.4 4.4", class: "i-line i-bold" }]],
  cross: [["rect", { x: 1.5, y: 1.5, width: 13, height: 13, rx: 2, class: "i-fill" }], ["path", { d: "m5 5 6 6m0-6-6 6", class: "i-cut" }]],
  barred: [["circle", { cx: 8, cy: 8, r: 5.6, class: "i-line" }], ["path", { d: "m4.2 4.2 7.6 7.6", class: "i-line" }]],
  question: [["path", { d: "M5.4 6a2.7 2.7 0 1 1 3.8 2.5c-.9.4-1.2.9-1.2 1.8M8 12.4v.8", class: "i-line" }]],
  clock: [["circle", { cx: 8, cy: 8, r: 5.8, class: "i-line" }], ["path", { d: "M8 4.6V8l2.4 1.6", class: "i-line" }]],
  info: [["circle", { cx: 8, cy: 8, r: 6, class: "i-line" }], ["path", { d: "M8 7.2v4M8 4.6v.7", class: "i-line" }]],
  gap: [["path", { d: "M2 8h3.4M10.6 8H14M7 4.5v7M9 4.5v7", class: "i-line" }]],
  doubled: [["rect", { x: 2.2, y: 4.8, width: 8, height: 8, class: "i-line" }], ["path", { d: "M5.8 4.8V2.2h8v8h-3.6", class: "i-line" }]],
};

/** The picture of a name, 16 by 16. */
export function icon(name) {
  const parts = (SHAPES[name] ?? SHAPES.question).map(([tag, attributes]) => s(tag, attributes));
  return s("svg", { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" }, parts);
}

/** Whether there is a picture of that name. */
export function drawn(name) {
  return name in SHAPES;
}
