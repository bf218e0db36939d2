/* The last few facts, as the stream brings them. Not read aloud: it is for the eye, everything in it is elsewhere too. */

import { taskLink, workerLink } from "../cells.js";
import { h, replace, say } from "../dom.js";
import { count, place } from "../format.js";
import { factLabel } from "../states.js";
import { Table } from "../table.js";
import { when } from "../time.js";

export const FACTS = 8;

const COLUMNS = [
  { label: "Fact", cell: (row) => factLabel(row.fact) },
  { label: "Task", cell: (row) => taskLink(row.taskId) },
  { label: "Type", cell: (row) => String(row.type ?? "–") },
  { label: "Attempt", kind: "number", cell: (row) => String(row.attempt ?? "–") },
  { label: "Worker", cell: (row) => workerLink(row.worker) },
  { label: "Place", cell: (row) => h("code", {}, place(row.partition, row.offset)) },
  { label: "Time", cell: (row) => when(row.at, { millis: true }) },
];

export class Ticker {
  #latest = [];

  constructor() {
    this.table = new Table({ caption: "The last facts", captionHidden: true, columns: COLUMNS, keyOf: (row) => `${row.partition}:${row.offset}` });
    this.said = h("p", { class: "faint" }, "No fact since this page was opened.");
    this.element = h("div", { class: "ticker" }, this.said);
  }

  add({ latest, facts }) {
    if (!latest.length || this.table.busy) return;
    const known = new Set(latest.map(({ partition, offset }) => `${partition}:${offset}`));
    const older = this.#latest.filter(({ partition, offset }) => !known.has(`${partition}:${offset}`));
    this.#latest = [...[...latest].reverse(), ...older].slice(0, FACTS);
    this.table.update(this.#latest);
    if (!this.table.element.isConnected) replace(this.element, this.table.element, this.said);
    say(this.said, facts > FACTS ? `${count(facts)} facts in the last second` : "");
  }
}
