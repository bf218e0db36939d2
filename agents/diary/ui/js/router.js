/* Addresses within the page: `#/tasks/evt-1?at=…`. Everything a page shows is in its address, so that the back button,
   bookmarks and links to a colleague work. Ids may hold anything, slashes too: each part is encoded. */

/** The address of a page. Parameters that are null or empty are left out; lists are repeated. */
export function href(parts, params = {}) {
  const path = [].concat(parts).map((part) => encodeURIComponent(part)).join("/");
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "" && one !== false) query.append(name, String(one));
    }
  }
  const text = query.toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** The address of a task's page. */
export function taskHref(taskId, params = {}) {
  return href(["tasks", taskId], params);
}

/** What an address says: `name` of the page, `id` if there is one, `query`. Null if it cannot be read. */
export function parse(hash) {
  const [path, ...rest] = hash.replace(/^#\/?/, "").split("?");
  let parts;
  try {
    parts = path.split("/").map(decodeURIComponent);
  } catch {
    return null; // a broken escape: no page of ours has such an address
  }
  const [name, ...ids] = parts;
  return { name: name || "overview", id: ids.length ? ids.join("/") : null, query: new URLSearchParams(rest.join("?")) };
}

/** Go there; `instead` leaves no entry for the back button. */
export function go(address, { instead = false } = {}) {
  if (instead) location.replace(address);
  else location.hash = address;
}
