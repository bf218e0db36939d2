/* Warnings of the overview, in words. They are spoken by `pulse.js` when they begin; here they can be read. */

import { h, replace } from "../dom.js";
import { notice } from "../notices.js";
import { href } from "../router.js";
import { ago } from "../time.js";

/** Where a reader goes from a warning. */
const LEADS = {
  "nothing-started": ["Tasks that wait", href("tasks", { state: ["DISPATCHED", "ACCEPTED"] })],
  "outbox-waiting": ["Tasks that wait", href("tasks", { state: ["ACCEPTED", "RETRY_SCHEDULED"] })],
  unreadable: ["The records", href("anomalies")],
};

export class Warnings {
  #sign = "";

  constructor() {
    this.element = h("section", { class: "warnings", "aria-label": "Warnings" });
  }

  update(warnings) {
    const sign = JSON.stringify(warnings);
    if (sign === this.#sign) return;
    this.#sign = sign;
    replace(this.element, warnings.map((warning) => {
      const [label, link] = LEADS[warning.slug] ?? [];
      const since = warning.since ? ["since ", ago(warning.since), " "] : null;
      return notice("warn", warning.text, since, link ? h("a", { href: link }, label) : null);
    }));
  }
}
