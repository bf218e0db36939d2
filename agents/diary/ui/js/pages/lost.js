/* An address that leads nowhere. */

import { h, replace } from "../dom.js";
import { nothing } from "../notices.js";
import { heading } from "../page.js";
import { href } from "../router.js";

export function open(main, { title }) {
  title("No such page");
  replace(main, heading("No such page"), nothing("Nothing is shown under this address", "It may have been cut when it was copied."), h("p", {}, h("a", { href: href([]) }, "To the overview")));
}
