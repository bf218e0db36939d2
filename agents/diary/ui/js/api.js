/* Questions to the diary, and requeues to the api. In: a path and its parameters. Out: the JSON answer, or a Problem
   that can be shown to people. Nothing is kept: every answer is as fresh as the diary. */

import { hear } from "./time.js";

const DIARY = new URL("../", document.baseURI);
const TIMEOUT_MS = 20_000;

/** Why there is no answer. `status` 0: nobody answered at all. */
export class Problem extends Error {
  constructor({ status, slug, title, detail, retryAfter = null, body = null }) {
    super(detail || title);
    this.name = "Problem";
    Object.assign(this, { status, slug, title, detail, retryAfter, body });
  }

  /** Whether asking again in a moment may help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The address of a view, for links and questions. Parameters that are null or empty are left out; lists are repeated. */
export function address(path, params = {}) {
  const url = new URL(path.replace(/^\//, ""), DIARY);
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "" && one !== false) url.searchParams.append(name, one);
    }
  }
  return url.href;
}

/** The address of one task's view. */
export function taskAddress(taskId, params = {}) {
  return address(`/v1/tasks/${encodeURIComponent(taskId)}`, params);
}

/** GET an address of the diary. */
export async function ask(url, { signal = null, timeoutMs = TIMEOUT_MS } = {}) {
  const answer = await send(url, { headers: { Accept: "application/json" }, cache: "no-store" }, signal, timeoutMs);
  if (answer.asOf && !answer.stale) hear(answer.asOf);
  return answer;
}

/** POST JSON to the api. */
export async function post(url, body, { key = null, signal = null } = {}) {
  const headers = { "Content-Type": "application/json", Accept: "application/json", ...(key ? { "Idempotency-Key": key } : {}) };
  return send(url, { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" }, signal, TIMEOUT_MS);
}

let settings = null;

/** What the diary tells its pages: `apiUrl`. Asked for once. */
export async function config() {
  settings ??= ask(new URL("config.json", document.baseURI).href);
  try {
    return await settings;
  } catch (error) {
    settings = null;
    throw error;
  }
}

async function send(url, request, signal, timeoutMs) {
  const limit = AbortSignal.timeout(timeoutMs);
  let response;
  let text;
  try {
    response = await fetch(url, { ...request, signal: signal ? AbortSignal.any([signal, limit]) : limit });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw silence(url, limit.aborted ? timeoutMs : null);
  }
  const body = parsed(text);
  if (response.ok && body !== undefined) return body;
  throw problem(response, body);
}

function silence(url, lateMs) {
  const { origin } = new URL(url);
  const detail = lateMs ? `${origin} has not answered within ${lateMs / 1000} s` : `${origin} does not answer, or does not allow this page to ask`;
  return new Problem({ status: 0, slug: lateMs ? "timeout" : "unreachable", title: "No answer", detail });
}

function problem(response, body) {
  const after = Number(response.headers.get("Retry-After"));
  const told = body && typeof body === "object" ? body : {};
  return new Problem({
    status: response.status,
    slug: String(told.type ?? "").replace("/problems/", "") || `http-${response.status}`,
    title: String(told.title ?? `HTTP ${response.status}`),
    detail: String(told.detail ?? `${new URL(response.url).pathname} was answered with status ${response.status}`),
    retryAfter: after > 0 ? after : null,
    body: told,
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON: a proxy's page, say; the status tells what there is to tell
  }
}
