/* JSON for people: folded away, cut where it is long, with a link to all of it. In: a value. Out: elements. The text is
   made when it is unfolded, and is text, whatever it says. */

import { h, replace } from "./dom.js";
import { cut, size } from "./format.js";

const SHOWN = 20_000;

/** A value folded away under a name. `raw` is the address of the whole. */
export function folded(name, value, raw, { open = false } = {}) {
  const text = JSON.stringify(value, null, 2) ?? "null";
  const whole = new Blob([text]).size;
  const element = h("details", { class: "json", open }, h("summary", {}, name, h("span", { class: "faint" }, ` ${size(whole)}`)));
  const unfold = () => element.querySelector("pre") ?? element.append(...content(name, text, whole, raw));
  element.addEventListener("toggle", () => element.open && unfold());
  if (open) unfold();
  return element;
}

function content(name, text, whole, raw) {
  const shown = cut(text, SHOWN);
  const all = h("a", { href: raw, target: "_blank", rel: "noopener noreferrer" }, "Open the raw JSON");
  const said = text.length > SHOWN ? [`The first ${size(SHOWN)} of ${size(whole)}. `, all] : all;
  return [h("pre", { tabindex: "0", role: "region", "aria-label": name }, shown), h("p", { class: "faint" }, said)];
}

/** The small object of a fact, as names and values. */
export function details(object, values = {}) {
  const entries = Object.entries(object ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "details" }, entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, values[name]?.(value) ?? plain(value)))));
}

function plain(value) {
  return cut(typeof value === "object" ? JSON.stringify(value) : String(value), 400);
}

/** Replace what is folded under a name by a newer value, and leave it folded or not. */
export function renew(place, name, value, raw) {
  const sign = JSON.stringify([value ?? null, raw]);
  if (place.sign === sign) return;
  place.sign = sign;
  replace(place.element, folded(name, value, raw, { open: place.element.querySelector("details")?.open ?? false }));
}
