"""A simulated RabbitMQ: durable queues, confirms, returns, redelivery.

What its clients meet: it is away, it is alarmed, a queue is purged or deleted, a confirm is lost on its way, a job
arrives long after its publisher gave up.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamapp.wire.jobs import Job

Fate: TypeAlias = Literal["ok", "lost", "unconfirmed", "late"]
"""What becomes of one publish: queued and confirmed; gone; queued, the confirm lost; queued later, never confirmed."""


@dataclass(eq=False)
class Message:
    """A job on a queue, or in a worker's hands."""

    queue: str
    job: Job
    redelivered: bool = False


class Rabbit:
    """`up` while it answers; `fates` are what the next publishes meet, ok when there are none."""

    def __init__(self, queues: tuple[str, ...]) -> None:
        self.up = True
        self.alarmed = False
        self.fates: deque[Fate] = deque()
        self.queues: dict[str, deque[Message]] = {queue: deque() for queue in queues}
        self.unacked: list[Message] = []
        self._filled = asyncio.Event()

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is in anybody's hands."""
        return not self.unacked and not any(self.queues.values())

    def fate(self) -> Fate:
        """What the next publish meets."""
        return self.fates.popleft() if self.fates else "ok"

    def put(self, queue: str, job: Job) -> bool:
        """Queue a job; False if there is no such queue, and the job is returned."""
        if queue not in self.queues:
            return False
        self.queues[queue].append(Message(queue, job))
        self._filled.set()
        return True

    async def take(self) -> Message:
        """The next message for a consumer, whenever there is one."""
        while True:
            for waiting in self.queues.values():
                if self.up and waiting:
                    message = waiting.popleft()
                    self.unacked.append(message)
                    return message
            self._filled.clear()
            await self._filled.wait()

    def ack(self, message: Message) -> None:
        """Gone for good; nothing, where the delivery is no longer valid."""
        if self.up and message in self.unacked:
            self.unacked.remove(message)

    def lose_consumer(self, held: list[Message]) -> None:
        """A consumer's connection is gone: what it had goes back, in front."""
        for message in held:
            if message in self.unacked:
                self.unacked.remove(message)
                if message.queue in self.queues:
                    self.queues[message.queue].appendleft(Message(message.queue, message.job, redelivered=True))
        self._filled.set()

    def go_down(self) -> None:
        """Killed. Queues are durable; what was in hands goes back."""
        self.up = False
        self.lose_consumer(list(self.unacked))

    def come_up(self) -> None:
        """Started again."""
        self.up = True
        self._filled.set()

    def purge(self, queue: str) -> None:
        """Forget what waits."""
        self.queues.get(queue, deque()).clear()

    def delete(self, queue: str) -> None:
        """Forget the queue, and what was delivered from it."""
        self.queues.pop(queue, None)
        self.unacked = [message for message in self.unacked if message.queue != queue]

    def declare(self, queue: str) -> None:
        """Make the queue if there is none."""
        self.queues.setdefault(queue, deque())
