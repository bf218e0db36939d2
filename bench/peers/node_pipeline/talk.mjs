// Lines of JSON to and from the process that started this one. When that one goes, so does this.
// All times are seconds of the machine's monotonic clock, as Python's time.monotonic() has them.

import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// The first line of input: what this run is set to.
export async function settings() {
  return JSON.parse((await lines.next()).value);
}

export function say(event, figures = {}) {
  process.stdout.write(JSON.stringify({ event, ...figures }) + "\n");
}

export function now() {
  return Number(process.hrtime.bigint()) / 1e9;
}

export function sleep(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

// Call obey for each command. End, after what the caller has to do then, on SIGTERM or when nobody is left to give a
// command. An error ends the process with status 1.
export async function obeyCommands(obey, farewell = async () => {}) {
  let ending = null;
  function end() {
    ending ??= farewell().then(() => process.exit(0));
    return ending;
  }
  process.on("SIGTERM", end);
  for await (const line of lines) {
    await obey(JSON.parse(line));
  }
  await end();
}
