/* Asks again when there is reason to, and never twice at once. In: how to ask, how often at least. Out: calls to `show`
   or `fail`. While an answer is awaited further reasons wait, and are one reason. */

/** Keeps what a page shows up to date until `signal` is aborted. */
export class Refresh {
  #turn = null;
  #again = false;
  #timer = null;

  /**
   * `load(signal)` asks; `show(answer)` and `fail(problem)` are told. `everyMs`: asked again after that long, whatever
   * happens, because some answers change with the time alone; `held()` tells that the reader must not be disturbed.
   */
  constructor({ load, show, fail, signal, everyMs = 10_000, held = () => false }) {
    Object.assign(this, { load, show, fail, signal, everyMs, held });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** There is reason to ask again. */
  wanted() {
    if (this.signal.aborted) return;
    if (this.#turn !== null || this.held()) this.#again = true;
    else this.#ask();
  }

  /** Ask now, whoever is held; an answer that is still awaited is to another question and dropped. */
  insist() {
    this.#turn?.abort();
    return this.#ask();
  }

  /** The reader no longer holds it: ask if there was reason meanwhile. */
  released() {
    if (this.#again) this.wanted();
  }

  async #ask() {
    const turn = (this.#turn = new AbortController());
    this.#again = false;
    clearTimeout(this.#timer);
    let pause = this.everyMs;
    try {
      const answer = await this.load(AbortSignal.any([this.signal, turn.signal]));
      if (this.#dropped(turn)) return;
      this.#turn = null;
      this.show(answer);
    } catch (error) {
      if (this.#dropped(turn)) return;
      this.#turn = null;
      if (error?.name !== "Problem") throw error;
      if (error.retryAfter !== null) pause = Math.min(pause, error.retryAfter * 1000);
      this.fail(error);
    }
    this.#timer = setTimeout(() => this.#timed(), this.#again && !this.held() ? 0 : pause);
  }

  #dropped(turn) {
    return this.signal.aborted || turn.signal.aborted;
  }

  #timed() {
    if (document.hidden) this.#timer = setTimeout(() => this.#timed(), this.everyMs);
    else this.wanted();
  }
}
