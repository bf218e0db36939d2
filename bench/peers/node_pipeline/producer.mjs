// Produces events, and deletes in the end what the run has left in Kafka and Redis.

import { Redis } from "ioredis";
import kafkajs from "kafkajs";
import { group, PARTITIONS, topic } from "./names.mjs";
import { now, obeyCommands, say, settings as read, sleep } from "./talk.mjs";

const WINDOW = 500; // events in one request
const IN_FLIGHT = 4; // requests without an answer
const FORGIVEN_SECONDS = 0.001; // timers are no finer than this

const settings = await read();
const kafka = new kafkajs.Kafka({ clientId: settings.run, brokers: [settings.kafka], logLevel: kafkajs.logLevel.WARN });
const admin = kafka.admin();
const producer = kafka.producer();
let produced = 0;

// An event of the seed's schema with two hundred bytes of payload; since is when its latency begins to count.
function event(since) {
  produced += 1;
  const eventId = `evt-${produced}`;
  const payload = {
    userId: "user-0000001",
    email: "somebody.with.a.name@example.com",
    template: "welcome",
    locale: "en-GB",
    parameters: { plan: "trial", days: 14, referrer: "newsletter-2026-02" },
    since,
  };
  const value = JSON.stringify({ eventId, timestamp: Date.now(), type: "USER_CREATED", payload });
  return { key: eventId, value };
}

function send(messages) {
  return producer.send({ topic: topic(settings), messages, acks: -1 });
}

async function publish(tasks) {
  let left = tasks;
  const first_at = now();
  async function lane() {
    while (left > 0) {
      const count = Math.min(WINDOW, left);
      left -= count;
      await send(Array.from({ length: count }, () => event(now())));
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  say("published", { first_at, last_at: now() });
}

async function pace(perSecond, seconds) {
  const late = [];
  const running = [];
  const start = now() + 0.05;
  for (let number = 0; number < perSecond * seconds; number += 1) {
    const due = start + number / perSecond;
    while (now() < due) {
      await sleep(due - now());
    }
    const at = now();
    late.push(at - due);
    running.push(send([event(Math.min(at, due + FORGIVEN_SECONDS))]));
  }
  await Promise.all(running);
  say("published", { first_at: 0, last_at: now(), late });
}

async function forget() {
  const redis = new Redis(settings.redis_url);
  for await (const keys of redis.scanStream({ match: `${settings.run}:*`, count: 1000 })) {
    if (keys.length > 0) {
      await redis.unlink(...keys);
    }
  }
  redis.disconnect();
  await producer.disconnect();
  await admin.deleteTopics({ topics: [topic(settings)] });
  const { groups } = await admin.listGroups();
  if (groups.some((each) => each.groupId === group(settings))) {
    await admin.deleteGroups([group(settings)]);
  }
  await admin.disconnect();
  say("forgotten");
}

await admin.connect();
const configEntries = Object.entries(settings.topic_settings).map(([name, value]) => ({ name, value }));
await admin.createTopics({
  topics: [{ topic: topic(settings), numPartitions: PARTITIONS, replicationFactor: 1, configEntries }],
});
await producer.connect();
say("ready");
await obeyCommands(async (command) => {
  if (command.do === "publish") {
    await publish(command.tasks);
  } else if (command.do === "pace") {
    await pace(command.per_second, command.seconds);
  } else if (command.do === "forget") {
    await forget();
  } else {
    throw new Error(`no such command: ${command.do}`);
  }
});
