/* The numbers at the top of the overview. Three of them have a line of the last two minutes. */

import { Spark } from "../chart/spark.js";
import { h } from "../dom.js";
import { count, counted, percent, rate } from "../format.js";
import { tile } from "../page.js";
import { href } from "../router.js";

const RATES = [
  ["accepted", "Accepted", "dispatched"],
  ["completed", "Completed", "completed"],
  ["failed", "Attempts failed", "failed"],
];

export class Tiles {
  #pushedAt = 0;

  constructor() {
    this.rates = RATES.map(([field, label, tone]) => {
      const one = tile(`${label} per second`, { className: "tile-rate" });
      const spark = new Spark(tone);
      one.element.append(spark.element);
      return { field, one, spark };
    });
    this.success = tile("Success rate", { link: href("failures") });
    this.open = tile("Open tasks", { link: href("tasks", { state: ["ACCEPTED", "DISPATCHED", "RUNNING", "FAILED", "RETRY_SCHEDULED"] }) });
    this.stuck = tile("Stuck", { link: href("stuck") });
    this.retrying = tile("Waiting for a retry", { link: href("retrying") });
    this.workers = tile("Workers", { link: href("workers") });
    this.lag = tile("Facts not folded yet");
    this.odd = tile("Anomalies", { link: href("anomalies") });
    const large = [...this.rates.map(({ one }) => one), this.success];
    const small = [this.open, this.workers, this.stuck, this.retrying, this.lag, this.odd];
    this.element = h(
      "div",
      { class: "all-tiles" },
      h("div", { class: "tiles tiles-large" }, large.map(({ element }) => element)),
      h("div", { class: "tiles" }, small.map(({ element }) => element)),
    );
  }

  update(view) {
    const minute = view.lastMinute ?? {};
    const present = performance.now();
    const second = present - this.#pushedAt > 900;
    if (second) this.#pushedAt = present;
    for (const { field, one, spark } of this.rates) {
      const value = view.perSecond?.[field];
      one.show(rate(value), `${count(minute[field] ?? 0)} in the last whole minute`);
      if (second) spark.push(value);
    }
    const permanent = minute.failedPermanently ?? 0;
    this.success.show(percent(view.successRate), permanent ? `${count(permanent)} failed permanently in the last whole minute` : "of what ended in the last 5 minutes", permanent ? "warn" : "");
    this.open.show(count(view.open), `${count(view.states?.COMPLETED ?? 0)} completed in all`);
    this.workers.show(count(view.workers?.seenLastMinute), `seen in the last minute; ${counted(view.workers?.running ?? 0, "task")} running`);
    this.stuck.show(count(view.stuck), view.stuck ? "overdue" : "nothing is overdue", view.stuck ? "warn" : "");
    this.retrying.show(count(view.retrying), "next attempt is due at a stated time");
    const lag = view.lag?.total;
    this.lag.show(count(lag), lag ? "the views are behind by so many" : "the views are up to date", lag > 1000 ? "warn" : "");
    this.odd.show(count(view.anomalies), `${count(view.duplicates)} duplicates suppressed, ${count(view.unreadable)} unreadable`, view.unreadable ? "warn" : "");
  }
}
