/* Task: everything the diary knows of one task. In: its id, and perhaps a moment (`at`) as of which it is shown. Out: what
   it is, its life as a picture, every attempt, every fact with its place, what is odd, what is expected, and JSON. */

import { ask, taskAddress } from "../api.js";
import { h, replace, say } from "../dom.js";
import { cut } from "../format.js";
import { renew } from "../json.js";
import { notice } from "../notices.js";
import { heading, Living, panel } from "../page.js";
import { go, taskHref } from "../router.js";
import { positionOf } from "../requeue/bulk.js";
import { requeueOne } from "../requeue/dialog.js";
import { LifePicture } from "../timeline/picture.js";
import { clockText, ms, now } from "../time.js";
import { anomalyTable, attemptTable, factTable, Facts } from "../task-parts.js";

const ENDED = new Set(["COMPLETED", "FAILED_PERMANENTLY", "REJECTED"]);

export function open(main, context) {
  const { id } = context.route;
  const page = new TaskPage(context, id, context.route.query.get("at"));
  context.title(cut(id, 60));
  replace(main, page.elements);
  return (route) => {
    page.moment(route.query.get("at"));
    return "moved";
  };
}

class TaskPage {
  #at;
  #after = null;
  #state = null;

  constructor(context, id, at) {
    this.id = id;
    this.#at = at;
    this.requeue = h("button", { type: "button", hidden: true, on: { click: () => requeueOne({ taskId: id, type: this.type }, (done) => this.#requeued(done)) } }, "Requeue…");
    this.heading = heading(h("span", { class: "id" }, cut(id, 200)), this.requeue);
    this.moment_ = h("div");
    this.summary = new Facts();
    this.picture = new LifePicture();
    this.attempts = attemptTable();
    this.odd = anomalyTable();
    this.lifePanel = panel("Life", {}, this.picture.element);
    this.attemptPanel = panel("Attempts", {}, this.attempts.element);
    this.oddPanel = panel("Anomalies", {}, this.odd.element);
    this.facts = factTable(id);
    this.dropped = h("p", { class: "faint" });
    this.json = Object.fromEntries(["payload", "result", "all"].map((name) => [name, { element: h("div"), sign: "" }]));
    this.content = [
      this.summary.element,
      this.lifePanel,
      this.attemptPanel,
      this.oddPanel,
      panel("Facts", {}, this.facts.element, this.dropped),
      panel("Content", {}, this.json.payload.element, this.json.result.element, this.json.all.element),
    ];
    this.living = new Living({
      context,
      load: (signal) => ask(this.#address(), { signal }),
      everyMs: 5000,
      held: () => this.#at !== null || this.facts.busy,
      concerns: (heap) => heap.missed || heap.ids.has(id),
      show: (task) => this.#show(task),
    });
    this.facts.onLeft(() => this.living.refresh.released());
    this.#tellMoment();
    const drawn = setInterval(() => !document.hidden && !context.live.paused && this.#redraw(), 1000);
    context.signal.addEventListener("abort", () => clearInterval(drawn));
  }

  get elements() {
    return [this.heading, this.moment_, ...this.living.elements];
  }

  /** Show it as of another moment; null is now. */
  moment(at) {
    this.#at = at;
    this.#tellMoment();
    this.living.again();
  }

  #address() {
    return taskAddress(this.id, { at: this.#at, min_position: this.#at === null ? this.#after : null });
  }

  #show(task) {
    this.type = task.type;
    this.task = task;
    this.#state = task.state;
    this.#after = null;
    this.requeue.hidden = task.state !== "FAILED_PERMANENTLY" || this.#at !== null;
    this.summary.update(task);
    this.picture.update(task, this.#present(task));
    this.attempts.update(task.attempts ?? []);
    this.odd.update(task.anomalies ?? []);
    this.lifePanel.hidden = task.state === "REJECTED";
    this.attemptPanel.hidden = !task.attempts?.length;
    this.oddPanel.hidden = !task.anomalies?.length;
    this.facts.update(withPlaces(task));
    say(this.dropped, task.factsNotKept ? `${task.factsNotKept} further facts are in Kafka and are not kept here.` : "");
    const raw = taskAddress(this.id, { at: this.#at });
    renew(this.json.payload, "Payload", task.payload, raw);
    renew(this.json.result, "Result", task.result, raw);
    this.json.result.element.hidden = task.result === null || task.result === undefined;
    renew(this.json.all, "All of it as JSON", task, raw);
    return this.summary.element.isConnected ? null : this.content;
  }

  #present(task) {
    const facts = task.facts ?? [];
    return this.#at === null || !facts.length ? now() : ms(facts.at(-1).at);
  }

  /** While it runs, its life grows. */
  #redraw() {
    if (this.task && this.#at === null && !ENDED.has(this.#state)) this.picture.update(this.task, now());
  }

  #tellMoment() {
    if (this.#at === null) {
      replace(this.moment_);
      return;
    }
    const place = /^\d+:\d+$/.test(this.#at) ? `up to the fact at [${this.#at.replace(":", "]@")}` : `as of ${clockText(ms(this.#at) ?? 0, { millis: true, today: 0 })}`;
    replace(this.moment_, notice("note", `This is the past: the task ${place}`, h("a", { href: taskHref(this.id) }, "Show it as it is now")));
  }

  #requeued(done) {
    this.#after = positionOf(done[0] ?? {});
    if (this.#at !== null) go(taskHref(this.id));
    else this.living.now();
  }
}

/** Facts newest last, each with how long after the first it came. */
function withPlaces(task) {
  const facts = task.facts ?? [];
  const first = facts.length ? ms(facts[0].at) : 0;
  const odd = new Map((task.anomalies ?? []).map((anomaly) => [anomaly.offset, anomaly.reason]));
  return facts.map((fact, index) => ({ ...fact, number: index + 1, after: ms(fact.at) - first, odd: odd.get(fact.offset) ?? null }));
}
