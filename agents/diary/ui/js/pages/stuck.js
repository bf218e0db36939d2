/* Stuck: open tasks for which something was expected by a time that has passed. */

import { COLUMNS } from "../cells.js";
import { h, replace } from "../dom.js";
import { emptyList, listing } from "../listing.js";
import { heading } from "../page.js";

export function open(main, context) {
  context.title("Stuck");
  let cursor = context.route.query.get("cursor");
  const list = listing({
    context,
    path: "/v1/stuck",
    field: "tasks",
    parts: "stuck",
    caption: "Open tasks that are overdue",
    columns: ["task", "state", "type", "attempt", "since", "why", "expected", "worker"].map((name) => COLUMNS[name]),
    keyOf: (row) => row.taskId,
    params: () => ({ cursor }),
    everyMs: 5000,
    empty: emptyList("Nothing is stuck", "Whatever is expected of an open task is expected for later."),
  });
  const lead = h("p", { class: "lead" }, "Every open state has an expected end. Dispatch acts on these tasks by itself as soon as the facts allow it; what stays here for long needs a person.");
  replace(main, heading("Stuck"), lead, list.elements);
  return (route) => {
    cursor = route.query.get("cursor");
    list.again();
    return "moved";
  };
}
