/* Retrying now: tasks that wait for their next attempt, the next due first. */

import { COLUMNS } from "../cells.js";
import { h, replace } from "../dom.js";
import { emptyList, listing } from "../listing.js";
import { heading } from "../page.js";

export function open(main, context) {
  context.title("Retrying now");
  let cursor = context.route.query.get("cursor");
  const list = listing({
    context,
    path: "/v1/retrying",
    field: "tasks",
    parts: "retrying",
    caption: "Tasks that wait for another attempt, next due first",
    columns: ["task", "due", "state", "type", "attempt", "error", "changed"].map((name) => COLUMNS[name]),
    keyOf: (row) => row.taskId,
    params: () => ({ cursor }),
    everyMs: 5000,
    empty: emptyList("Nothing waits for a retry", "No task has failed and is to be tried again."),
  });
  const lead = h("p", { class: "lead" }, "When an attempt begins is decided by the policy that the task was accepted with, counted from the failure.");
  replace(main, heading("Retrying now"), lead, list.elements);
  return (route) => {
    cursor = route.query.get("cursor");
    list.again();
    return "moved";
  };
}
