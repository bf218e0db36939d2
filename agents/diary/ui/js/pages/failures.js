/* Failures: what fails most often, by type and error. */

import { address, ask } from "../api.js";
import { text } from "../cells.js";
import { meter } from "../chart/bars.js";
import { h, replace } from "../dom.js";
import { count, cut } from "../format.js";
import { nothing } from "../notices.js";
import { heading, Living } from "../page.js";
import { href } from "../router.js";
import { Table } from "../table.js";
import { taskList } from "../task-parts.js";
import { ago } from "../time.js";

function columns(most) {
  return [
    {
      label: "Error",
      cell: (row) => h("a", { class: "error-type", href: href("tasks", { error: row.errorType, type: row.type }) }, cut(String(row.errorType), 80)),
      sign: (row) => [row.errorType, row.type],
    },
    { label: "Type", cell: (row) => text(row.type, 48), sign: (row) => row.type },
    { label: "Failures", kind: "number", cell: (row) => [h("span", {}, count(row.count)), meter(row.count / most(), "failed")], sign: (row) => [row.count, most()] },
    {
      label: "Permanent",
      kind: "number",
      cell: (row) => (row.permanent ? h("a", { href: href("tasks", { state: "FAILED_PERMANENTLY", error: row.errorType, type: row.type }) }, count(row.permanent)) : "0"),
      sign: (row) => row.permanent,
    },
    { label: "First", cell: (row) => ago(row.firstAt), sign: (row) => row.firstAt },
    { label: "Last", cell: (row) => ago(row.lastAt), sign: (row) => row.lastAt },
    { label: "Last message", kind: "wide", cell: (row) => text(row.lastMessage, 140), sign: (row) => row.lastMessage },
    { label: "Examples", kind: "wide", cell: (row) => taskList((row.examples ?? []).slice(0, 5)), sign: (row) => row.examples },
  ];
}

export function open(main, context) {
  context.title("Failures");
  let most = 1;
  const table = new Table({ caption: "Failed attempts by type and error, most frequent first", columns: columns(() => most), keyOf: (row) => JSON.stringify([row.type, row.errorType]) });
  const living = new Living({
    context,
    load: (signal) => ask(address("/v1/failures"), { signal }),
    held: () => table.busy && table.element.isConnected,
    show: ({ failures }) => {
      if (!failures.length) return nothing("No attempt has failed", "Failures show up here by themselves.");
      most = Math.max(...failures.map((row) => row.count));
      table.update(failures);
      return table.element.isConnected ? null : table.element;
    },
  });
  table.onLeft(() => living.refresh.released());
  const lead = h("p", { class: "lead" }, "An error leads to its tasks; the permanent ones can be requeued from there, all at once.");
  replace(main, heading("Failures"), lead, living.elements);
}
