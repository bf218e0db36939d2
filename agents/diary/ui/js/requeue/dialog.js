/* Asks before anything happens. In: one task, or a filter. Out: a dialog that counts, shows what would be requeued, asks
   who does it and why, sends when that is confirmed, and tells what became of it. Until then nothing is sent. */

import { cut, count, counted } from "../format.js";
import { failed, loading, notice, nothing } from "../notices.js";
import { freshId, h, replace, say } from "../dom.js";
import { taskLink } from "../cells.js";
import { byType, collect, freshKey, GROUP, GROUP_EVERY_MS, MOST, send } from "./bulk.js";

const ACTOR = "streamapp.actor";
const EXAMPLES = 5;

/** Requeue one task. `after(requeues)` is called when it was recorded. */
export function requeueOne(task, after) {
  const dialog = new Dialog("Requeue this task");
  dialog.preview({ tasks: [task], more: false, missingPartitions: [], stale: false }, after);
}

/** Requeue what a filter shows and has failed permanently. */
export async function requeueFiltered(filter) {
  const dialog = new Dialog("Requeue what failed permanently");
  const { cursor: _, ...whole } = filter;
  await dialog.count((options) => collect(whole, options));
}

class Dialog {
  #ending = new AbortController();
  #sending = false;

  constructor(title) {
    const id = freshId("dialog");
    this.body = h("div", { class: "dialog-body" });
    this.element = h("dialog", { class: "dialog", "aria-labelledby": id }, h("h2", { id, tabindex: "-1" }, title), this.body);
    this.opener = document.activeElement;
    this.element.addEventListener("cancel", (event) => this.#sending && event.preventDefault());
    this.element.addEventListener("close", () => this.#closed());
    addEventListener("hashchange", () => this.element.close(), { signal: this.#ending.signal });
    document.body.append(this.element);
    this.element.showModal();
    this.element.querySelector("h2").focus();
  }

  async count(collecting) {
    const number = h("p", { role: "status" }, "Counting…");
    replace(this.body, number, loading(3), this.#buttons(this.#cancel()));
    try {
      const progress = (found) => say(number, `Counting… ${count(found)} so far`);
      this.preview(await collecting({ signal: this.#ending.signal, progress }), null);
    } catch (error) {
      if (error.name === "AbortError") return; // closed while it was counting
      replace(this.body, failed(error, () => this.count(collecting)), this.#buttons(this.#cancel()));
    }
  }

  preview(found, after) {
    const { tasks } = found;
    if (!tasks.length) {
      replace(this.body, nothing("Nothing to requeue", "No task of this filter has failed permanently."), this.#buttons(this.#cancel("Close")));
      return;
    }
    const actor = h("input", { id: freshId("actor"), name: "actor", required: true, maxlength: 200, autocomplete: "name" });
    const reason = h("input", { id: freshId("reason"), name: "reason", required: true, maxlength: 500, autocomplete: "off" });
    actor.value = remembered();
    const submit = h("button", { type: "submit", class: "primary" }, `Requeue ${counted(tasks.length, "task")}`);
    const form = h(
      "form",
      { class: "dialog-form" },
      h("div", { class: "field" }, h("label", { for: actor.id }, "Who you are"), actor),
      h("div", { class: "field" }, h("label", { for: reason.id }, "Why"), reason),
      h("p", { class: "faint" }, "Both are recorded with each task, for ever."),
      this.#buttons(submit, this.#cancel()),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      remember(actor.value.trim());
      const by = { actor: actor.value.trim(), reason: reason.value.trim(), key: freshKey() };
      this.#run(tasks.map((task) => task.taskId), by, after);
    });
    replace(this.body, this.#what(found), form);
    (actor.value ? reason : actor).focus();
  }

  #what({ tasks, more, missingPartitions, stale }) {
    const seconds = Math.max(0, (Math.ceil(tasks.length / GROUP) - 1) * (GROUP_EVERY_MS / 1000));
    const types = byType(tasks).slice(0, 8).map(([type, number]) => h("li", {}, `${cut(String(type), 60)}: ${count(number)}`));
    const examples = tasks.slice(0, EXAMPLES).map((task) => h("li", {}, taskLink(task.taskId)));
    return [
      h("p", {}, h("strong", { class: "dialog-number" }, counted(tasks.length, "task")), tasks.length > 1 ? " will be given another attempt." : " will be given another attempt. Its history stays as it is."),
      tasks.length > 1 ? [h("p", { class: "faint" }, `By type`), h("ul", { class: "plain" }, types)] : null,
      h("p", { class: "faint" }, tasks.length > EXAMPLES ? "The newest of them" : "Which"),
      h("ul", { class: "plain" }, examples),
      seconds ? h("p", { class: "faint" }, `Sent in groups of ${GROUP}, one a second: about ${seconds} s. You can stop in between.`) : null,
      more ? notice("warn", `There are more than ${count(MOST)}`, "Only the newest are taken. Do it again for the others afterwards.") : null,
      missingPartitions.length ? notice("warn", `Nobody answered for partitions ${missingPartitions.join(", ")}`, "Tasks that lie there are not among these.") : null,
      stale ? notice("warn", "Kafka does not answer the diary", "What is counted here may be out of date.") : null,
    ];
  }

  async #run(ids, by, after) {
    const stopping = new AbortController();
    const bar = h("progress", { max: ids.length, value: 0, "aria-label": "Sent" });
    const told = h("p", { role: "status" }, `Sending ${counted(ids.length, "task")}…`);
    const stop = h("button", { type: "button", on: { click: () => stopping.abort() } }, "Stop after this group");
    replace(this.body, told, bar, this.#buttons(ids.length > GROUP ? stop : null));
    this.#sending = true;
    try {
      const progress = ({ sent, done }) => {
        bar.value = sent;
        say(told, `Sent ${count(sent)} of ${count(ids.length)}; ${count(done)} recorded`);
      };
      const result = await send(ids, { ...by, signal: stopping.signal, progress });
      this.#sending = false;
      this.#tell(result, ids, by, after);
      if (result.done.length) after?.(result.done);
    } catch (problem) {
      this.#sending = false;
      replace(this.body, failed(problem, () => this.#run(ids, by, after)), this.#buttons(this.#cancel("Close")));
    }
  }

  #tell({ done, unknown, left, problem }, ids, by, after) {
    const short = ids.length - left.length - unknown.length - done.length;
    const close = this.#cancel("Close");
    const open = [...unknown, ...left];
    const again = unknown.length ? `Send the same ${count(open.length)} again` : `Send the other ${count(open.length)}`;
    const rest = open.length ? h("button", { type: "button", on: { click: () => this.#run(open, by, after) } }, again) : null;
    replace(
      this.body,
      done.length ? notice("good", `${counted(done.length, "task")} requeued`, "Recorded in Kafka. Each is dispatched again by itself.") : null,
      short > 0 ? notice("warn", `${counted(short, "task")} not requeued`, "The api answered without them.") : null,
      unknown.length ? notice("warn", `Of ${counted(unknown.length, "task")} nobody knows`, "They were sent and not confirmed. Sent again from here it is the same request: none is requeued twice.") : null,
      problem ? notice("bad", problem.title, h("p", {}, problem.detail), hint(problem)) : null,
      left.length && !problem ? notice("note", `Stopped: ${counted(left.length, "task")} not sent`) : null,
      this.#buttons(rest, close),
    );
    close.focus();
  }

  #buttons(...buttons) {
    return h("div", { class: "dialog-buttons" }, buttons);
  }

  #cancel(label = "Cancel") {
    return h("button", { type: "button", on: { click: () => this.element.close() } }, label);
  }

  #closed() {
    this.#ending.abort();
    this.element.remove();
    if (this.opener?.isConnected) this.opener.focus();
  }
}

function hint({ status }) {
  return status === 0 ? h("p", {}, "Is the api running, and is this page's address among STREAMAPP_API__DASHBOARD_ORIGINS?") : null;
}

function remembered() {
  try {
    return localStorage.getItem(ACTOR) ?? "";
  } catch {
    return ""; // a browser that keeps nothing asks every time
  }
}

function remember(actor) {
  try {
    localStorage.setItem(ACTOR, actor);
  } catch {
    return; // as above
  }
}
