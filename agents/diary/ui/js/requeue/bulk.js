/* Collects ids and sends them. In: a filter, or ids. Out: what would be requeued, then what became of it. The api is sent
   ids, in groups, no faster than one group a second; it never reads a view. */

import { address, ask, config, post } from "../api.js";

export const MOST = 1000;
export const GROUP = 50;
export const GROUP_EVERY_MS = 1000;
const PAGE = 100;
const FAILED = "FAILED_PERMANENTLY";

/**
 * The tasks of a filter that have failed permanently, the newest first, at most `MOST`. `progress(number)` is told.
 * A list moves while it is read: what comes twice is counted once, what has changed its state meanwhile is gone.
 */
export async function collect(filter, { signal, progress }) {
  const found = new Map();
  const missing = new Set();
  const started = { stale: false };
  let cursor = null;
  do {
    const view = await ask(address("/v1/tasks", { ...filter, state: FAILED, limit: PAGE, cursor }), { signal });
    for (const task of view.tasks ?? []) if (found.size < MOST && task.state === FAILED) found.set(task.taskId, task);
    for (const partition of view.missingPartitions ?? []) missing.add(partition);
    started.stale ||= Boolean(view.stale);
    cursor = view.next === cursor ? null : view.next;
    progress(found.size);
  } while (cursor && found.size < MOST);
  return { tasks: [...found.values()], more: Boolean(cursor), missingPartitions: [...missing].sort((one, other) => one - other), stale: started.stale };
}

/** A key that no other request has. `randomUUID` is there on secure pages only. */
export function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Send ids. `progress({sent, done})` is told after every group. Stops at the first group that is refused or of which
 * nobody knows, because the next one would fare no better. Returns `{done, unknown, left, problem}`. What is sent again
 * with the same `key` is the same request: nothing is requeued twice.
 */
export async function send(ids, { actor, reason, key, signal, progress }) {
  const url = `${(await config()).apiUrl}/v1/requeues`;
  const done = [];
  for (let begin = 0; begin < ids.length; begin += GROUP) {
    const group = ids.slice(begin, begin + GROUP);
    const started = performance.now();
    if (signal.aborted) return { done, unknown: [], left: ids.slice(begin), problem: null };
    try {
      const answer = await post(url, { taskIds: group, actor, reason }, { key });
      done.push(...(answer.requeues ?? []));
    } catch (problem) {
      if (problem.name !== "Problem") throw problem;
      const sure = problem.status !== 0 && problem.body?.outcome !== "unknown";
      return { done, unknown: sure ? [] : group, left: ids.slice(sure ? begin : begin + group.length), problem };
    }
    progress({ sent: begin + group.length, done: done.length });
    if (begin + GROUP < ids.length) await pause(GROUP_EVERY_MS - (performance.now() - started));
  }
  return { done, unknown: [], left: [], problem: null };
}

/** How many of each type. Most first. */
export function byType(tasks) {
  const found = new Map();
  for (const { type } of tasks) found.set(type ?? "unknown", (found.get(type ?? "unknown") ?? 0) + 1);
  return [...found].sort(([, one], [, other]) => other - one);
}

/** "partition:offset" of a requeue, however the api has written it. */
export function positionOf({ position, partition, offset } = {}) {
  if (typeof position === "string") return position;
  const place = position ?? { partition, offset };
  return Number.isInteger(place?.partition) && Number.isInteger(place?.offset) ? `${place.partition}:${place.offset}` : null;
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}
