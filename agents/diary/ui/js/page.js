/* What pages have in common: a heading, a place for what has to be said, a body that is loading, empty, failed or there.
   In: how to ask and how to show. Out: a page that keeps itself up to date. */

import { h, replace, say } from "./dom.js";
import { failed, limits, loading, nothing, notRenewed } from "./notices.js";
import { Refresh } from "./refresh.js";

/** The heading of a page; it gets the focus when the page is opened. */
export function heading(title, ...aside) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), aside.length ? h("div", { class: "heading-aside" }, aside) : null);
}

/** A part of a page with a heading of its own. */
export function panel(title, { aside = [], className = "" } = {}, ...children) {
  const head = h("div", { class: "panel-head" }, h("h2", {}, title), aside);
  return h("section", { class: `panel ${className}`.trim() }, head, children);
}

/** A body that shows one answer of the diary after the other. */
export class Living {
  #shown = false;
  #lastSaid = "";

  /**
   * `load(signal)` asks, `show(answer)` returns nodes once or updates what it returned before; `context` is that of the
   * router. `concerns(heap)`: whether what came concerns this page.
   */
  constructor({ context, load, show, everyMs, held, concerns = (heap) => heap.facts > 0 || heap.missed }) {
    this.said = h("div", { class: "said" });
    this.body = h("div", { class: "body", "aria-busy": "true" }, loading());
    this.show = show;
    this.refresh = new Refresh({
      load,
      show: (answer) => this.#show(answer),
      fail: (problem) => this.#fail(problem),
      signal: context.signal,
      everyMs,
      held: () => context.live.paused || (held ? held() : false),
    });
    const stop = context.live.listen((heap) => concerns(heap) && this.refresh.wanted());
    context.signal.addEventListener("abort", stop);
    context.live.addEventListener("mode", () => this.refresh.released(), { signal: context.signal });
    this.refresh.insist();
  }

  /** Ask now, because the reader wants it. */
  now() {
    return this.refresh.insist();
  }

  /** Forget what is shown: the question is another one now. */
  again() {
    this.#shown = false;
    this.body.setAttribute("aria-busy", "true");
    replace(this.body, loading());
    return this.now();
  }

  get elements() {
    return [this.said, this.body];
  }

  #show(answer) {
    this.#say(limits(answer));
    const content = this.show(answer, !this.#shown);
    if (content) replace(this.body, isNothing(content) && answer.missingPartitions?.length ? partly() : content);
    this.#shown = true;
    this.body.removeAttribute("aria-busy");
  }

  #fail(problem) {
    if (this.#shown && problem.passing) {
      this.#say([notRenewed(problem)]);
      return;
    }
    const fresh = failed(problem, () => this.again());
    this.#shown = false;
    this.#say([]);
    this.body.removeAttribute("aria-busy");
    if (this.body.textContent !== fresh.textContent) replace(this.body, fresh); // the button may have the focus
  }

  /** Only if it is something else than before. */
  #say(notices) {
    const text = notices.map((element) => element.textContent).join("|");
    if (text === this.#lastSaid) return;
    this.#lastSaid = text;
    replace(this.said, notices);
  }
}

function isNothing(content) {
  return content.classList?.contains("nothing") ?? false; // a list of nodes is something
}

/** Nothing where somebody answered is not yet nothing at all. */
function partly() {
  return nothing("Nothing on the partitions that answered", "What lies on the others is not known now.");
}

/** A number with its name, and where it leads. */
export function tile(label, { link = null, className = "" } = {}) {
  const value = h("span", { class: "tile-value" }, "–");
  const note = h("span", { class: "tile-note" });
  const name = h("span", { class: "tile-label" }, label);
  const element = h(link ? "a" : "div", { class: `tile ${className}`.trim(), href: link }, name, value, note);
  return {
    element,
    show(text, more = "", tone = "") {
      say(value, text);
      say(note, more);
      if (tone) element.setAttribute("data-tone", tone);
      else element.removeAttribute("data-tone");
    },
  };
}
