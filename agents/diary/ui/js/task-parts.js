/* The parts of a task's page: what it is in a few lines, its attempts, its facts, its anomalies. In: a task's view. Out:
   elements that are updated in place. */

import { expectation, none, taskLink, text, workerLink } from "./cells.js";
import { h, replace } from "./dom.js";
import { counted, duration, place } from "./format.js";
import { icon } from "./icons.js";
import { details } from "./json.js";
import { taskHref } from "./router.js";
import { badge, factLabel } from "./states.js";
import { Table } from "./table.js";
import { ago, ms, when } from "./time.js";

/** The head of the page: names and values. */
export class Facts {
  #sign = "";

  constructor() {
    this.element = h("dl", { class: "summary" });
  }

  update(task) {
    const rows = lines(task);
    const sign = JSON.stringify([task.state, task.attempt, task.failures, task.expected, task.endedAt, task.position, task.duplicates, task.requeues, task.notBefore]);
    if (sign === this.#sign && this.element.children.length) return;
    this.#sign = sign;
    replace(this.element, rows.filter(Boolean).map(([name, ...values]) => h("div", {}, h("dt", {}, name), h("dd", {}, values))));
  }
}

function lines(task) {
  const long = task.acceptedAt && task.endedAt ? duration(Math.max(0, ms(task.endedAt) - ms(task.acceptedAt))) : null;
  const { position } = task;
  return [
    ["State", badge(task.state)],
    ["Expected next", expectation(task.expected)],
    ["Type", text(task.type, 80)],
    ["Attempt", attempts(task)],
    ["Accepted", when(task.acceptedAt, { millis: true })],
    task.notBefore && ["Next attempt", when(task.notBefore, { millis: true }), " ", h("span", { class: "faint" }, ago(task.notBefore))],
    ["Ended", when(task.endedAt, { millis: true }), long ? h("span", { class: "faint" }, ` after ${long}`) : null],
    ["Origin", origin(task.origin)],
    ["Policy", policy(task.policy)],
    ["Duplicates suppressed", String(task.duplicates ?? 0)],
    task.requeues ? ["Requeued", counted(task.requeues, "time")] : null,
    position && ["Last fact", h("code", {}, place(position.partition, position.offset))],
  ];
}

function attempts({ attempt, failures, policy: known }) {
  const of = known ? ` of ${known.maxAttempts}` : "";
  return [`${attempt ?? 0}${of}`, failures ? h("span", { class: "faint" }, ` · ${counted(failures, "failure")} counted`) : null];
}

function origin(from) {
  if (!from) return none();
  if (from.topic === undefined || from.topic === null) return from.kind === "http" ? "HTTP" : from.kind;
  return [`${from.topic} `, h("code", {}, place(from.partition, from.offset))];
}

function policy(of) {
  if (!of) return none();
  const delay = of.maxAttempts > 1 ? `, ${of.delaySeconds} s × ${of.multiplier} between` : "";
  return `${counted(of.maxAttempts, "attempt")} of ${of.timeoutSeconds} s${delay}`;
}

/** A line for each attempt: the same as in the picture, in words. */
export function attemptTable() {
  return new Table({
    caption: "What happened in each attempt",
    captionHidden: true,
    keyOf: (row) => row.attempt,
    columns: [
      { label: "Attempt", cell: (row) => String(row.attempt) },
      { label: "Why", cell: (row) => (row.attempt === 1 && !row.reason ? "first attempt" : text(row.reason)) },
      { label: "Scheduled", cell: (row) => when(row.scheduledAt, { millis: true }) },
      { label: "Dispatched", cell: (row) => when(row.dispatchedAt, { millis: true }) },
      { label: "Queued for", kind: "number", cell: queued },
      { label: "Started", kind: "wide", cell: starts },
      { label: "Outcome", kind: "wide", cell: outcomes },
    ],
  });
}

function queued({ dispatchedAt, starts: found = [] }) {
  if (!dispatchedAt || !found.length) return none();
  return duration(Math.max(0, ms(found[0].at) - ms(dispatchedAt)));
}

function starts({ starts: found = [] }) {
  if (!found.length) return none();
  return h("ul", { class: "plain" }, found.map((start) => h("li", {}, when(start.at, { millis: true }), " ", workerLink(start.worker))));
}

function outcomes({ outcomes: found = [] }) {
  if (!found.length) return none();
  return h("ul", { class: "plain" }, found.map((one) => h("li", {}, outcome(one))));
}

function outcome({ fact, at, durationMs, errorType, message, retryable }) {
  const well = fact === "TaskExecutionCompleted";
  const what = h("span", { class: `fact tone-${well ? "completed" : "failed"}` }, icon(well ? "tick" : "bang"), h("span", {}, well ? "Completed" : "Failed"));
  const why = well ? null : [" ", h("strong", { class: "error-type" }, text(errorType, 60)), " ", text(message, 300), retryable === false ? h("span", { class: "faint" }, " not retryable") : null];
  return [what, h("span", { class: "faint" }, ` in ${duration(durationMs)} · `), when(at, { millis: true }), why];
}

const VALUES = {
  durationMs: (value) => duration(value),
  notBefore: (value) => when(value, { millis: true }),
};

/** Every fact, in the order of offsets. Each leads to the task as it was then. */
export function factTable(taskId) {
  return new Table({
    caption: "Every fact, in order",
    captionHidden: true,
    keyOf: (row) => `${row.partition}:${row.offset}`,
    columns: [
      { label: "Fact", cell: (row) => [factLabel(row.fact), row.odd ? h("span", { class: "odd", title: row.odd }, icon("bang"), "anomaly") : null] },
      { label: "Time", cell: (row) => when(row.at, { millis: true }) },
      { label: "After", kind: "number", cell: (row) => `+${duration(row.after)}` },
      { label: "Attempt", kind: "number", cell: (row) => (row.attempt === null || row.attempt === undefined ? none() : String(row.attempt)) },
      { label: "Worker or source", cell: (row) => (row.worker ? workerLink(row.worker) : text(row.source, 80)) },
      { label: "Place", cell: (row) => h("code", { title: `fact ${row.id}` }, place(row.partition, row.offset)) },
      { label: "Detail", kind: "wide", cell: (row) => details(row.detail, VALUES) },
      {
        label: "Then",
        kind: "action",
        cell: (row) => h("a", { href: taskHref(taskId, { at: `${row.partition}:${row.offset}` }), "aria-label": `The task as of fact ${row.number}, ${row.fact}` }, "as of then"),
      },
    ],
  });
}

/** What contradicts the state, and why. */
export function anomalyTable() {
  return new Table({
    caption: "Facts that contradict the state",
    captionHidden: true,
    keyOf: (row) => `${row.partition}:${row.offset}`,
    columns: [
      { label: "Fact", cell: (row) => factLabel(row.fact) },
      { label: "Place", cell: (row) => h("code", {}, place(row.partition, row.offset)) },
      { label: "Reason", kind: "wide", cell: (row) => text(row.reason, 400) },
    ],
  });
}

/** Links to tasks, in a line. */
export function taskList(ids) {
  return h("ul", { class: "ids" }, ids.map((taskId) => h("li", {}, taskLink(taskId))));
}
