/* Cells that several tables share. In: a task's summary. Out: columns for `Table`. Texts from outside are cut here, with
   the whole text in reach on the task's own page. */

import { h } from "./dom.js";
import { DASH, counted, cut, span, words } from "./format.js";
import { icon } from "./icons.js";
import { href, taskHref } from "./router.js";
import { badge } from "./states.js";
import { ago, ms, now, when } from "./time.js";

const ID_LIMIT = 64;
const TEXT_LIMIT = 160;

/** The link to a task. */
export function taskLink(taskId) {
  return h("a", { class: "id", href: taskHref(taskId), title: taskId }, cut(String(taskId), ID_LIMIT));
}

/** A worker's name, leading to what it did. */
export function workerLink(worker) {
  if (!worker) return none();
  return h("a", { class: "id", href: href("tasks", { worker }), title: worker }, cut(String(worker), ID_LIMIT));
}

/** A dash that is read as "none". */
export function none() {
  return h("span", { class: "none" }, h("span", { "aria-hidden": "true" }, DASH), h("span", { class: "unseen" }, "none"));
}

/** Any text of a payload, a message, a name. */
export function text(value, limit = TEXT_LIMIT) {
  if (value === null || value === undefined || value === "") return none();
  const whole = String(value);
  return h("span", { class: "text", title: whole.length > limit ? cut(whole, 1000) : null }, cut(whole, limit));
}

/** What is expected of a task next, and by when. */
export function expectation(expected, overdue = false) {
  if (!expected || expected.what === "nothing" || !expected.what) return none();
  const late = overdue || (expected.by && ms(expected.by) < now());
  const by = expected.by ? [late ? " since " : " by ", when(expected.by)] : " when its turn comes";
  return h("span", { class: late ? "late" : null }, late ? icon("clock") : null, h("span", {}, words(expected.what), by, late ? " (overdue)" : null));
}

/** The error of the last failure. */
function failure(row) {
  if (!row.errorType) return none();
  return h("span", {}, h("strong", { class: "error-type" }, cut(String(row.errorType), 60)), row.errorMessage ? [" ", text(row.errorMessage, 90)] : null);
}

/** Columns of a task's summary, by name. */
export const COLUMNS = {
  task: { label: "Task", kind: "id", cell: (row) => taskLink(row.taskId), sign: (row) => row.taskId },
  state: {
    label: "State",
    cell: (row) => [badge(row.state), row.overdue ? h("span", { class: "late" }, icon("clock"), "overdue") : null],
    sign: (row) => [row.state, row.overdue],
  },
  type: { label: "Type", kind: "name", cell: (row) => text(row.type, 48), sign: (row) => row.type },
  attempt: {
    label: "Attempt",
    kind: "number",
    cell: (row) => h("span", { title: counted(row.failures ?? 0, "failure") }, String(row.attempt ?? DASH), row.failures ? h("span", { class: "faint" }, ` · ${row.failures} failed`) : null),
    sign: (row) => [row.attempt, row.failures],
  },
  accepted: { label: "Accepted", cell: (row) => when(row.acceptedAt), sign: (row) => row.acceptedAt },
  changed: { label: "Last change", cell: (row) => ago(row.changedAt), sign: (row) => row.changedAt },
  worker: { label: "Worker", cell: (row) => workerLink(row.worker), sign: (row) => row.worker },
  error: { label: "Last error", kind: "wide", cell: failure, sign: (row) => [row.errorType, row.errorMessage] },
  expected: { label: "Expected next", cell: (row) => expectation(row.expected, row.overdue), sign: (row) => [row.expected, row.overdue] },
  odd: {
    label: "Anomalies",
    kind: "number",
    cell: (row) => (row.anomalies ? h("span", { class: "odd" }, icon("bang"), String(row.anomalies)) : none()),
    sign: (row) => row.anomalies,
  },
  due: { label: "Due", cell: (row) => [when(row.notBefore), " ", h("span", { class: "faint" }, ago(row.notBefore))], sign: (row) => row.notBefore },
  since: {
    label: "Overdue for",
    cell: (row) => h("span", { class: "late" }, icon("clock"), row.since ? span(now() - ms(row.since)) : DASH),
    sign: (row) => [row.since, Math.floor(now() / 1000)],
  },
  why: { label: "Why", kind: "wide", cell: (row) => text(row.why), sign: (row) => row.why },
};

/** Links to the pages of a list: the first, and the next older one. */
export function pager(parts, params, view) {
  const first = params.cursor ? h("a", { class: "button", href: href(parts, { ...params, cursor: null }) }, "First page") : null;
  const next = view.next ? h("a", { class: "button", href: href(parts, { ...params, cursor: view.next }) }, "Next page") : null;
  return first || next ? h("nav", { class: "pager", "aria-label": "Pages of this list" }, first, next) : null;
}
