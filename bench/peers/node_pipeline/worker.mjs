// The seed's worker: takes jobs off the queue, so many at once, does nothing, and says when the last one is completed.

import { Worker } from "bullmq";
import { QUEUE, queueOptions } from "./names.mjs";
import { now, obeyCommands, say, settings as read } from "./talk.mjs";

const settings = await read();
let awaited = 0;
let latencies = [];

const worker = new Worker(
  QUEUE,
  async (job) => {
    const latency = now() - job.data.payload.since;
    return { latency };
  },
  { ...queueOptions(settings), concurrency: settings.concurrency },
);

// Told when the result is stored.
worker.on("completed", (job, result) => {
  latencies.push(result.latency);
  if (latencies.length === awaited) {
    say("done", { last_at: now(), latencies });
  }
});
worker.on("failed", (job, error) => {
  console.error(`failed: ${job?.id}: ${error.stack}`);
});
worker.on("error", (error) => {
  console.error(error.stack);
});

await worker.waitUntilReady();
say("ready");
await obeyCommands(async (command) => {
  if (command.do === "count") {
    awaited = command.tasks;
    latencies = [];
    say("counting");
  } else {
    throw new Error(`no such command: ${command.do}`);
  }
});
