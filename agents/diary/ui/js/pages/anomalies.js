/* Anomalies: facts that contradict what was known of their task, and records of the diary that are no facts at all. */

import { address, ask } from "../api.js";
import { taskLink, text } from "../cells.js";
import { h, replace } from "../dom.js";
import { place } from "../format.js";
import { emptyList, listing } from "../listing.js";
import { nothing } from "../notices.js";
import { heading, Living, panel } from "../page.js";
import { factLabel } from "../states.js";
import { Table } from "../table.js";
import { when } from "../time.js";

const COLUMNS = [
  { label: "Task", cell: (row) => taskLink(row.taskId) },
  { label: "Fact", cell: (row) => factLabel(row.fact) },
  { label: "Reason", kind: "wide", cell: (row) => text(row.reason) },
  { label: "Type", cell: (row) => text(row.type, 48) },
  { label: "Place", cell: (row) => h("code", {}, place(row.partition, row.offset)) },
  { label: "Time", cell: (row) => when(row.at) },
];

const UNREADABLE = [
  { label: "Place", cell: (row) => h("code", {}, place(row.partition, row.offset)) },
  { label: "Reason", kind: "wide", cell: (row) => text(row.reason) },
  { label: "Time", cell: (row) => when(row.at) },
];

export function open(main, context) {
  context.title("Anomalies");
  let cursor = context.route.query.get("cursor");
  const list = listing({
    context,
    path: "/v1/anomalies",
    field: "anomalies",
    parts: "anomalies",
    noun: ["anomaly", "anomalies"],
    caption: "Facts that contradict their task, newest first",
    columns: COLUMNS,
    keyOf: (row) => `${row.partition}:${row.offset}`,
    params: () => ({ cursor }),
    empty: emptyList("No anomaly", "Every fact fits what was known of its task."),
  });
  const lead = h("p", { class: "lead" }, "Conflicting facts are kept and marked. The first end that counts is final; nothing listed here has changed it.");
  replace(main, heading("Anomalies"), lead, list.elements, panel("Records that are no facts", {}, unreadable(context)));
  return (route) => {
    cursor = route.query.get("cursor");
    list.again();
    return "moved";
  };
}

function unreadable(context) {
  const table = new Table({ caption: "The latest records of the diary's topic that could not be read", columns: UNREADABLE, keyOf: (row) => `${row.partition}:${row.offset}` });
  const living = new Living({
    context,
    load: (signal) => ask(address("/v1/unreadable"), { signal }),
    held: () => table.busy,
    everyMs: 15_000,
    show: ({ records }) => {
      if (!records.length) return nothing("Every record could be read");
      table.update(records);
      return table.element.isConnected ? null : table.element;
    },
  });
  table.onLeft(() => living.refresh.released());
  return living.elements;
}
