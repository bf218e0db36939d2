/* What is worth knowing on every page: warnings, and how many tasks are stuck or wait for a retry. In: the overview's
   answer, asked for here every ten seconds or handed in by the overview itself. Out: numbers in the menu, the alarm in
   the head, and warnings spoken once. */

import { address, ask } from "./api.js";
import { say } from "./dom.js";
import { counted } from "./format.js";
import { Refresh } from "./refresh.js";

const EVERY_MS = 10_000;
const COUNTS = { stuck: "stuck", retrying: "retrying", anomalies: "anomalies" };

/** Starts to watch. Returns what the overview calls with answers of its own. */
export function startPulse(live) {
  const show = (overview) => {
    for (const [page, field] of Object.entries(COUNTS)) number(page, overview[field] ?? 0);
    alarm(overview.warnings ?? []);
  };
  const refresh = new Refresh({
    load: (signal) => ask(address("/v1/overview"), { signal }),
    show,
    fail: () => alarm([]), // the page itself says that nobody answers
    signal: new AbortController().signal,
    everyMs: EVERY_MS,
    held: () => live.paused || document.body.dataset.page === "overview",
  });
  refresh.wanted();
  setInterval(() => refresh.released(), EVERY_MS);
  return show;
}

function number(page, value) {
  const badge = document.getElementById(`count-${page}`);
  if (badge === null) return;
  say(badge, value ? String(value) : "");
  badge.hidden = !value;
}

let spoken = new Set();

function alarm(warnings) {
  const head = document.getElementById("alarm");
  head.hidden = warnings.length === 0;
  say(head, warnings.length ? counted(warnings.length, "warning") : "");
  const fresh = warnings.filter((warning) => !spoken.has(warning.slug));
  if (fresh.length) say(document.getElementById("alarms-spoken"), fresh.map((warning) => warning.text).join(". "));
  spoken = new Set(warnings.map((warning) => warning.slug));
}
