/* Counts of steps as rates. Pure. The last step is still going on: it is divided by what has passed of it, and left out
   while that is too little to say anything. */

import { ms, now } from "../time.js";

const FIELDS = ["accepted", "rejected", "dispatched", "started", "completed", "failed", "retried", "failedPermanently", "requeued", "duplicates"];
const LEAST_SECONDS = 5;

/** Points for a `LineChart`, per second. */
export function perSecond({ series = [], stepSeconds = 60 }, presentMs = now()) {
  return series.flatMap((step, index) => {
    const at = ms(step.at);
    const passed = Math.min(stepSeconds, (presentMs - at) / 1000);
    const seconds = index === series.length - 1 && passed > 0 ? passed : stepSeconds;
    if (seconds < LEAST_SECONDS) return [];
    return [{ at, values: Object.fromEntries(FIELDS.map((field) => [field, (step[field] ?? 0) / seconds])) }];
  });
}
