"""What may happen and what may not, judged from outside at the moment it happens.

The oracle sees every record of the diary as the broker takes it, and every publish as it leaves the dispatcher. It
folds each task by itself, and remembers after which offset what was due: so it can say of any act whether some part
of the diary at or above the actor's horizon asked for it. It shares the fold of a single fact with the product, and
nothing else: no decision, no table, no gate.
"""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from streamapp.domain.dispatch import Limits
from streamapp.domain.facts import (
    AnyFact,
    Recorded,
    TaskDispatched,
    TaskExecutionStarted,
    TaskFailedPermanently,
    TaskRequeued,
    TaskRetryScheduled,
)
from streamapp.domain.outbox import Closed, Memory, Open, remember
from streamapp.domain.progress import State
from streamapp.wire import facts as wire
from streamapp.wire.jobs import Job
from tables import dedup, pending
from tests.model.doors import HeardClock, partition_of
from tests.model.kafka import Record
from tests.model.life import Life

LIMITS = Limits(stuck_margin_ms=4_000, lost_after_ms=6_000)
DUE = (State.ACCEPTED, State.RETRY_SCHEDULED)


class Moment(NamedTuple):
    """A task after one of its facts. `offset` is where the fold stands behind it, `moment` when that was."""

    offset: int
    moment: float
    state: State
    attempt: int
    failures: int
    changed_at: int
    not_before: int
    dispatched_at: int
    queue: str | None
    retryable: bool
    pending: bytes | None
    dedup: bytes | None


@dataclass
class Publication:
    """One publish. `answer` is what its publisher was told; None as long as it was told nothing."""

    life: Life
    turn: int
    answer: str | None = None


@dataclass
class Actor:
    """A dispatcher as the oracle knows it: its clock, and by partition the end of the diary when it took over."""

    clock: HeardClock
    floors: dict[int, int] = field(default_factory=dict)
    turn: int = 0
    acting: bool = False


class Oracle:
    """Collects `violations`; looks at everything, changes nothing."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.actors: dict[Life, Actor] = {}
        self.history: dict[str, list[Moment]] = defaultdict(list)
        self.publications: dict[str, list[Publication]] = defaultdict(list)
        self.accepted: dict[str, AnyFact] = {}
        self.given_up: dict[str, int] = {}
        """Tasks that have failed for good and were not requeued since, with their last attempt."""
        self._attempts: dict[str, int] = defaultdict(int)
        self._requests: set[str] = set()
        self._tasks_of: dict[int, list[str]] = defaultdict(list)
        self._memories: dict[str, Memory] = {}
        self._dispatched: dict[str, tuple[int, int, str]] = {}
        self._started: set[str] = set()
        self._lost: dict[str, int] = defaultdict(int)
        self.clock_steps = 0
        self._started_up_to: dict[str, int] = defaultdict(int)

    def took_over(self, life: Life, clock: HeardClock, ends: dict[int, int]) -> None:
        """A dispatcher holds partitions from now on. `ends`: where they end at this moment."""
        actor = self.actors.setdefault(life, Actor(clock))
        actor.floors, actor.acting = ends, True
        actor.turn += 1

    def gave_up(self, life: Life) -> None:
        """A dispatcher has settled: it may begin nothing from now on."""
        if life in self.actors:
            self.actors[life].acting = False

    def published(self, life: Life, queue: str, job: Job) -> Publication:
        """A publish begins."""
        actor = self.actors.get(life)
        publication = Publication(life, actor.turn if actor else 0)
        floor = actor.floors.get(partition_of(job.task_id)) if actor else None
        if actor is None or floor is None or not actor.acting:
            self._object(f"{life} publishes {job.message_id} of a partition that it does not hold")
        else:
            self._check_requeued(job)
            self._check_due(actor, floor, job)
            self._check_first(publication, floor, job)
        self.publications[job.message_id].append(publication)
        return publication

    def tells(self, life: Life, fact: AnyFact) -> None:
        """A dispatcher appends a fact. What Kafka makes of it comes later."""
        actor = self.actors.get(life)
        floor = actor.floors.get(partition_of(fact.task_id)) if actor else None
        if actor is None or floor is None or not actor.acting:
            self._object(f"{life} records {fact.NAME} of {fact.task_id}, whose partition it does not hold")
            return
        clock = actor.clock
        match fact:
            case TaskDispatched():
                name = f"{fact.task_id}:{fact.attempt}"
                if not any(one.life is life and one.answer == "confirmed" for one in self.publications[name]):
                    self._object(f"TaskDispatched of {name} was recorded before its job was confirmed")
            case TaskRetryScheduled():
                found = self._some(fact.task_id, floor, lambda moment: self._may_retry(moment, fact, clock))
                if not found:
                    self._object(f"{fact} has no reason in the diary")
                elif all(moment.state is State.DISPATCHED for moment in found):
                    self._check_pace(fact)
            case TaskFailedPermanently():
                if not self._some(fact.task_id, floor, lambda moment: self._may_end(moment, fact, clock)):
                    self._object(f"{fact} has no reason in the diary")
            case _:
                self._object(f"{life} records {fact.NAME}")

    def recorded(self, partition: int, record: Record) -> None:
        """A record was appended to the diary."""
        try:
            fact = wire.decode(record.key, record.value)
        except wire.Undecodable:
            return
        task_id = fact.task_id
        known = self._memories.get(task_id)
        if known is None:
            self._tasks_of[partition].append(task_id)
        memory = self._memories[task_id] = remember(known, Recorded(fact, record.offset, record.at))
        if fact.NAME == "TaskAccepted":
            self.accepted.setdefault(task_id, fact)
        self._note_start(fact, record.at)
        self._note_end(fact, memory)
        moments = self.history[task_id]
        moments.append(_moment(memory, record.offset + 1, moments[-1].dedup if moments else None))

    def rows(self, partition: int, applied: int, name: str) -> dict[bytes, bytes]:
        """What a table must hold when it is applied up to `applied`."""
        found: dict[bytes, bytes] = {}
        for task_id in self._tasks_of[partition]:
            moment = _at(self.history[task_id], applied)
            row = getattr(moment, name) if moment is not None else None
            if row is not None:
                found[task_id.encode()] = row
        return found

    def unfinished(self) -> list[str]:
        """Accepted tasks without an end, and where they stand."""
        return [
            f"{task_id}: {memory.progress.state} {memory.progress.attempt}"
            for task_id, memory in self._memories.items()
            if isinstance(memory, Open) and memory.progress.accepted_id is not None
        ]

    def _check_requeued(self, job: Job) -> None:
        """After a task was given up nothing opens another attempt but a request that was not made before."""
        last = self.given_up.get(job.task_id)
        if last is not None and job.attempt > last:
            self._object(f"{job.message_id} was published, though it was given up at attempt {last}")

    def _check_due(self, actor: Actor, floor: int, job: Job) -> None:
        """Some part of the diary at or above the horizon must have asked for this attempt, and its time have come."""
        due = self._some(job.task_id, floor, lambda moment: moment.state in DUE and moment.attempt == job.attempt)
        if not due:
            self._object(f"{job.message_id} was published, though no fold from offset {floor} on finds it due")
        elif all(actor.clock.latest_since(moment.moment) < moment.not_before for moment in due):
            self._object(f"{job.message_id} was published before its time")

    def _check_first(self, publication: Publication, floor: int, job: Job) -> None:
        """A second publish needs a cause: no answer, or a change of hands before the fact was durable."""
        for earlier in self.publications[job.message_id]:
            if earlier.answer in ("unknown", "returned"):
                continue
            same = (earlier.life, earlier.turn) == (publication.life, publication.turn)
            recorded = self._dispatched.get(job.message_id)
            if same or (recorded is not None and recorded[0] < floor):
                self._object(f"{job.message_id} was published again for no reason")

    def _check_pace(self, fact: TaskRetryScheduled) -> None:
        """A job is taken for lost once, and again when as much time has passed, or a clock was stepped: no more."""
        self._lost[fact.task_id] += 1
        waited = asyncio.get_running_loop().time() - self.history[fact.task_id][0].moment
        if self._lost[fact.task_id] > 1 + self.clock_steps + waited * 1000 / LIMITS.lost_after_ms:
            self._object(f"{fact.task_id} is taken for lost again and again")

    def _may_retry(self, moment: Moment, fact: TaskRetryScheduled, clock: HeardClock) -> bool:
        if moment.attempt + 1 != fact.attempt:
            return False
        policy, failures = fact.policy, moment.failures
        match moment.state:
            case State.FAILED:
                allowed = moment.retryable and failures < policy.max_attempts
                return allowed and fact.not_before == moment.changed_at + _delay(failures)
            case State.RUNNING:
                deadline = moment.changed_at + round(policy.timeout_seconds * 1000) + LIMITS.stuck_margin_ms
                late = clock.latest_since(moment.moment) >= deadline and failures + 1 < policy.max_attempts
                return late and fact.not_before == deadline + _delay(failures + 1)
            case State.DISPATCHED:
                moved_to = self._started_up_to[moment.queue or ""]
                return moment.dispatched_at + LIMITS.lost_after_ms < moved_to and fact.failures == failures
        return False

    def _may_end(self, moment: Moment, fact: TaskFailedPermanently, clock: HeardClock) -> bool:
        accepted = self.accepted.get(fact.task_id)
        if accepted is None or moment.attempt != fact.attempt:
            return False
        policy = accepted.policy
        if moment.state is State.RUNNING:
            deadline = moment.changed_at + round(policy.timeout_seconds * 1000) + LIMITS.stuck_margin_ms
            return clock.latest_since(moment.moment) >= deadline and moment.failures + 1 >= policy.max_attempts
        spent = moment.failures >= policy.max_attempts or not moment.retryable
        return moment.state is State.FAILED and spent

    def _note_end(self, fact: AnyFact, memory: Memory) -> None:
        """Told apart from the fold: given up by what is not behind anything, opened by a request that is new."""
        task_id, attempt = fact.task_id, getattr(fact, "attempt", 0)
        completed = isinstance(memory, Closed) and memory.state is State.COMPLETED
        if isinstance(fact, TaskFailedPermanently) and attempt >= self._attempts[task_id] and not completed:
            if task_id in self.accepted:
                self.given_up.setdefault(task_id, attempt)
        elif isinstance(fact, TaskRequeued):
            if fact.id not in self._requests and task_id in self.given_up:
                del self.given_up[task_id]
                self._attempts[task_id] += 1
            self._requests.add(fact.id)
        self._attempts[task_id] = max(self._attempts[task_id], attempt)

    def _note_start(self, fact: AnyFact, at: int) -> None:
        """How far each queue has moved: the latest dispatch of which this very attempt has started."""
        if not isinstance(fact, TaskDispatched | TaskExecutionStarted):
            return
        name = f"{fact.task_id}:{fact.attempt}"
        if isinstance(fact, TaskDispatched):
            offset = self._memories[fact.task_id].offset
            self._dispatched.setdefault(name, (offset, at, fact.queue))
        else:
            self._started.add(name)
        if name in self._dispatched and name in self._started:
            _, dispatched_at, queue = self._dispatched[name]
            self._started_up_to[queue] = max(self._started_up_to[queue], dispatched_at)

    def _some(self, task_id: str, floor: int, fits: Callable[[Moment], bool]) -> list[Moment]:
        """The moments of a task that some fold at or above `floor` may have seen, and that fit."""
        moments = self.history.get(task_id, [])
        first = max(bisect_right(moments, floor, key=lambda moment: moment.offset) - 1, 0)
        return [moment for moment in moments[first:] if fits(moment)]

    def _object(self, what: str) -> None:
        self.violations.append(what)


def _at(moments: list[Moment], applied: int) -> Moment | None:
    """The last of the moments below an offset. Most often that is the last one of all."""
    if moments[-1].offset <= applied:
        return moments[-1]
    place = bisect_right(moments, applied, key=lambda moment: moment.offset)
    return moments[place - 1] if place else None


def _delay(failures: int) -> int:
    """The seed's delays: 1 s, 2 s, 4 s."""
    return 1000 * 2 ** (max(failures, 1) - 1)


def _moment(memory: Memory, offset: int, closed: bytes | None) -> Moment:
    """`closed`: the task's row of `dedup` so far, which stays when it is opened again."""
    now = asyncio.get_running_loop().time()
    if isinstance(memory, Closed):
        return Moment(offset, now, memory.state, 0, 0, 0, 0, 0, None, False, None, dedup.encode(memory))
    progress = memory.progress
    return Moment(
        offset,
        now,
        progress.state,
        progress.attempt,
        progress.failures,
        memory.changed_at,
        memory.not_before,
        memory.dispatched_at,
        memory.queue,
        memory.retryable,
        pending.encode(memory),
        closed,
    )
