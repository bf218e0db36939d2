/* The life of a task as lanes of spans, one lane for an attempt. Pure: a task's view and the present go in, values come
   out. Times are milliseconds of the broker's clock; spans floor at zero, because a dispatch may be told after the start
   it led to. */

/** What a span of time was spent on. */
export const KINDS = {
  gap: { label: "Retry gap", means: "waits until the next attempt may begin" },
  wait: { label: "Waiting", means: "due, and not handed out yet" },
  queue: { label: "Queued", means: "handed out, and not started yet" },
  run: { label: "Running", means: "a worker is at it" },
  lost: { label: "Lost", means: "started, and no outcome came of this start" },
};

const OUTCOMES = new Set(["TaskExecutionCompleted", "TaskExecutionFailed"]);
const time = (iso) => (typeof iso === "number" ? iso : Date.parse(iso));

/** `{from, to, lanes, expected}`; a lane has `attempt`, `spans` and `marks`. Null if there is no fact to draw. */
export function lifeOf(task, presentMs) {
  const facts = (task.facts ?? []).filter((fact) => Number.isFinite(time(fact.at)));
  if (!facts.length) return null;
  const ended = task.endedAt ? time(task.endedAt) : null;
  const at = { present: ended ?? Math.max(presentMs, ...facts.map((fact) => time(fact.at))) };
  const numbers = [...new Set(facts.map((fact) => fact.attempt).filter((attempt) => attempt !== null && attempt !== undefined))];
  if (!numbers.length) numbers.push(1);
  numbers.sort((one, other) => one - other);
  const odd = new Set((task.anomalies ?? []).map((anomaly) => anomaly.offset));
  const lanes = numbers.map((attempt, index) => {
    const own = facts.filter((fact) => (fact.attempt ?? numbers[0]) === attempt);
    const next = facts.find((fact) => fact.attempt === numbers[index + 1] && numbers[index + 1] !== undefined);
    return { attempt, spans: spansOf(own, at, next ? time(next.at) : null, task, odd), marks: own.map((fact) => mark(fact, odd)) };
  });
  const expected = task.expected?.by && ended === null ? { what: task.expected.what, at: time(task.expected.by) } : null;
  const times = [...lanes.flatMap((lane) => [...lane.spans.flatMap((span) => [span.from, span.to]), ...lane.marks.map((one) => one.at)])];
  if (expected && expected.at < at.present + horizon(times)) times.push(expected.at);
  return { from: Math.min(...times), to: Math.max(...times), lanes, expected, open: ended === null, present: at.present };
}

/** What is expected is drawn if it is not further away than the life so far is long, or a minute. */
function horizon(times) {
  return Math.max(60_000, Math.max(...times) - Math.min(...times));
}

function mark(fact, odd) {
  return { at: time(fact.at), fact: fact.fact, offset: fact.offset, worker: fact.worker, odd: odd.has(fact.offset) };
}

function spansOf(facts, { present }, nextAt, task, odd) {
  const first = (name) => facts.find((fact) => fact.fact === name);
  const scheduled = first("TaskRetryScheduled");
  const opened = first("TaskRequeued") ?? scheduled ?? first("TaskAccepted");
  const dispatched = first("TaskDispatched");
  const starts = facts.filter((fact) => fact.fact === "TaskExecutionStarted");
  const outcomes = facts.filter((fact) => OUTCOMES.has(fact.fact) && !odd.has(fact.offset));
  const rejected = facts.every((fact) => fact.fact === "TaskRejected");
  const end = nextAt ?? present;
  const handedOut = dispatched ? time(dispatched.at) : null;
  const begun = starts.length ? time(starts[0].at) : null;
  const spans = [];
  if (opened && !rejected) spans.push(...before(opened, scheduled, earliest(handedOut, begun) ?? end));
  if (handedOut !== null) spans.push(span("queue", handedOut, begun ?? end, begun === null && nextAt === null && task.state === "DISPATCHED"));
  starts.forEach((start, index) => spans.push(run(start, starts[index + 1], outcomes, end, task)));
  return spans.filter((one) => one.to > one.from || one.kind === "run");
}

function before(opened, scheduled, until) {
  const from = time(opened.at);
  const due = opened === scheduled ? Math.min(time(scheduled.detail?.notBefore ?? scheduled.at), until) : from;
  return [span("gap", from, Math.max(from, due)), span("wait", Math.max(from, due), until)];
}

/** A start ends with the outcome of its worker, if that counts; else when another start or the next attempt shows it gone. */
function run(start, next, outcomes, end, task) {
  const from = time(start.at);
  const outcome = outcomes.find((one) => one.worker === start.worker && time(one.at) >= from) ?? (next ? null : outcomes.find((one) => time(one.at) >= from));
  if (outcome) return { ...span("run", from, time(outcome.at)), worker: start.worker, well: outcome.fact === "TaskExecutionCompleted" };
  const live = !next && task.state === "RUNNING" && task.attempt === start.attempt;
  return { ...span(live ? "run" : "lost", from, next ? time(next.at) : end, live), worker: start.worker };
}

function span(kind, from, to, open = false) {
  return { kind, from, to: Math.max(from, to), open };
}

function earliest(...times) {
  const known = times.filter((one) => one !== null);
  return known.length ? Math.min(...known) : null;
}

/** How long a task spent on each kind, over all attempts: kind → milliseconds. */
export function sums(life) {
  const found = {};
  for (const { kind, from, to } of life.lanes.flatMap((lane) => lane.spans)) found[kind] = (found[kind] ?? 0) + to - from;
  return found;
}

/** Whether short spans would vanish on a straight scale: then an evened one says more. */
export function uneven(life) {
  const total = life.to - life.from;
  const lengths = life.lanes.flatMap((lane) => lane.spans.map((one) => one.to - one.from)).filter((length) => length > 0);
  return lengths.length > 1 && Math.min(...lengths) < total / 150;
}

/** Maps a time to 0…1: straight, or evened so that every stretch between two facts has room in the order of its length. */
export function scaleOf(life, evened) {
  const total = life.to - life.from || 1;
  if (!evened) return (at) => (at - life.from) / total;
  const stops = [...new Set([life.from, life.to, ...life.lanes.flatMap((lane) => lane.spans.flatMap((one) => [one.from, one.to]))])];
  stops.sort((one, other) => one - other);
  const weights = stops.slice(1).map((stop, index) => 1 + Math.log2(1 + (stop - stops[index])));
  const whole = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  const places = [0];
  weights.forEach((weight) => places.push(places.at(-1) + weight / whole));
  return (at) => {
    if (at <= stops[0]) return 0;
    const index = stops.findIndex((stop) => stop >= at);
    if (index < 1) return 1;
    const share = (at - stops[index - 1]) / (stops[index] - stops[index - 1]);
    return places[index - 1] + share * (places[index] - places[index - 1]);
  };
}
