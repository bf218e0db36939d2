/* Outages: did the system behave between two moments? In: from and to, in the reader's zone; in the address they are UTC.
   Out: the diary's report. It is asked for when the form is sent, and not renewed by itself: it is about the past. */

import { address, ask } from "../api.js";
import { taskLink, text } from "../cells.js";
import { freshId, h, replace, say } from "../dom.js";
import { count, counted, duration, words } from "../format.js";
import { failed, limits, loading, notice, nothing } from "../notices.js";
import { heading, panel, tile } from "../page.js";
import { go, href } from "../router.js";
import { still } from "../table.js";
import { clockText, ms, now, stamp } from "../time.js";

const LONGEST_MS = 86_400_000;
const ANSWER_MS = 130_000; // it reads the topic itself
const PRESETS = [["Last 15 minutes", 900_000], ["Last hour", 3_600_000], ["Last day", LONGEST_MS]];
const pad = (number) => String(number).padStart(2, "0");

/** What the field of a form wants: local time, to the second. */
function fieldText(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

export function open(main, context) {
  context.title("Outages");
  const from = h("input", { type: "datetime-local", step: "1", required: true, id: freshId("from") });
  const to = h("input", { type: "datetime-local", step: "1", required: true, id: freshId("to") });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const result = h("div", { class: "body" });
  const presets = PRESETS.map(([label, long]) => h("button", { type: "button", class: "quiet", on: { click: () => ask_(now() - long, now()) } }, label));
  const form = h(
    "form",
    { class: "filter fields" },
    h("div", { class: "field" }, h("label", { for: from.id }, "From"), from),
    h("div", { class: "field" }, h("label", { for: to.id }, "To"), to),
    h("div", { class: "field field-buttons" }, h("button", { type: "submit", class: "primary" }, "Report"), presets),
    wrong,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask_(Date.parse(from.value), Date.parse(to.value));
  });

  function ask_(begin, end) {
    const complaint = complaintOf(begin, end);
    say(wrong, complaint);
    if (complaint) return;
    const there = href("outages", { from: stamp(begin), to: stamp(end) });
    if (there === location.hash) report(begin, end, context, result);
    else go(there);
  }

  function read(query) {
    const [begin, end] = [ms(query.get("from")), ms(query.get("to"))];
    from.value = fieldText(begin ?? now() - 3_600_000);
    to.value = fieldText(end ?? now());
    const asked = begin !== null && end !== null;
    const complaint = asked ? complaintOf(begin, end) : "";
    say(wrong, complaint);
    if (asked && !complaint) report(begin, end, context, result);
    else replace(result, nothing("No time chosen", "Choose when something was wrong, or take one of the spans above. At most one day."));
  }

  const lead = h("p", { class: "lead" }, "What was accepted meanwhile, what waited and how long, what failed, and whether anything is unexplained: from the facts alone.");
  replace(main, heading("Outages"), lead, form, result);
  read(context.route.query);
  return (route) => {
    read(route.query);
    return "kept";
  };
}

function complaintOf(begin, end) {
  if (Number.isNaN(begin) || Number.isNaN(end)) return "Both times are needed.";
  if (end <= begin) return "The end must come after the beginning.";
  return end - begin > LONGEST_MS ? "At most one day can be looked at." : "";
}

let asked = 0;

async function report(begin, end, context, result) {
  const turn = (asked += 1);
  result.setAttribute("aria-busy", "true");
  replace(result, loading());
  const url = address("/v1/outage", { from: stamp(begin), to: stamp(end) });
  let content;
  try {
    const view = await ask(url, { signal: context.signal, timeoutMs: ANSWER_MS });
    content = [limits(view), contentOf(view, begin, end, url)];
    context.spoken(`Report: ${verdictOf(view)[1]}`);
  } catch (problem) {
    if (problem.name !== "Problem") return; // the page was left
    content = failed(problem, () => report(begin, end, context, result));
  }
  if (turn !== asked) return;
  result.removeAttribute("aria-busy");
  replace(result, content);
}

const number = (value) => (Array.isArray(value) ? value.length : Number(value ?? 0));

/** The diary's verdict: its tone, and what it means. */
const VERDICTS = {
  "as-designed": ["good", "As designed", "Whatever was down, nothing is lost and everything is explained."],
  incomplete: ["warn", "Incomplete", "Not every partition was told of: ask again."],
  unexplained: ["bad", "Unexplained", "There are tasks that no failure explains."],
};

function verdictOf({ verdict, unexplained }) {
  return VERDICTS[verdict] ?? [number(unexplained) ? "bad" : "note", words(verdict ?? "no verdict"), ""];
}

function contentOf(view, begin, end, url) {
  const unexplained = number(view.unexplained);
  const waited = view.waited ?? {};
  const tiles = [
    ["Accepted", count(view.accepted)],
    ["Waited", count(waited.count), waited.count ? `half of them ${duration(waited.p50Ms)} or less` : ""],
    ["Longest wait", waited.count ? duration(waited.maxMs) : "–"],
    ["Duplicates suppressed", count(view.duplicatesSuppressed)],
    ["Failed attempts", count(view.failed)],
    ["Failed permanently", count(view.failedPermanently), "", view.failedPermanently ? "warn" : ""],
    ["Anomalies", count(view.anomalies), view.unreadable ? `${count(view.unreadable)} unreadable records` : ""],
    ["Unexplained", count(unexplained), "", unexplained ? "bad" : "good"],
  ].map(([label, value, note = "", tone = ""]) => {
    const one = tile(label);
    one.show(value, note, tone);
    return one.element;
  });
  const findings = view.findings ?? [];
  const [tone, title, means] = verdictOf(view);
  const spanned = `${clockText(begin, { today: 0 })} to ${clockText(end, { today: 0 })}, ${duration(end - begin)}. `;
  const raw = h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, "The report as JSON");
  return [
    notice(tone, title, h("p", {}, means), h("p", {}, spanned, raw)),
    h("div", { class: "tiles" }, tiles),
    panel(`Findings (${findings.length})`, {}, findings.length ? h("ul", { class: "findings" }, findings.map(finding)) : h("p", { class: "faint" }, "Nothing that should not be.")),
    waited.longest?.length ? panel("Waited longest", {}, longest(waited.longest).element) : null,
    Array.isArray(view.unexplained) && unexplained ? panel("Unexplained", {}, h("ul", { class: "ids" }, view.unexplained.slice(0, 100).map((item) => finding(typeof item === "string" ? { taskId: item, text: "" } : item)))) : null,
  ];
}

function longest(rows) {
  return still({
    caption: `${counted(rows.length, "task")} that waited longest before being dispatched`,
    captionHidden: true,
    heads: ["Task", "Attempt", "Waited", "Until"],
    rows: rows.map((row) => [taskLink(row.taskId), String(row.attempt ?? 1), duration(row.waitedMs), row.still ? "it still waits" : "it was dispatched or started"]),
    numeric: [1, 2],
  });
}

/** A finding is a sentence, or an object with one in it and perhaps a task. */
function finding(item) {
  if (typeof item !== "object" || item === null) return h("li", {}, text(item, 400));
  const { taskId, ...rest } = item;
  const said = rest.text ?? rest.reason ?? rest.message ?? Object.entries(rest).map(([name, value]) => `${words(name)}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
  return h("li", {}, taskId ? [taskLink(taskId), " "] : null, text(said, 400));
}
