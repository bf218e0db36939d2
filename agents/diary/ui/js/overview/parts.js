/* Parts of the overview below its charts: tasks by state, latency, lag. Each takes an answer and updates in place. */

import { BarList } from "../chart/bars.js";
import { h, replace } from "../dom.js";
import { atMost, count } from "../format.js";
import { MEASURES } from "../pages/latencies.js";
import { href } from "../router.js";
import { badge, STATES, stateOf } from "../states.js";
import { Table } from "../table.js";

/** Open tasks and ended ones apart: beside all that was ever completed, what is open now would not be seen. */
export class StateBars {
  constructor() {
    this.open = new BarList("Open tasks by state");
    this.ended = new BarList("Ended tasks by state");
    this.element = h("div", {}, h("h3", {}, "Open"), this.open.element, h("h3", {}, "Ended"), this.ended.element);
  }

  update(states) {
    const names = [...new Set([...STATES.map(({ state }) => state), ...Object.keys(states)])];
    const shown = names.filter((state) => states[state] || !["UNKNOWN", "REJECTED"].includes(state));
    const bars = (open) => shown.filter((state) => stateOf(state).open === open).map((state) => bar(state, states[state] ?? 0));
    this.open.update(bars(true));
    this.ended.update(bars(false));
  }
}

function bar(state, value) {
  return { name: badge(state), sign: state, value, tone: stateOf(state).tone, link: href("tasks", { state }) };
}

export class LatencyTable {
  constructor() {
    this.table = new Table({
      caption: "Median, 95 and 99 per cent of the last 5 minutes",
      captionHidden: true,
      keyOf: (row) => row.field,
      columns: [
        { label: "Measure", cell: (row) => h("span", { title: row.means }, row.label), sign: () => null },
        { label: "Median", kind: "number", cell: (row) => atMost(row.p50, row.count), sign: (row) => [row.p50, row.count > 0] },
        { label: "95 %", kind: "number", cell: (row) => atMost(row.p95, row.count), sign: (row) => [row.p95, row.count > 0] },
        { label: "99 %", kind: "number", cell: (row) => atMost(row.p99, row.count), sign: (row) => [row.p99, row.count > 0] },
        { label: "Measured", kind: "number", cell: (row) => count(row.count ?? 0), sign: (row) => row.count },
      ],
    });
    this.element = this.table.element;
  }

  update(latencies) {
    this.table.update(MEASURES.map(([field, label, means]) => ({ field, label, means, ...latencies[field] })));
  }
}

export class LagBars {
  constructor() {
    this.list = new BarList("Facts not folded yet, by partition");
    this.said = h("p", { class: "faint" });
    this.element = h("div", {}, this.list.element, this.said);
  }

  update({ byPartition = {}, total = 0 }) {
    this.list.update(Object.entries(byPartition).map(([partition, facts]) => ({ name: `Partition ${partition}`, sign: partition, value: facts, tone: facts ? "retry" : "unknown" })));
    replace(this.said, total ? null : "Every fact is folded into the views.");
  }
}
