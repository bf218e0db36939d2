/* What happens, as it happens. In: the diary's server-sent events. Out: at most one call a second to each listener with
   what came since the last, drawn together. Where there is no stream, listeners are called every two seconds instead, to
   ask for themselves. A page that nobody looks at listens to nothing. */

import { address } from "./api.js";

const EVERY_MS = 1000;
const POLL_MS = 2000;
const AGAIN_MS = 10_000;
const SILENT_MS = 60_000;
const OPENING_MS = 8000;
const LATEST = 12;
const MOST_IDS = 5000;

/** One connection for the whole page. `mode`: connecting, live, polling, paused, asleep. */
export class Live extends EventTarget {
  #source = null;
  #listeners = new Set();
  #heap = emptyHeap();
  #due = null;
  #poll = null;
  #again = null;
  #heardAt = 0;
  #connectedAt = 0;
  #lastAt = 0;
  mode = "connecting";
  paused = false;

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#sleep() : this.#wake()));
    addEventListener("pagehide", () => this.#close());
    setInterval(() => this.#watch(), EVERY_MS);
    if (document.hidden) this.#mode("asleep");
    else this.#connect();
  }

  /** Call `listener` with what came. Returns what ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pause() {
    this.paused = true;
    this.#close();
    this.#mode("paused");
  }

  resume() {
    this.paused = false;
    this.#wake();
  }

  #wake() {
    if (this.paused) return;
    this.#connect();
    this.#heap.missed = true;
    this.#soon();
  }

  #sleep() {
    if (this.paused) return;
    this.#close();
    this.#mode("asleep");
  }

  /** Open a stream in place of the one there was. Polling, if it had to be taken up, goes on until this one is open. */
  #connect() {
    this.#source?.close();
    clearTimeout(this.#again);
    if (this.mode !== "polling" && this.mode !== "live") this.#mode("connecting");
    this.#connectedAt = performance.now();
    const source = (this.#source = new EventSource(address("/v1/events/stream")));
    source.addEventListener("open", () => this.#opened());
    source.addEventListener("fact", (event) => this.#fact(event));
    source.addEventListener("skipped", (event) => this.#skipped(event));
    source.addEventListener("gap", () => this.#missed());
    source.addEventListener("error", () => this.#lost(source));
  }

  #opened() {
    clearInterval(this.#poll);
    this.#poll = null;
    this.#heardAt = performance.now();
    this.#mode("live");
    this.#missed(); // whatever came while nobody listened
  }

  #lost(source) {
    if (source !== this.#source) return;
    this.#poll ??= setInterval(() => this.#missed(), POLL_MS);
    this.#mode("polling");
    if (source.readyState === EventSource.CLOSED) this.#reconnectLater(); // it gives up by itself on an answer that is no stream
  }

  #reconnectLater() {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#connect(), AGAIN_MS);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    clearInterval(this.#poll);
    this.#poll = null;
    clearTimeout(this.#again);
  }

  /** A connection that is half dead says nothing, and looks like a system in which nothing happens: it is renewed. */
  #watch() {
    const source = this.#source;
    if (source === null) return;
    const present = performance.now();
    if (source.readyState === EventSource.OPEN && present - this.#heardAt > SILENT_MS) this.#connect();
    else if (source.readyState === EventSource.CONNECTING && present - this.#connectedAt > OPENING_MS) {
      this.#connectedAt = present;
      this.#lost(source);
    }
  }

  #fact(event) {
    this.#heardAt = performance.now();
    const heap = this.#heap;
    heap.facts += 1;
    const fact = parsed(event.data);
    if (fact === null) return;
    if (heap.ids.size < MOST_IDS) heap.ids.add(fact.taskId);
    else heap.missed = true;
    heap.latest.push(fact);
    if (heap.latest.length > LATEST) heap.latest.shift();
    this.#soon();
  }

  #skipped(event) {
    this.#heardAt = performance.now();
    const told = parsed(event.data);
    const number = Number(typeof told === "number" ? told : (told?.count ?? told?.skipped ?? 0));
    this.#heap.facts += Number.isFinite(number) ? number : 0;
    this.#missed();
  }

  #missed() {
    this.#heardAt = performance.now();
    this.#heap.missed = true;
    this.#soon();
  }

  #soon() {
    if (this.#due !== null || this.paused) return;
    const wait = Math.max(0, this.#lastAt + EVERY_MS - performance.now());
    this.#due = setTimeout(() => requestAnimationFrame(() => this.#tell()), wait);
  }

  #tell() {
    this.#due = null;
    this.#lastAt = performance.now();
    const heap = this.#heap;
    this.#heap = emptyHeap();
    if (this.paused) return;
    for (const listener of [...this.#listeners]) listener(heap);
  }

  #mode(mode) {
    if (mode === this.mode) return;
    this.mode = mode;
    this.dispatchEvent(new Event("mode"));
  }
}

/** `facts` so many came, `ids` of these tasks, `latest` the last few, `missed`: others came of which nothing is known. */
function emptyHeap() {
  return { facts: 0, ids: new Set(), latest: [], missed: false };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // counted, and not shown: the next answer of a view has it anyway
  }
}
