/* A table that is updated in place: rows keep their nodes as long as they mean the same thing, so that a focus stays where
   it is and nothing flickers. In: columns once, rows again and again. Out: one element. On a narrow screen a row becomes
   a card (css/tables.css); the roles are written out, because a browser forgets a table's nature with its layout. */

import { freshId, h, replace } from "./dom.js";

/**
 * A column: `label`, `cell(row)` → node or text, `sign(row)` → what the cell depends on (default: all of the row),
 * `kind`: number, wide, action, id, name.
 */
export class Table {
  #rows = new Map();
  #captionId = freshId("caption");

  constructor({ caption, columns, keyOf, captionHidden = false }) {
    this.columns = columns;
    this.keyOf = keyOf;
    this.body = h("tbody", { role: "rowgroup" });
    this.caption = h("caption", { id: this.#captionId, class: captionHidden ? "unseen" : null }, caption);
    const heads = columns.map((column) =>
      h("th", { scope: "col", role: "columnheader", class: kindClass(column) }, column.label || h("span", { class: "unseen" }, "Actions")),
    );
    const head = h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads));
    this.table = h("table", { role: "table" }, this.caption, head, this.body);
    this.element = h("div", { class: "scroller", role: "region", "aria-labelledby": this.#captionId, tabindex: "0" }, this.table);
  }

  /** Show exactly these rows, in this order. */
  update(rows) {
    const focused = document.activeElement;
    const kept = new Map();
    rows.forEach((row, index) => {
      const line = this.#line(row, index);
      kept.set(line.key, line);
      if (this.body.children[index] !== line.element) this.body.insertBefore(line.element, this.body.children[index] ?? null);
    });
    while (this.body.children.length > rows.length) this.body.lastElementChild.remove();
    this.#rows = kept;
    if (focused !== document.activeElement && this.body.contains(focused)) focused.focus({ preventScroll: true });
  }

  /** Whether the reader is in it, with the pointer or the keyboard: then it should not move. */
  get busy() {
    return this.body.matches(":hover") || this.body.contains(document.activeElement);
  }

  /** Tell `listener` when the reader has left it. */
  onLeft(listener) {
    for (const event of ["pointerleave", "focusout"]) {
      this.body.addEventListener(event, () => setTimeout(() => !this.busy && listener(), 0));
    }
  }

  #line(row, index) {
    const key = this.keyOf(row, index);
    const line = this.#rows.get(key) ?? this.#newLine(key);
    this.columns.forEach((column, number) => {
      const sign = JSON.stringify(column.sign ? column.sign(row) : row);
      if (line.signs[number] === sign) return;
      line.signs[number] = sign;
      replace(line.cells[number], column.cell(row));
    });
    return line;
  }

  #newLine(key) {
    const cells = this.columns.map((column, number) => {
      const attributes = { role: number ? "cell" : "rowheader", class: kindClass(column), "data-label": column.label };
      return number ? h("td", attributes) : h("th", { ...attributes, scope: "row" });
    });
    return { key, cells, signs: [], element: h("tr", { role: "row" }, cells) };
  }
}

function kindClass({ kind }) {
  return kind ? `cell-${kind}` : null;
}

/** A table that is made once and stays as it is: `rows` of cells. */
export function still({ caption, heads, rows, captionHidden = false, numeric = [] }) {
  const columns = heads.map((label, index) => ({
    label,
    cell: (row) => row[index],
    sign: () => null,
    kind: numeric.includes(index) ? "number" : null,
  }));
  const table = new Table({ caption, columns, keyOf: (_, index) => index, captionHidden });
  table.update(rows);
  return table;
}
