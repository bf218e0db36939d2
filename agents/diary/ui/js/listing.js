/* A page that is one list of the diary, with a cursor. In: where it comes from and its columns. Out: an open page. Stuck,
   Retrying now and Anomalies are such pages, and so is Tasks below its filter. */

import { address, ask } from "./api.js";
import { pager } from "./cells.js";
import { h, replace, say } from "./dom.js";
import { counted } from "./format.js";
import { notice, nothing } from "./notices.js";
import { Living } from "./page.js";
import { href } from "./router.js";
import { Table } from "./table.js";

export const PAGE_SIZE = 50;
const LEFT_OUT = "Lists hold a bounded number of tasks: those that ended long ago are left out here. Each can be looked up by its id.";

/**
 * The living list: `path` of the view, `field` of the answer, `columns`, `keyOf`, `params()` of the question, `parts` of
 * the page's address, `empty(older)` → what to show when there is nothing, `noun`, `tell(answer)` for who else wants to
 * know. Returns its elements and `again`.
 */
export function listing({ context, path, field, columns, keyOf, caption, params, parts, empty, everyMs, noun = ["task", "tasks"], tell = null }) {
  const table = new Table({ caption, columns, keyOf });
  const foot = h("div", { class: "list-foot" });
  const number = h("p", { class: "faint list-count" });
  const held = h("p", { class: "faint held" });
  const content = [number, table.element, foot, held];
  const living = new Living({
    context,
    load: (signal) => ask(address(path, { limit: PAGE_SIZE, ...params() }), { signal }),
    everyMs,
    held: () => {
      const busy = table.busy && table.element.isConnected;
      say(held, busy ? "Held while you read. It goes on when you leave the table." : "");
      return busy || Boolean(params().cursor);
    },
    show: (answer) => {
      const rows = answer[field] ?? [];
      tell?.(answer);
      if (!rows.length) return answer.next ? further(parts, params(), answer) : empty(Boolean(params().cursor));
      table.update(rows);
      say(number, count(rows.length, answer.next, params().cursor, noun));
      replace(foot, answer.complete === false ? h("p", { class: "faint" }, LEFT_OUT) : null, pager(parts, params(), answer));
      return number.isConnected ? null : content;
    },
  });
  table.onLeft(() => {
    say(held, "");
    living.refresh.released();
  });
  return { elements: living.elements, again: () => living.again(), table };
}

/** The diary goes through so many tasks for one answer; with a narrow filter it may have found none among them. */
function further(parts, params, answer) {
  const link = h("a", { class: "button", href: href(parts, { ...params, cursor: answer.next }) }, "Look further");
  return notice("note", "None so far", h("p", {}, "The list is long, and was gone through in part."), link);
}

function count(shown, next, cursor, noun) {
  if (cursor) return `${counted(shown, ...noun)} on this page. Pages after the first stand still.`;
  return next ? `The first ${counted(shown, ...noun)}; there are more` : counted(shown, ...noun);
}

/** What most lists say when there is nothing to list. */
export function emptyList(title, detail) {
  return (older) => (older ? nothing("Nothing more", "The list ends before this page.") : nothing(title, detail));
}
