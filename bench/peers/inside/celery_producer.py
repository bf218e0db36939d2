"""The producer of the Celery peer.

py-amqp waits for the confirm of each message before it sends the next one on a channel. With the setting `threads` more
than one publishes, each with a producer of its own from Celery's pool, as a web server's would.
"""

import threading
import time
import uuid
from collections.abc import Iterable
from typing import Any

from celery import Celery
from redis import Redis

from bench.peers.inside import results, talk
from bench.peers.inside.celery_app import make_app
from bench.peers.inside.tasks import NAME, PAYLOAD, schedule, since


class Producer:
    """Publishes tasks and waits for their results."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._run: str = settings["run"]
        self._threads: int = settings.get("threads", 1)
        self._app: Celery = make_app(settings)
        self._app.conf.broker_pool_limit = self._threads + 1
        self._task = self._app.tasks[NAME]
        self._redis = Redis.from_url(settings["redis_url"])

    def publish(self, tasks: int) -> None:
        """Publish as fast as it goes."""
        ids = [str(uuid.uuid4()) for _ in range(tasks)]
        shares = [ids[number :: self._threads] for number in range(self._threads)]
        threads = [threading.Thread(target=self._publish, args=[share]) for share in shares]
        first_at = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        talk.say("published", first_at=first_at, last_at=time.monotonic())
        self._finish(ids)

    def pace(self, per_second: int, seconds: int) -> None:
        """Publish at a fixed rate."""
        ids: list[str] = []
        late: list[float] = []
        with self._app.producer_pool.acquire(block=True) as producer:
            for due in schedule(per_second, seconds):
                time.sleep(max(due - time.monotonic(), 0))
                now = time.monotonic()
                late.append(now - due)
                ids.append(str(uuid.uuid4()))
                self._task.apply_async((PAYLOAD, since(due, now)), task_id=ids[-1], producer=producer)
        talk.say("published", first_at=0.0, last_at=time.monotonic(), late=late)
        self._finish(ids)

    def forget(self) -> None:
        """Delete queue, exchange and results of this run."""
        with self._app.connection_for_write() as connection:
            channel = connection.default_channel
            channel.queue_delete(self._run)
            channel.exchange_delete(self._run)
        results.forget(self._redis, f"{self._run}:")
        talk.say("forgotten")

    def _publish(self, ids: Iterable[str]) -> None:
        with self._app.producer_pool.acquire(block=True) as producer:
            for each in ids:
                self._task.apply_async((PAYLOAD, time.monotonic()), task_id=each, producer=producer)

    def _finish(self, ids: list[str]) -> None:
        backend = self._app.backend
        keys = [backend.get_key_for_task(each).decode() for each in ids]
        last_at = results.wait(self._redis, keys)
        found = results.read(self._redis, keys)
        failed = [each for each in found if each["status"] != "SUCCESS"]
        if failed:
            raise RuntimeError(f"{len(failed)} tasks failed, for example {failed[0]}")
        talk.say("done", last_at=last_at, latencies=[each["result"] for each in found])


def main() -> None:
    """Do what is told."""
    producer = Producer(talk.settings())
    talk.say("ready")
    for command in talk.commands():
        match command:
            case {"do": "publish", "tasks": int(tasks)}:
                producer.publish(tasks)
            case {"do": "pace", "per_second": int(per_second), "seconds": int(seconds)}:
                producer.pace(per_second, seconds)
            case {"do": "forget"}:
                producer.forget()
            case _:
                raise ValueError(f"no such command: {command}")


if __name__ == "__main__":
    main()
