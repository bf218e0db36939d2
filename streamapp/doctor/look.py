"""What the three systems said in one look, as far as the books need it.

Values only. The systems move while they are asked, so a look is no snapshot: it says what happened between its begin
and its end, and a rule only counts what two looks agree about. Times are milliseconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamapp.doctor.verdicts import Silent
from streamapp.domain.progress import State

Job = tuple[str, int]
"""Task id and attempt."""


@dataclass(frozen=True, slots=True)
class Told:
    """A task as the diary has it. `by`: until when the next thing is expected; None where nothing is."""

    task_id: str
    state: State
    attempt: int
    by: int | None = None

    @property
    def job(self) -> Job:
        """What its message and its claim are about."""
        return self.task_id, self.attempt


@dataclass(frozen=True, slots=True)
class DiaryLook:
    """What the diary said.

    Attributes:
        at: this machine's clock when it was asked last.
        behind: facts that it had not folded.
        blind: why it cannot be relied upon (stale, partitions missing); empty if it can.
        states: tasks by state, at the begin.
        dispatched_meanwhile, started_meanwhile: facts of these kinds from begin to end.
        running: tasks that run. dispatched: tasks that were handed out a while ago and have not started.
        told: tasks that a claim is about; None: the diary has no fact of it. A task that nobody asked about is absent.
        all_running, all_dispatched: whether the lists have all there are.
    """

    at: int
    behind: int = 0
    blind: str = ""
    states: Mapping[State, int] = field(default_factory=dict)
    dispatched_meanwhile: int = 0
    started_meanwhile: int = 0
    running: tuple[Told, ...] = ()
    dispatched: tuple[Told, ...] = ()
    told: Mapping[str, Told | None] = field(default_factory=dict)
    all_running: bool = True
    all_dispatched: bool = True


@dataclass(frozen=True, slots=True)
class HeldClaim:
    """The guard's record of a task. `left_ms`: of its lease, by Redis's clock; zero or less when it has run out."""

    attempt: int
    status: str
    epoch: int
    number: int
    worker: str
    left_ms: int
    alone: bool = False

    @property
    def alive(self) -> bool:
        """Whether somebody holds the task now."""
        return self.status == "active" and self.left_ms > 0


@dataclass(frozen=True, slots=True)
class GuardLook:
    """What Redis said.

    Attributes:
        workers: registrations that have not lapsed.
        active: jobs listed as active with the time of their claim, oldest first; `all_active`: all there are.
        claims: the guard's record of each task looked at; a task that it does not know is absent.
        waiting: of the dispatched tasks, those that a worker said it holds and has not claimed.
        at: Redis's clock.
    """

    at: int
    workers: int = 0
    active: Mapping[Job, int] = field(default_factory=dict)
    all_active: bool = True
    claims: Mapping[str, HeldClaim] = field(default_factory=dict)
    waiting: frozenset[Job] = frozenset()


@dataclass(frozen=True, slots=True)
class QueueLook:
    """What RabbitMQ said of all work queues together: messages ready, consumers. Unacknowledged ones are not told."""

    messages: int
    consumers: int


@dataclass(frozen=True, slots=True)
class Look:
    """One look at all three. Whoever did not answer is `Silent`."""

    diary: DiaryLook | Silent
    guard: GuardLook | Silent
    queues: QueueLook | Silent


@dataclass(frozen=True, slots=True)
class Scale:
    """What of the settings the rules go by.

    `prefetch`: jobs a worker holds at once. `publishing`: jobs that may be in RabbitMQ before the diary has their
    TaskDispatched.
    """

    prefetch: int
    publishing: int
