/* Overview: how the system does at this moment and in the last hours. In: the overview once a second while facts come,
   the rates by minute now and then. Out: numbers, lines, bars; redrawn at most once a second, in place. */

import { address, ask } from "../api.js";
import { LineChart } from "../chart/line.js";
import { h, replace } from "../dom.js";
import { limits } from "../notices.js";
import { heading, Living, panel } from "../page.js";
import { href } from "../router.js";
import { FACTS, Ticker } from "../overview/ticker.js";
import { LagBars, LatencyTable, StateBars } from "../overview/parts.js";
import { Tiles } from "../overview/tiles.js";
import { Warnings } from "../overview/warnings.js";
import { perSecond } from "../overview/rates.js";

const WINDOWS = [["60", "1 h"], ["360", "6 h"], ["1440", "24 h"]];
const RATES_EVERY_MS = 5000;

const FLOW = [
  { key: "accepted", label: "Accepted", tone: "dispatched", dash: "7 3" },
  { key: "dispatched", label: "Dispatched", tone: "running", dash: "2 3" },
  { key: "completed", label: "Completed", tone: "completed" },
];
const TROUBLE = [
  { key: "failed", label: "Attempts failed", tone: "failed" },
  { key: "retried", label: "Retries scheduled", tone: "retry", dash: "7 3" },
  { key: "failedPermanently", label: "Failed permanently", tone: "permanent", dash: "2 3" },
  { key: "rejected", label: "Rejected", tone: "rejected", dash: "1 4" },
];

export function open(main, context) {
  context.title("Overview");
  const page = new Overview(context);
  replace(main, page.elements);
  return (route) => {
    page.choose(route.query.get("window"));
    return "kept";
  };
}

class Overview {
  #window = "60";
  #ratesAt = -Infinity;

  constructor(context) {
    this.context = context;
    this.warnings = new Warnings();
    this.tiles = new Tiles();
    this.flow = new LineChart({ title: "Tasks", series: FLOW, unit: "per second" });
    this.trouble = new LineChart({ title: "Failures", series: TROUBLE, unit: "per second" });
    this.states = new StateBars();
    this.latency = new LatencyTable();
    this.lag = new LagBars();
    this.ticker = new Ticker();
    this.choices = WINDOWS.map(([minutes, label]) => h("a", { class: "choice", href: href([], { window: minutes }), "data-minutes": minutes }, label));
    this.ratesSaid = h("div", { class: "said" });
    this.content = this.#content();
    this.#choose(context.route.query.get("window"));
    const unlisten = context.live.listen((heap) => this.ticker.add(heap));
    context.signal.addEventListener("abort", unlisten);
    this.living = new Living({
      context,
      load: (signal) => this.#load(signal),
      everyMs: 2000,
      show: (answers) => this.#show(answers),
    });
  }

  get elements() {
    return [heading("Overview"), this.warnings.element, ...this.living.elements];
  }

  /** Another window of the charts. */
  choose(minutes) {
    this.#choose(minutes);
    this.living.now();
  }

  #choose(minutes) {
    this.#window = WINDOWS.some(([known]) => known === minutes) ? minutes : "60";
    this.#ratesAt = -Infinity;
    for (const link of this.choices) {
      if (link.dataset.minutes === this.#window) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  #content() {
    const choices = h("div", { class: "choices", role: "group", "aria-label": "Span of the charts" }, this.choices);
    return [
      this.tiles.element,
      this.ratesSaid,
      h("div", { class: "halves" }, panel("Throughput", { aside: choices }, this.flow.element), panel("Failures and retries", {}, this.trouble.element)),
      h(
        "div",
        { class: "thirds" },
        panel("Tasks by state", {}, this.states.element),
        panel("Latency, last 5 minutes", { aside: h("a", { href: href("latencies") }, "More") }, this.latency.element),
        panel("Lag by partition", {}, this.lag.element),
      ),
      panel("Latest facts", { aside: h("span", { class: "faint" }, `the last ${FACTS}, as they come`) }, this.ticker.element),
    ];
  }

  /** The overview always; the rates only now and then, and their failure is not the overview's. */
  async #load(signal) {
    const due = performance.now() - this.#ratesAt >= RATES_EVERY_MS;
    const asked = [ask(address("/v1/overview"), { signal })];
    if (due) asked.push(ask(address("/v1/rates", { window: this.#window }), { signal }).catch((problem) => ({ problem })));
    const [overview, rates = null] = await Promise.all(asked);
    if (due) this.#ratesAt = performance.now();
    return { ...overview, rates };
  }

  #show({ rates, ...overview }) {
    this.context.pulse(overview);
    this.warnings.update(overview.warnings ?? []);
    this.tiles.update(overview);
    this.states.update(overview.states ?? {});
    this.latency.update(overview.latencies ?? {});
    this.lag.update(overview.lag ?? {});
    if (rates) this.#showRates(rates);
    return this.tiles.element.isConnected ? null : this.content;
  }

  #showRates(rates) {
    replace(this.ratesSaid, rates.problem ? h("p", { class: "faint" }, `The charts are not renewed: ${rates.problem.detail}`) : limits({ ...rates, stale: false }));
    if (rates.problem) return;
    const points = perSecond(rates);
    this.flow.update(points);
    this.trouble.update(points);
  }
}
