/* Latencies: how long tasks wait, run, and take from end to end, over a window and by type. */

import { address, ask } from "../api.js";
import { histogram } from "../chart/bars.js";
import { freshId, h, replace } from "../dom.js";
import { atMost, count, DASH, duration } from "../format.js";
import { nothing } from "../notices.js";
import { heading, Living, panel } from "../page.js";
import { go, href } from "../router.js";
import { still } from "../table.js";

/** What is measured: field of the answer, name, what it means. */
export const MEASURES = [
  ["dispatch", "Dispatch", "from accepted, or due, to dispatched"],
  ["execution", "Execution", "the handler's own time"],
  ["endToEnd", "End to end", "from accepted to completed"],
];
const WINDOWS = [["5", "Last 5 minutes"], ["60", "Last hour"], ["1440", "Last day"], ["", "For ever"]];

/** "≤ 20 ms" and so on: median, 95 and 99 per cent, number, mean. */
export function quantiles(of) {
  const mean = of?.count ? duration(of.sumMs / of.count) : DASH;
  return [atMost(of?.p50, of?.count), atMost(of?.p95, of?.count), atMost(of?.p99, of?.count), mean, count(of?.count ?? 0)];
}

export function open(main, context) {
  context.title("Latencies");
  let minutes = context.route.query.get("window") ?? "";
  const id = freshId("window");
  const choice = h("select", { id, on: { change: (event) => go(href("latencies", { window: event.target.value })) } }, WINDOWS.map(([value, label]) => h("option", { value }, label)));
  choice.value = minutes;
  let drawn = "";
  const living = new Living({
    context,
    load: (signal) => ask(address("/v1/latencies", { window: minutes }), { signal }),
    everyMs: 15_000,
    concerns: () => false, // numbers of minutes need not move every second
    show: (view, fresh) => {
      const sign = JSON.stringify(MEASURES.map(([field]) => view[field]).concat(view.byType ?? null));
      if (!fresh && sign === drawn) return null;
      drawn = sign;
      return content(view);
    },
  });
  replace(main, heading("Latencies", h("label", { for: id }, "Window"), choice), living.elements);
  return (route) => {
    minutes = route.query.get("window") ?? "";
    choice.value = minutes;
    living.again();
    return "kept";
  };
}

function content(view) {
  if (!MEASURES.some(([field]) => view[field]?.count)) return nothing("Nothing measured in this window", "No task was dispatched or has ended in it.");
  const pictures = MEASURES.map(([field, label, means]) => {
    const of = view[field] ?? {};
    const [p50, p95, p99, mean, number] = quantiles(of);
    const said = h("p", { class: "quantiles" }, [["Median", p50], ["95 %", p95], ["99 %", p99], ["Mean", mean], ["Measured", number]].map(([name, value]) => h("span", {}, h("span", { class: "faint" }, `${name} `), h("b", {}, value))));
    return panel(label, {}, h("p", { class: "faint" }, means), said, histogram(label, of));
  });
  return [h("div", { class: "thirds" }, pictures), panel("By type", {}, byType(view.byType ?? {}).element)];
}

function byType(types) {
  const rows = Object.entries(types)
    .sort(([, one], [, other]) => (other.endToEnd?.count ?? 0) - (one.endToEnd?.count ?? 0))
    .flatMap(([type, measures]) => MEASURES.map(([field, label]) => [h("a", { href: href("tasks", { type }) }, type), label, ...quantiles(measures[field])]));
  const heads = ["Type", "Measure", "Median", "95 %", "99 %", "Mean", "Measured"];
  return still({ caption: "Latencies by type", captionHidden: true, heads, rows, numeric: [2, 3, 4, 5, 6] });
}
