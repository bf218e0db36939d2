/* Times of the broker's clock as elements. In: RFC 3339. Out: `<time>`; those that say "12 s ago" are kept up to date
   here, once a second for all of them. The browser's clock may be wrong: `hear` learns by how much. */

import { h, say } from "./dom.js";
import { DASH, span } from "./format.js";

const ACCURATE_MS = 5000;
const pad = (number, width = 2) => String(number).padStart(width, "0");

let skewMs = 0;

/** Learn the diary's time from an answer that was just given. Small differences are the way, not the clock. */
export function hear(iso, nowMs = Date.now()) {
  const told = Date.parse(iso);
  if (!Number.isNaN(told)) skewMs = Math.abs(told - nowMs) > ACCURATE_MS ? told - nowMs : 0;
}

/** Now, by the diary's clock, in milliseconds. */
export function now() {
  return Date.now() + skewMs;
}

/** Milliseconds of an RFC 3339 time, or null. */
export function ms(iso) {
  const value = typeof iso === "number" ? iso : Date.parse(iso ?? "");
  return Number.isNaN(value) ? null : value;
}

/** "12:00:03.123", with the date in front where it is not today. */
export function clockText(at, { millis = false, today = now() } = {}) {
  const date = new Date(at);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const full = millis ? `${time}.${pad(date.getMilliseconds(), 3)}` : time;
  return date.toDateString() === new Date(today).toDateString() ? full : `${dayText(date)} ${full}`;
}

/** "2026-03-01". */
export function dayText(date) {
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** "in 12 s", "3 min ago". */
export function relativeText(at, present = now()) {
  const difference = at - present;
  if (Math.abs(difference) < 1000) return "now";
  return difference > 0 ? `in ${span(difference)}` : `${span(difference)} ago`;
}

/** A time of day. */
export function when(iso, { millis = false } = {}) {
  const at = ms(iso);
  if (at === null) return h("span", { class: "none" }, DASH);
  return h("time", { datetime: stamp(at), title: fullText(at) }, clockText(at, { millis }));
}

/** A time from here; it goes on by itself. */
export function ago(iso) {
  const at = ms(iso);
  if (at === null) return h("span", { class: "none" }, DASH);
  return h("time", { datetime: stamp(at), title: fullText(at), "data-from": at }, relativeText(at));
}

/** RFC 3339 in UTC. */
export function stamp(at) {
  return new Date(at).toISOString();
}

function fullText(at) {
  return `${clockText(at, { millis: true, today: 0 })} (${stamp(at)})`;
}

/** The name of the zone that all times are shown in. */
export function zone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
}

/** Keep every "… ago" of the page right. */
export function tick(root = document) {
  const present = now();
  for (const element of root.querySelectorAll("time[data-from]")) {
    say(element, relativeText(Number(element.dataset.from), present));
  }
}
