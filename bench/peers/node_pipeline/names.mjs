// What a run has in Kafka and in Redis, and how the first seed sets its queue.

import { Redis } from "ioredis";

export const PARTITIONS = 8;
export const QUEUE = "process-event";

// Keys of BullMQ begin with the name of the run.
export function queueOptions(settings) {
  const connection = new Redis(settings.redis_url, { maxRetriesPerRequest: null });
  return { connection, prefix: settings.run };
}

// Seed: three attempts, exponential back-off from one second; jobs are kept, for their ids are the deduplication.
export function jobOptions(eventId) {
  return { jobId: eventId, attempts: 3, backoff: { type: "exponential", delay: 1000 } };
}

export function topic(settings) {
  return `${settings.run}.consume-event`;
}

export function group(settings) {
  return `${settings.run}.consumer`;
}
