/* Puts the page together: menu, head, and the page that the address names. In: the address. Out: one open page at a time;
   whatever a page had begun is ended when the next one is opened. */

import { href, parse, taskHref, go } from "./router.js";
import { h, replace, say } from "./dom.js";
import { Live } from "./live.js";
import { startPulse } from "./pulse.js";
import { tick, zone } from "./time.js";
import * as anomalies from "./pages/anomalies.js";
import * as failures from "./pages/failures.js";
import * as latencies from "./pages/latencies.js";
import * as lost from "./pages/lost.js";
import * as outages from "./pages/outages.js";
import * as overview from "./pages/overview.js";
import * as retrying from "./pages/retrying.js";
import * as stuck from "./pages/stuck.js";
import * as task from "./pages/task.js";
import * as tasks from "./pages/tasks.js";
import * as workers from "./pages/workers.js";

/** The menu, in order: name in the address, what people read, the module. */
const PAGES = [
  ["overview", "Overview", overview],
  ["tasks", "Tasks", tasks],
  ["failures", "Failures", failures],
  ["stuck", "Stuck", stuck],
  ["retrying", "Retrying now", retrying],
  ["workers", "Workers", workers],
  ["latencies", "Latencies", latencies],
  ["anomalies", "Anomalies", anomalies],
  ["outages", "Outages", outages],
];

const main = document.getElementById("main");
const live = new Live();
/** The open page. Its `change(route)` takes a new address of the same page: "moved" if the reader begins anew at its top. */
let open = null;

function pageOf(route) {
  if (route === null) return { name: "lost", module: lost };
  if (route.name === "tasks" && route.id !== null) return { name: "task", module: task };
  const found = PAGES.find(([name]) => name === route.name);
  return found && route.id === null ? { name: found[0], module: found[2] } : { name: "lost", module: lost };
}

function show({ first = false } = {}) {
  const route = parse(location.hash);
  const { name, module } = pageOf(route);
  closeMenu();
  const changed = open && open.name === name && open.id === route?.id && open.change?.(route);
  if (changed) {
    if (changed === "moved") top();
    return;
  }
  open?.ending.abort();
  const ending = new AbortController();
  const context = { route, live, signal: ending.signal, pulse, title, spoken };
  document.body.dataset.page = name;
  mark(name === "task" ? "tasks" : name);
  const change = module.open(main, context);
  open = { name, id: route?.id, ending, change };
  if (first) scrollTo(0, 0);
  else top();
}

/** To the beginning of the page, with eye and focus. */
function top() {
  scrollTo(0, 0);
  main.querySelector("h1")?.focus({ preventScroll: true });
}

function title(text) {
  document.title = `${text} · streamapp`;
}

function spoken(text) {
  say(document.getElementById("spoken"), text);
}

function mark(name) {
  for (const link of document.querySelectorAll("#menu-list a")) {
    if (link.dataset.name === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function buildMenu() {
  const items = PAGES.map(([name, label]) => {
    const count = h("span", { class: "menu-count", id: `count-${name}`, hidden: true });
    return h("li", {}, h("a", { href: href(name === "overview" ? [] : name), "data-name": name }, h("span", {}, label), count));
  });
  replace(document.getElementById("menu-list"), items);
}

function closeMenu() {
  document.getElementById("menu-button").setAttribute("aria-expanded", "false");
}

function wireHead() {
  const button = document.getElementById("menu-button");
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenu());
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address names the page, not a place within it
    main.focus();
  });
  document.getElementById("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = document.getElementById("find-id");
    if (field.value.trim()) go(taskHref(field.value.trim()));
    field.value = "";
  });
}

const MODES = {
  connecting: ["Connecting", "asking the diary for its stream of facts"],
  live: ["Live", "facts are shown as they happen"],
  polling: ["Every 2 s", "there is no stream of facts now; the diary is asked again and again"],
  paused: ["Paused", "nothing changes until you resume"],
  asleep: ["Asleep", "nobody looks at this page"],
};

function wireLive() {
  const state = document.getElementById("live");
  const pause = document.getElementById("pause");
  const tell = () => {
    const [label, means] = MODES[live.mode];
    state.dataset.mode = live.mode;
    state.title = means;
    say(document.getElementById("live-text"), label);
    say(pause, live.paused ? "Resume" : "Pause");
    pause.setAttribute("aria-pressed", String(live.paused));
  };
  live.addEventListener("mode", tell);
  pause.addEventListener("click", () => (live.paused ? live.resume() : live.pause()));
  tell();
}

buildMenu();
wireHead();
wireLive();
replace(document.getElementById("foot"), h("span", {}, `Times are the broker's, shown in ${zone()}.`), h("span", {}, "Everything here is folded from facts in Kafka."));
live.start();
const pulse = startPulse(live);
addEventListener("hashchange", () => show());
setInterval(() => document.hidden || tick(), 1000);
show({ first: true });
