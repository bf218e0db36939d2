/* What has to be said about an answer besides its content: nothing there, not there yet, out of date, not complete, not
   given. In: an answer or a Problem. Out: elements. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { clockText, ms, relativeText } from "./time.js";

/** A framed sentence. `tone`: note, warn, bad, good. */
export function notice(tone, title, ...details) {
  const shape = { note: "info", warn: "bang", bad: "cross", good: "tick" }[tone];
  return h(
    "div",
    { class: `notice notice-${tone}` },
    icon(shape),
    h("div", { class: "notice-text" }, h("strong", {}, title), details.length ? h("div", {}, details) : null),
  );
}

/** Nothing to show, and that this is all right or not. */
export function nothing(title, detail = "") {
  return h("div", { class: "nothing" }, icon("tick"), h("p", { class: "nothing-title" }, title), detail ? h("p", {}, detail) : null);
}

/** Not there yet: bars where lines will be. Read out once. */
export function loading(lines = 6) {
  const bars = Array.from({ length: lines }, () => h("div", { class: "bar" }));
  return h("div", { class: "loading", role: "status" }, h("span", { class: "unseen" }, "Loading"), bars);
}

/** No answer, with the reason and a way to ask again. */
export function failed(problem, again) {
  const detail = problem.retryAfter ? `${problem.detail}. Asked again by itself.` : problem.detail;
  const button = again ? h("button", { type: "button", on: { click: again } }, "Ask again") : null;
  return notice("bad", problem.title, h("p", {}, detail), button);
}

/** What an answer says of its own limits: `stale`, `missingPartitions`. */
export function limits(view) {
  const found = [];
  if (view.stale) found.push(stale(view.asOf));
  const missing = view.missingPartitions ?? [];
  if (missing.length) {
    const which = `${missing.length === 1 ? "partition" : "partitions"} ${missing.join(", ")}`;
    found.push(notice("warn", `Nobody answered for ${which}`, "What lies there is missing here: a process is taking over, or cannot be reached."));
  }
  return found;
}

function stale(asOf) {
  const at = ms(asOf);
  const since = at === null ? "Nothing is known of how old it is." : `This is the state as of ${clockText(at)}, ${relativeText(at)}.`;
  return notice("warn", "Kafka does not answer the diary", since);
}

/** An answer that was there once is still shown; this says that it was not renewed. */
export function notRenewed(problem) {
  return notice("warn", "Not renewed", problem.detail);
}
