/* Tasks: a list by filter, newest change first, live. What the filter shows and has failed permanently can be requeued. */

import { COLUMNS } from "../cells.js";
import { h, replace } from "../dom.js";
import { Filter, paramsOf } from "../filter.js";
import { emptyList, listing } from "../listing.js";
import { heading } from "../page.js";
import { requeueFiltered } from "../requeue/dialog.js";

const FAILED = "FAILED_PERMANENTLY";

export function open(main, context) {
  context.title("Tasks");
  let params = paramsOf(context.route.query);
  const filter = new Filter(context.signal);
  const requeue = h("button", { type: "button", on: { click: () => requeueFiltered(params) } }, "Requeue what failed…");
  const show = () => {
    const possible = !params.state.length || params.state.includes(FAILED);
    requeue.disabled = !possible;
    requeue.title = possible ? "Shows first how many tasks of this filter have failed permanently" : "This filter shows no task that has failed permanently";
  };
  const list = listing({
    context,
    path: "/v1/tasks",
    field: "tasks",
    parts: "tasks",
    caption: "Tasks by last change, newest first",
    columns: ["task", "state", "type", "attempt", "changed", "worker", "error", "expected", "odd"].map((name) => COLUMNS[name]),
    keyOf: (row) => row.taskId,
    params: () => params,
    empty: emptyList("No task fits this filter", "Facts of tasks that do will show up here by themselves."),
  });
  filter.show(context.route.query);
  show();
  replace(main, heading("Tasks", requeue), filter.element, list.elements);
  return (route) => {
    const paged = route.query.get("cursor") !== params.cursor;
    params = paramsOf(route.query);
    filter.show(route.query);
    show();
    list.again();
    return paged ? "moved" : "kept";
  };
}
