// The seed's consumer: event -> Zod -> BullMQ, and the offset is committed only after the job is queued.

import { Queue } from "bullmq";
import kafkajs from "kafkajs";
import { z } from "zod";
import { group, jobOptions, PARTITIONS, QUEUE, queueOptions, topic } from "./names.mjs";
import { now, obeyCommands, say, settings as read } from "./talk.mjs";

const WINDOW = 100; // jobs added in one round trip

const Event = z.strictObject({
  eventId: z.string().min(1),
  timestamp: z.number().int(),
  type: z.string().min(1),
  payload: z.record(z.string(), z.unknown()),
});

const settings = await read();
const kafka = new kafkajs.Kafka({ clientId: settings.run, brokers: [settings.kafka], logLevel: kafkajs.logLevel.WARN });
const consumer = kafka.consumer({ groupId: group(settings) });
const queue = new Queue(QUEUE, queueOptions(settings));
let begun = false;

// The job of a record, or null: what is invalid is logged with its place and its errors, and discarded.
function job(message, partition) {
  let value;
  try {
    value = JSON.parse(message.value.toString());
  } catch (error) {
    console.error(`not JSON: ${topic(settings)}/${partition}/${message.offset}: ${error.message}`);
    return null;
  }
  const parsed = Event.safeParse(value);
  if (!parsed.success) {
    console.error(`invalid: ${topic(settings)}/${partition}/${message.offset}: ${JSON.stringify(parsed.error.issues)}`);
    return null;
  }
  return { name: parsed.data.type, data: parsed.data, opts: jobOptions(parsed.data.eventId) };
}

// By windows: one round trip to Redis for up to WINDOW jobs.
async function eachBatch({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }) {
  for (let start = 0; start < batch.messages.length; start += WINDOW) {
    if (!isRunning() || isStale()) {
      return;
    }
    const messages = batch.messages.slice(start, start + WINDOW);
    const jobs = messages.map((message) => job(message, batch.partition)).filter((each) => each !== null);
    await queue.addBulk(jobs);
    resolveOffset(messages[messages.length - 1].offset);
    await heartbeat();
  }
  await commitOffsetsIfNecessary();
}

// One by one, as the seed's text has it: each job is queued before the next record of its partition is looked at.
async function eachMessage({ partition, message }) {
  const found = job(message, partition);
  if (found !== null) {
    await queue.add(found.name, found.data, found.opts);
  }
}

async function begin() {
  if (!begun) {
    begun = true;
    await consumer.subscribe({ topics: [topic(settings)], fromBeginning: true });
    const handler = settings.by_window ? { eachBatch, eachBatchAutoResolve: false } : { eachMessage };
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.run({ ...handler, partitionsConsumedConcurrently: PARTITIONS });
    await joined;
  }
  say("begun", { at: now() });
}

await queue.waitUntilReady();
await consumer.connect();
say("ready");
await obeyCommands(
  async (command) => {
    if (command.do !== "begin") {
      throw new Error(`no such command: ${command.do}`);
    }
    await begin();
  },
  // It leaves its group, which cannot be deleted otherwise.
  () => consumer.disconnect(),
);
