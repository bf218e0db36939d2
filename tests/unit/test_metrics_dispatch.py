"""What dispatch tells of its outbox: stages, gates, lateness. The index against a recount; the pump with fakes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.dispatch import Pump
from agents.dispatch.action import Action
from agents.dispatch.outbox_index import PartitionIndex
from streamapp.clock import BrokerClock, SystemClock
from streamapp.domain.dispatch import AwaitStart, Decision, GiveUp, Limits, Nothing, Publish, ScheduleRetry, Wait
from streamapp.domain.errors import StreamappError, Unavailable
from streamapp.domain.facts import AnyFact
from streamapp.domain.outbox import Open
from streamapp.domain.policy import Policy
from streamapp.domain.progress import Progress, State
from streamapp.metrics import Metrics
from streamapp.metrics.outbox import OutboxMetrics
from streamapp.producer import Position
from streamapp.stream.horizon import Gates
from streamapp.wire.jobs import Job
from streamapp.wire.scribe import Scribe
from tests.support.metrics import scrape
from tests.support.waiting import until

LATE_MS = 1500
KEYS = [b"a", b"b", b"c"]

filings = st.one_of(
    st.tuples(st.just(State.ACCEPTED), st.just(Publish(1))),
    st.tuples(st.just(State.FAILED), st.just(ScheduleRetry(2, 5, "no", 1))),
    st.tuples(st.just(State.FAILED), st.just(GiveUp(1, "no"))),
    st.tuples(st.just(State.RETRY_SCHEDULED), st.builds(Wait, st.integers(0, 100))),
    st.tuples(st.just(State.RUNNING), st.builds(Wait, st.integers(0, 100))),
    st.tuples(st.just(State.DISPATCHED), st.just(AwaitStart("q", 3))),
    st.tuples(st.just(State.REJECTED), st.just(Nothing())),
)
steps = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(KEYS), filings),
    st.tuples(st.just("drop"), st.sampled_from(KEYS), st.none()),
    st.tuples(st.just("postpone"), st.sampled_from(KEYS), st.integers(0, 100)),
    st.tuples(st.just("take"), st.integers(0, 2), st.integers(0, 100)),
)


def stage_of(state: State, decision: Decision) -> str | None:
    match decision:
        case Wait():
            return "retry" if state is State.RETRY_SCHEDULED else "running"
        case AwaitStart():
            return "awaiting_start"
        case Nothing():
            return None
        case _:
            return "due"


@given(st.lists(steps, max_size=30))
def test_stages_are_what_was_filed_and_not_taken(told: list[tuple[str, Any, Any]]) -> None:
    index, filed, timers = PartitionIndex(), dict[bytes, str | None](), dict[bytes, int]()
    for step, subject, detail in told:
        match step:
            case "put":
                state, decision = detail
                index.put(subject, decision, state)
                filed[subject] = stage_of(state, decision)
                timers.pop(subject, None)
                if isinstance(decision, Wait):
                    timers[subject] = decision.until
            case "drop":
                index.drop(subject)
                filed.pop(subject, None)
                timers.pop(subject, None)
            case "postpone":
                index.postpone(subject, detail)
                filed[subject], timers[subject] = "due", detail
            case _:
                for key in [key for key, at in timers.items() if at <= detail]:
                    filed[key] = "due"  # its timer has fired: it waits for nothing any more
                    del timers[key]
                for key in index.take(subject, detail):
                    assert filed.pop(key) == "due"
        wanted = Counter(stage for stage in filed.values() if stage is not None)
        assert {stage: number for stage, number in index.stages.items() if number} == dict(wanted)
        assert len(index) == wanted.total()


def entry(task_id: str, state: State = State.ACCEPTED, changed_at: int = 0, not_before: int = 0) -> Open:
    progress = Progress(state, 1, "accepted", 0)
    return Open(
        task_id, 7, progress, "ANY", {}, Policy(), changed_at=changed_at, not_before=not_before, traceparent=None
    )


def test_a_job_is_due_from_the_acceptance_or_the_retrys_not_before() -> None:
    def due(open_entry: Open, decision: Publish | GiveUp) -> int | None:
        return Action(0, b"t", open_entry, decision).due_ms

    assert due(entry("t", State.ACCEPTED, changed_at=5, not_before=0), Publish(1)) == 5
    assert due(entry("t", State.RETRY_SCHEDULED, changed_at=5, not_before=9), Publish(2)) == 9
    # Decided late: it could not have been published before it was scheduled.
    assert due(entry("t", State.RETRY_SCHEDULED, changed_at=12, not_before=9), Publish(2)) == 12
    assert due(entry("t", State.FAILED, changed_at=5), GiveUp(1, "no")) is None


def test_a_gate_is_told_with_what_is_left_until_it_opens() -> None:
    gates = Gates()
    gates.capture({0: 10, 1: 0}, {0: 4})
    assert gates.remaining() == {0: 6, 1: 0}
    gates.advance(0, 10)
    assert gates.remaining() == {0: 0, 1: 0}
    gates.shut()
    assert gates.remaining() == {}


class FakePending:
    def __init__(self, *entries: Open) -> None:
        self.entries = {item.task_id.encode(): item for item in entries}

    def all(self, partition: int) -> Iterator[tuple[bytes, Open]]:
        yield from self.entries.items()

    def get(self, partition: int, key: bytes) -> Open | None:
        return self.entries.get(key)


class FakePublisher:
    def __init__(self) -> None:
        self.connected = True
        self.refusing = False

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def publish_all(self, window: Sequence[tuple[str, Job]]) -> list[StreamappError | None]:
        return [Unavailable("no") if self.refusing else None for _ in window]


class FakeDiary:
    available = True

    def __init__(self) -> None:
        self.facts: list[AnyFact] = []

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        raise AssertionError("dispatch appends durably or not at all")

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        self.facts += facts
        return [Position("t", 0, 100 + number, SystemClock().now_ms()) for number, _ in enumerate(facts)]


@asynccontextmanager
async def pumping(pending: FakePending, publisher: FakePublisher) -> AsyncIterator[tuple[Pump, FakeDiary, Metrics]]:
    metrics, diary = Metrics(), FakeDiary()
    numbers = OutboxMetrics(metrics)
    scribe = Scribe("dispatch", "d", lambda: "2026-01-01T00:00:00.000Z")
    pump = Pump(
        pending,  # type: ignore[arg-type]
        publisher,
        diary,
        scribe,
        BrokerClock(SystemClock()),
        lambda _: "q",
        Limits(),
        window=10,
        reconcile_seconds=30,
        settle_seconds=1,
        metrics=numbers,
    )
    numbers.watch(pump.stages, pump.acting, lambda: {0: 0, 3: 12})
    await pump.start()
    try:
        yield pump, diary, metrics
    finally:
        await pump.stop()


async def test_lateness_is_from_due_to_dispatched() -> None:
    now = SystemClock().now_ms()
    late = entry("late", changed_at=now - LATE_MS)
    over = entry("over", State.FAILED, changed_at=now)
    over.error, over.retryable = "Boom", False
    async with pumping(FakePending(late, over), FakePublisher()) as (pump, diary, metrics):
        await pump.open(0)
        await until(lambda: len(diary.facts) == 2)
        await until(lambda: not pump.acting())
        told = scrape(metrics)
    assert sorted(fact.NAME for fact in diary.facts) == ["TaskDispatched", "TaskFailedPermanently"]
    assert told.value("streamapp_dispatch_lateness_seconds_count") == 1
    assert LATE_MS / 1000 <= told.value("streamapp_dispatch_lateness_seconds_sum") < LATE_MS / 1000 + 20
    assert told.value("streamapp_dispatch_in_flight") == 0


async def test_what_rabbitmq_does_not_take_stays_due() -> None:
    publisher = FakePublisher()
    publisher.refusing = True
    now = SystemClock().now_ms()
    pending = FakePending(
        entry("a", changed_at=now),
        entry("b", changed_at=now),
        entry("later", State.RETRY_SCHEDULED, changed_at=now, not_before=now + 3_600_000),
        entry("running", State.RUNNING, changed_at=now),
        entry("sent", State.DISPATCHED, changed_at=now),
    )
    async with pumping(pending, publisher) as (pump, diary, metrics):
        await pump.open(3)
        await until(lambda: pump.stages()[3]["due"] == 2 and not pump.acting())
        told = scrape(metrics)
        assert told.value("streamapp_dispatch_outbox_entries", partition="3", stage="due") == 2
        assert told.value("streamapp_dispatch_outbox_entries", partition="3", stage="retry") == 1
        assert told.value("streamapp_dispatch_outbox_entries", partition="3", stage="running") == 1
        assert told.value("streamapp_dispatch_outbox_entries", partition="3", stage="awaiting_start") == 1
        assert told.value("streamapp_dispatch_lateness_seconds_count") == 0
        publisher.refusing = False
        await until(lambda: len(diary.facts) == 2)
        await until(lambda: pump.stages()[3]["due"] == 0 and not pump.acting())
        assert scrape(metrics).value("streamapp_dispatch_lateness_seconds_count") == 2


async def test_gates_are_told_by_partition() -> None:
    async with pumping(FakePending(), FakePublisher()) as (_, _, metrics):
        await asyncio.sleep(0)
        told = scrape(metrics)
    assert told.value("streamapp_dispatch_gate_open", partition="0") == 1
    assert told.value("streamapp_dispatch_gate_open", partition="3") == 0
    assert told.value("streamapp_dispatch_facts_behind_horizon", partition="3") == 12
