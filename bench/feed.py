"""Feeds streamapp from a process of its own: `python -m bench.feed {events,posts,batches} …`. Prints how as JSON.

Posts are written by hand onto sockets, because a client library would take more of the two cores than the api.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from aiokafka import AIOKafkaProducer

from streamapp.stream.partitions import partition_of

NOTE = "x" * 150
IN_BATCH = 100


def event(task_id: str) -> bytes:
    """One event for `consume-event`."""
    body = {
        "eventId": task_id,
        "timestamp": time.time_ns() // 1_000_000,
        "type": "BENCH_NOOP",
        "payload": {"note": NOTE},
    }
    return json.dumps(body).encode()


def submission(task_id: str) -> dict[str, object]:
    """One task for the api."""
    return {"taskId": task_id, "type": "BENCH_NOOP", "payload": {"note": NOTE}}


async def events(servers: str, topic: str, partitions: int, prefix: str, count: int, per_second: float) -> None:
    """Append `count` events as fast as they go, or at a steady rate."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=65_536)
    await producer.start()
    begun, used = time.monotonic(), time.process_time()
    try:
        sent = []
        for number in range(count):
            task_id = f"{prefix}{number}"
            key = task_id.encode()
            if per_second:
                await asyncio.sleep(max(begun + number / per_second - time.monotonic(), 0))
            sent.append(await producer.send(topic, event(task_id), key, partition_of(key, partitions)))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    print(json.dumps({"seconds": time.monotonic() - begun, "cpu_seconds": time.process_time() - used}))


class Connection:
    """One HTTP/1.1 connection that is kept alive."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host, self._port = place.hostname or "", place.port or 80

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def post(self, path: str, body: bytes) -> int:
        """Send a request and read its answer; the status."""
        self._writer.write(
            b"POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (path.encode(), len(body), body)
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        await self._reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        return int(head[9:12])

    def close(self) -> None:
        """Close it."""
        self._writer.close()


async def posts(
    url: str, path: str, bodies: Callable[[int], bytes], count: int, connections: int, per_second: float
) -> None:
    """Send `count` requests over so many connections, each after the answer to the one before."""
    numbers = iter(range(count))
    latencies: list[float] = []
    begun, used = time.monotonic(), time.process_time()

    async def one() -> None:
        connection = Connection(url)
        await connection.open()
        for number in numbers:
            due = begun + number / per_second if per_second else time.monotonic()
            await asyncio.sleep(due - time.monotonic()) if due > time.monotonic() else None
            status = await connection.post(path, bodies(number))
            latencies.append(time.monotonic() - due)
            if status != 202:
                raise SystemExit(f"the api said {status}")
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    seconds, cpu_seconds = time.monotonic() - begun, time.process_time() - used
    ranked = sorted(latencies)
    told = {f"p{share * 100:g}_ms": ranked[int(share * (len(ranked) - 1))] * 1000 for share in (0.5, 0.99)}
    print(json.dumps({"seconds": seconds, "per_second": count / seconds, "cpu_seconds": cpu_seconds, **told}))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["events", "posts", "batches"])
    parser.add_argument("--to", required=True, help="Kafka's address, or the api's URL")
    parser.add_argument("--topic", default="")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--prefix", default="b")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--per-second", type=float, default=0)
    asked = parser.parse_args()
    if asked.kind == "events":
        work = events(asked.to, asked.topic, asked.partitions, asked.prefix, asked.count, asked.per_second)
    elif asked.kind == "posts":
        bodies = [json.dumps(submission(f"{asked.prefix}{number}")).encode() for number in range(asked.count)]
        work = posts(asked.to, "/v1/tasks", bodies.__getitem__, asked.count, asked.connections, asked.per_second)
    else:
        packs = [
            json.dumps({"tasks": [submission(f"{asked.prefix}{pack}-{number}") for number in range(IN_BATCH)]}).encode()
            for pack in range(asked.count // IN_BATCH)
        ]
        work = posts(asked.to, "/v1/tasks:batch", packs.__getitem__, len(packs), asked.connections, 0)
    asyncio.run(work)


if __name__ == "__main__":
    main()
