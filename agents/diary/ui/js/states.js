/* The states and facts of a task as people see them: a word, a shape and a colour, so that none of the three is needed. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** In the order of a task's life. */
export const STATES = [
  { state: "ACCEPTED", label: "Accepted", shape: "ring", tone: "accepted", open: true, means: "recorded, not handed out yet" },
  { state: "DISPATCHED", label: "Dispatched", shape: "queue", tone: "dispatched", open: true, means: "in the queue, not started yet" },
  { state: "RUNNING", label: "Running", shape: "play", tone: "running", open: true, means: "a worker is at it" },
  { state: "FAILED", label: "Failed", shape: "bang", tone: "failed", open: true, means: "an attempt has failed; dispatch has yet to decide" },
  { state: "RETRY_SCHEDULED", label: "Retry scheduled", shape: "again", tone: "retry", open: true, means: "another attempt is due at a stated time" },
  { state: "COMPLETED", label: "Completed", shape: "tick", tone: "completed", open: false, means: "ended well" },
  { state: "FAILED_PERMANENTLY", label: "Failed permanently", shape: "cross", tone: "permanent", open: false, means: "no further attempt will be made" },
  { state: "REJECTED", label: "Rejected", shape: "barred", tone: "rejected", open: false, means: "the submission was refused" },
  { state: "UNKNOWN", label: "Unknown", shape: "question", tone: "unknown", open: true, means: "facts without an acceptance" },
];

const BY_STATE = new Map(STATES.map((item) => [item.state, item]));

/** What is known of a state; one that this page has never heard of is shown under its own name. */
export function stateOf(state) {
  return BY_STATE.get(state) ?? { state, label: String(state), shape: "question", tone: "unknown", open: true, means: "" };
}

/** Picture and word of a state. */
export function badge(state) {
  const { label, shape, tone, means } = stateOf(state);
  return h("span", { class: `state tone-${tone}`, title: means ? `${state}: ${means}` : state }, icon(shape), h("span", {}, label));
}

const FACTS = {
  TaskAccepted: ["ring", "accepted"],
  TaskRejected: ["barred", "rejected"],
  TaskDispatched: ["queue", "dispatched"],
  TaskExecutionStarted: ["play", "running"],
  TaskExecutionCompleted: ["tick", "completed"],
  TaskExecutionFailed: ["bang", "failed"],
  TaskRetryScheduled: ["again", "retry"],
  TaskFailedPermanently: ["cross", "permanent"],
  TaskRequeued: ["doubled", "dispatched"],
};

/** The shape and tone of a fact. */
export function factLook(fact) {
  const [shape, tone] = FACTS[fact] ?? ["question", "unknown"];
  return { shape, tone };
}

/** Picture and name of a fact. */
export function factLabel(fact) {
  const { shape, tone } = factLook(fact);
  return h("span", { class: `fact tone-${tone}` }, icon(shape), h("span", {}, String(fact)));
}
