/* Workers: who does how much, how much of it fails, and what each is at. From facts alone: a worker that does nothing says
   nothing, so it is last seen when it last did something. */

import { address, ask } from "../api.js";
import { none, taskLink, workerLink } from "../cells.js";
import { meter } from "../chart/bars.js";
import { h, replace } from "../dom.js";
import { count, percent, rate } from "../format.js";
import { nothing } from "../notices.js";
import { heading, Living } from "../page.js";
import { Table } from "../table.js";
import { ago, when } from "../time.js";

const RUNNING_SHOWN = 6;

const COLUMNS = [
  { label: "Worker", cell: (row) => workerLink(row.worker), sign: (row) => row.worker },
  { label: "Last seen", cell: (row) => ago(row.lastSeenAt), sign: (row) => row.lastSeenAt },
  { label: "First seen", cell: (row) => when(row.firstSeenAt), sign: (row) => row.firstSeenAt },
  { label: "Per minute", kind: "number", cell: (row) => rate(row.perMinute), sign: (row) => row.perMinute },
  { label: "Started", kind: "number", cell: (row) => count(row.started), sign: (row) => row.started },
  { label: "Completed", kind: "number", cell: (row) => count(row.completed), sign: (row) => row.completed },
  { label: "Failed", kind: "number", cell: (row) => count(row.failed), sign: (row) => row.failed },
  { label: "Failure rate", kind: "number", cell: (row) => [h("span", {}, percent(row.failureRate)), meter(row.failureRate, "failed")], sign: (row) => row.failureRate },
  { label: "Runs now", kind: "wide", cell: (row) => running(row.running ?? []), sign: (row) => row.running },
];

function running(jobs) {
  if (!jobs.length) return none();
  const items = jobs.slice(0, RUNNING_SHOWN).map((job) =>
    h("li", {}, taskLink(job.taskId), h("span", { class: "faint" }, ` attempt ${job.attempt}, since `), ago(job.since)),
  );
  const more = jobs.length > RUNNING_SHOWN ? h("li", { class: "faint" }, `and ${jobs.length - RUNNING_SHOWN} more`) : null;
  return h("ul", { class: "plain" }, items, more);
}

export function open(main, context) {
  context.title("Workers");
  const table = new Table({ caption: "Workers, last seen first", columns: COLUMNS, keyOf: (row) => row.worker });
  const living = new Living({
    context,
    load: (signal) => ask(address("/v1/workers"), { signal }),
    held: () => table.busy && table.element.isConnected,
    everyMs: 5000,
    show: ({ workers }) => {
      if (!workers.length) return nothing("No worker has been seen", "A worker shows up with the first task it starts.");
      table.update(workers);
      return table.element.isConnected ? null : table.element;
    },
  });
  table.onLeft(() => living.refresh.released());
  const lead = h("p", { class: "lead" }, "As the facts tell it. Which workers are registered at this moment is said by ", h("code", {}, "streamapp workers --live"), ".");
  replace(main, heading("Workers"), lead, living.elements);
}
