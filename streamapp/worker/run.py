"""One job in the hands of this worker: what is known of it so far. Changed by the pipeline only."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol, TypeAlias

from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed
from streamapp.domain.outcome import Outcome
from streamapp.guard import Claim
from streamapp.telemetry import Log
from streamapp.wire.jobs import Job
from streamapp.worker.approach import Place
from streamapp.worker.slots import Slot

Key: TypeAlias = tuple[str, int]
"""Task id and attempt."""


class Delivery(Protocol):
    """What the worker needs of a delivery (`streamapp.queue`). Settling returns False when it came to nothing."""

    body: bytes
    redelivered: bool
    published_at_ms: int | None
    queue: str

    async def ack(self) -> bool:
        """The broker may forget the job."""

    async def requeue(self) -> bool:
        """Back to the queue."""

    async def dead_letter(self) -> bool:
        """To the dead-letter queue."""


class Stage(Enum):
    """Where a shutdown finds a run: one that waits is handed back at once, the others get their grace."""

    WAITING = auto()
    RUNNING = auto()
    RECORDING = auto()


@dataclass(slots=True, eq=False)
class Run:
    """`deliveries` are all unsettled ones of the same job, newest last; `outcome` may be known before anything runs."""

    job: Job
    deliveries: list[Delivery]
    redelivered: bool
    age_seconds: float
    log: Log
    stage: Stage = Stage.WAITING
    place: Place | None = None
    slot: Slot | None = None
    alone: bool = False
    confirmed_at: float = 0.0
    claim: Claim | None = None
    outcome: Outcome | None = None
    duration_ms: int = 0
    fact: TaskExecutionCompleted | TaskExecutionFailed | None = None
    stored: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def key(self) -> Key:
        """Task id and attempt."""
        return self.job.task_id, self.job.attempt

    def free_slot(self) -> None:
        """Let another handler run, and another job approach."""
        if self.slot is not None:
            self.slot.free()
            self.slot = None
        if self.place is not None:
            self.place.free()
            self.place = None


class Calling(Protocol):
    """Runs a handler."""

    @property
    def cancel_grace_seconds(self) -> float:
        """How long a handler may take to end once it is cancelled."""

    async def call(self, run: Run, slot: Slot) -> tuple[Outcome, int]:
        """What came of it, and how many milliseconds it took. Frees `slot` when the handler has really ended."""


class Executing(Protocol):
    """Carries out a run."""

    async def execute(self, run: Run) -> None:
        """Take it to its end. Cancelled, it is left as it is."""

    async def hand_back(self, run: Run) -> None:
        """Give an unfinished run to whoever comes next."""
