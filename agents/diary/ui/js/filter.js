/* The filter of the tasks page: a form on one side, the address on the other. In: an address's query, or what the reader
   ticks and types. Out: the other one. Nothing is remembered anywhere else. */

import { address, ask } from "./api.js";
import { freshId, h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { go, href } from "./router.js";
import { STATES } from "./states.js";

const TEXTS = [
  { name: "type", label: "Type", suggest: "types" },
  { name: "error", label: "Error type", suggest: "errors" },
  { name: "worker", label: "Worker" },
];
const AGES = [
  ["", "Any age"],
  ["young:60", "In the last minute"],
  ["young:3600", "In the last hour"],
  ["young:86400", "In the last day"],
  ["old:60", "More than a minute ago"],
  ["old:3600", "More than an hour ago"],
  ["old:86400", "More than a day ago"],
];
const NUMBER = /^\d{1,9}$/;

/** The parameters of the view that a query stands for. What the view does not know is left out. */
export function paramsOf(query) {
  const number = (name) => (NUMBER.test(query.get(name) ?? "") ? query.get(name) : null);
  return {
    state: query.getAll("state"),
    type: query.get("type"),
    error: query.get("error"),
    worker: query.get("worker"),
    anomaly: query.get("anomaly") === "true" ? "true" : null,
    olderThan: number("olderThan"),
    youngerThan: number("youngerThan"),
    cursor: query.get("cursor"),
  };
}

/** The form. `show(query)` puts a query into it; whatever the reader changes becomes an address. */
export class Filter {
  #extra = [];

  constructor(signal) {
    this.boxes = STATES.map((item) => ({ item, box: h("input", { type: "checkbox", name: "state", value: item.state, id: freshId("state") }) }));
    const states = this.boxes.map(({ item, box }) =>
      h("span", { class: `tick tone-${item.tone}` }, box, h("label", { for: box.id, title: item.means }, icon(item.shape), item.label)),
    );
    this.texts = TEXTS.map((item) => this.#text(item, signal));
    const ageId = freshId("age");
    this.age = h("select", { id: ageId, name: "age" });
    this.anomaly = h("input", { type: "checkbox", name: "anomaly", id: freshId("anomaly") });
    this.element = h(
      "form",
      { class: "filter", "aria-label": "Filter of the list" },
      h("fieldset", { class: "ticks" }, h("legend", {}, "States"), states),
      h(
        "div",
        { class: "fields" },
        this.texts.map(({ label, input, list }) => h("div", { class: "field" }, label, input, list)),
        h("div", { class: "field" }, h("label", { for: ageId }, "Last change"), this.age),
        h("div", { class: "field field-tick" }, this.anomaly, h("label", { for: this.anomaly.id }, "With anomalies")),
        h("div", { class: "field field-buttons" }, h("button", { type: "submit" }, "Apply"), h("a", { class: "button quiet", href: href("tasks") }, "Clear")),
      ),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#apply();
    });
    this.element.addEventListener("change", (event) => event.target.type !== "text" && this.#apply());
  }

  /** Put a query into the form. */
  show(query) {
    const params = paramsOf(query);
    for (const { item, box } of this.boxes) box.checked = params.state.includes(item.state);
    this.#extra = params.state.filter((state) => !STATES.some((item) => item.state === state));
    for (const { name, input } of this.texts) input.value = params[name] ?? "";
    this.anomaly.checked = params.anomaly !== null;
    const age = params.youngerThan ? `young:${params.youngerThan}` : params.olderThan ? `old:${params.olderThan}` : "";
    const own = AGES.some(([value]) => value === age) ? [] : [[age, params.youngerThan ? `In the last ${params.youngerThan} s` : `More than ${params.olderThan} s ago`]];
    replace(this.age, [...AGES, ...own].map(([value, label]) => h("option", { value }, label)));
    this.age.value = age;
  }

  #apply() {
    const [kind, seconds] = this.age.value.split(":");
    const texts = Object.fromEntries(this.texts.map(({ name, input }) => [name, input.value.trim()]));
    go(href("tasks", {
      state: [...this.boxes.filter(({ box }) => box.checked).map(({ item }) => item.state), ...this.#extra],
      ...texts,
      anomaly: this.anomaly.checked ? "true" : null,
      youngerThan: kind === "young" ? seconds : null,
      olderThan: kind === "old" ? seconds : null,
    }));
  }

  #text({ name, label, suggest }, signal) {
    const id = freshId(name);
    const list = suggest ? h("datalist", { id: freshId("known") }) : null;
    const input = h("input", { type: "text", id, name, list: list?.id, autocomplete: "off", spellcheck: "false", maxlength: 200 });
    if (suggest) input.addEventListener("focus", () => suggestions(suggest, list, signal), { once: true });
    return { name, input, list, label: h("label", { for: id }, label) };
  }
}

/** What there is to choose from, asked for when somebody is about to choose. Without an answer people type. */
async function suggestions(kind, list, signal) {
  const names = await known(kind, signal).catch(() => []);
  replace(list, names.map((name) => h("option", { value: name })));
}

async function known(kind, signal) {
  if (kind === "types") return Object.keys((await ask(address("/v1/latencies"), { signal })).byType ?? {}).sort();
  const { failures } = await ask(address("/v1/failures"), { signal });
  return [...new Set(failures.map((failure) => failure.errorType))].sort();
}
