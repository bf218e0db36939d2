"""The pipeline and its supervisor with a fake guard, fact log and queue: what is told and settled, in what order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.clock import SystemClock
from streamapp.domain.errors import RetryableFailure
from streamapp.domain.facts import AnyFact, TaskExecutionCompleted, TaskExecutionFailed, TaskExecutionStarted
from streamapp.guard import Claimed
from streamapp.handlers import Context, Handler
from streamapp.metrics import Metrics
from streamapp.metrics.worker import WorkerMetrics
from streamapp.producer import Position
from streamapp.telemetry import get_log
from streamapp.wire import facts, jobs
from streamapp.wire.jobs import Job
from streamapp.wire.scribe import Scribe
from streamapp.worker import worker as worker_module
from streamapp.worker.approach import Approach
from streamapp.worker.call import Caller
from streamapp.worker.patience import Patience
from streamapp.worker.pipeline import Pipeline
from streamapp.worker.slots import Slots
from streamapp.worker.worker import Worker
from tests.support.guard import FakeGuard, Memory

NOW_MS = 1_800_000_000_000
WEEK_SECONDS = 7 * 86_400.0


class QuickClock(SystemClock):
    """Stands at NOW_MS; waits an instant, and notes for how long it was asked to."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now_ms(self) -> int:
        return NOW_MS

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0.001)


class FakeLog:
    """A diary in memory. While `down`, facts wait."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.facts: list[AnyFact] = []
        self.up = asyncio.Event()
        self.up.set()
        self.waiting = 0

    available = True

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        raise AssertionError("the worker appends durably or not at all")

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        self.waiting += 1
        await self.up.wait()
        self.waiting -= 1
        self.facts += facts
        self.events += [fact.NAME for fact in facts]
        return [Position("t", 0, len(self.facts), NOW_MS) for _ in facts]


@dataclass(eq=False)
class FakeDelivery:
    body: bytes
    events: list[str]
    redelivered: bool = False
    published_at_ms: int | None = NOW_MS
    queue: str = "q"
    alive: bool = True
    settled: list[str] = field(default_factory=list)

    async def _settle(self, how: str) -> bool:
        await asyncio.sleep(0)
        self.settled.append(how)
        self.events.append(how)
        return self.alive

    async def ack(self) -> bool:
        return await self._settle("ack")

    async def requeue(self) -> bool:
        return await self._settle("requeue")

    async def dead_letter(self) -> bool:
        return await self._settle("dead_letter")


class Bench:
    """One worker with everything around it faked."""

    def __init__(self, memory: Memory | None = None, name: str = "w", concurrency: int = 5) -> None:
        self.memory = memory or Memory()
        self.events: list[str] = []
        self.guard = FakeGuard(self.memory, name)
        self.log = FakeLog(self.events)
        self.clock = QuickClock()
        self.slots = Slots(concurrency)
        self.approach = Approach(concurrency, self.clock)
        self.handler: Callable[[Any, Context], Awaitable[Any]] = self.succeed
        self.running: set[str] = set()
        self.runs: list[str] = []
        log = get_log("test", worker=name)
        environment: Any = SimpleNamespace(resources={}, threads=None)
        self.metrics = Metrics()
        counts = WorkerMetrics(self.metrics, ["ANY"])
        caller = Caller(self, None, environment, self.clock, 0.05, 1000, counts)  # type: ignore[arg-type]
        scribe = Scribe("worker", name, lambda: "2026-01-01T00:00:00.000Z")
        patience = Patience(self.clock, log)
        self.pipeline = Pipeline(
            self.guard,
            self.log,
            caller,
            self.approach,
            self.slots,
            scribe,
            patience,
            self.clock,
            name,
            WEEK_SECONDS,
            counts,
        )
        self.worker = Worker(self.pipeline, self.clock, log, counts)

    def get(self, type: str) -> Handler:
        """As `Handlers.get`."""

        async def run(params: Any, context: Context) -> Any:
            self.runs.append(context.task_id)
            self.running.add(context.task_id)
            self.events.append("run")
            try:
                return await self.handler(params, context)
            finally:
                self.running.discard(context.task_id)

        return Handler(None, run)

    async def succeed(self, params: Any, context: Context) -> Any:
        return "done"

    def deliver(self, task_id: str = "t", attempt: int = 1, **changes: Any) -> FakeDelivery:
        first, timeout = changes.pop("first_attempt", 1), changes.pop("timeout_seconds", 30)
        body = jobs.encode(Job(task_id, attempt, changes.pop("type", "ANY"), {}, timeout, None, first))
        delivery = FakeDelivery(body, self.events, **changes)
        self.worker.on_delivery(delivery)
        return delivery

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)

    async def idle(self) -> None:
        await self.until(lambda: self.worker.held == 0)

    @property
    def told(self) -> list[str]:
        return [fact.NAME for fact in self.log.facts]

    async def stop(self, grace: float = 0.0) -> None:
        await self.worker.stop(grace, asyncio.Event())


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


async def test_order_of_a_good_day() -> None:
    bench = Bench()
    bench.deliver()
    await bench.idle()
    assert bench.events == ["TaskExecutionStarted", "run", "TaskExecutionCompleted", "ack"]
    assert bench.memory.rows["t"].status == "ended"
    started, completed = bench.log.facts
    assert isinstance(started, TaskExecutionStarted)
    assert isinstance(completed, TaskExecutionCompleted)
    assert started.token == completed.token
    assert completed.result == "done"
    assert bench.guard.kept == {}


async def test_seeds_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = Bench()
    bench.deliver("evt-1")
    await bench.idle()

    async def fail(params: Any, context: Context) -> None:
        raise RetryableFailure("no", error_type="Nope")

    bench.handler = fail
    bench.deliver("evt-2")
    await bench.idle()
    lines = {record.getMessage(): getattr(record, "streamapp_fields", {}) for record in caplog.records}
    for message in ("→ Processing event: evt-1", "✓ Event processed successfully: evt-1"):
        assert {"task": "evt-1", "attempt": 1, "type": "ANY", "worker": "w"}.items() <= lines[message].items()
    failed = lines["✗ Event failed: evt-2"]
    assert {"error_type": "Nope", "attempt": 1, "retryable": True}.items() <= failed.items()


async def test_no_more_handlers_at_once_than_the_concurrency(gate: asyncio.Event) -> None:
    bench = Bench(concurrency=3)

    async def hold(params: Any, context: Context) -> None:
        await gate.wait()

    bench.handler = hold
    for number in range(10):
        bench.deliver(f"t-{number}")
    await bench.until(lambda: len(bench.running) == 3)
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(20)))
    assert len(bench.running) == 3
    assert bench.told.count("TaskExecutionStarted") == 3
    gate.set()
    await bench.idle()
    assert len(bench.runs) == 10


async def test_redelivery_joins_the_run_and_both_are_settled(gate: asyncio.Event) -> None:
    bench = Bench()

    async def hold(params: Any, context: Context) -> None:
        await gate.wait()

    bench.handler = hold
    first = bench.deliver(alive=False)
    await bench.until(lambda: bench.running)
    second = bench.deliver(redelivered=True)
    gate.set()
    await bench.idle()
    assert (first.settled, second.settled) == (["ack"], ["ack"])
    assert bench.runs == ["t"]
    assert bench.told == ["TaskExecutionStarted", "TaskExecutionCompleted"]


async def test_known_outcome_is_told_again_under_the_same_id() -> None:
    bench = Bench()
    bench.deliver()
    await bench.idle()
    told = bench.log.facts[-1]
    row = bench.memory.rows["t"]
    row.status = "outcome"
    row.record = facts.encode(told)[1]
    other = Bench(bench.memory, "other")
    delivery = other.deliver()
    await other.idle()
    assert other.log.facts == [told]
    assert other.runs == []
    assert delivery.settled == ["ack"]
    assert row.status == "ended"


async def test_requeued_attempt_runs_after_a_success_that_did_not_count_was_told() -> None:
    """A worker died before it could tell its success; meanwhile the task was given up, and then requeued."""
    bench = Bench()
    bench.deliver()
    await bench.idle()
    told = bench.log.facts[-1]
    row = bench.memory.rows["t"]
    row.status, row.record = "outcome", facts.encode(told)[1]
    other = Bench(bench.memory, "other")
    delivery = other.deliver(attempt=2, first_attempt=2)
    await other.idle()
    assert other.log.facts[0] == told
    assert other.told == ["TaskExecutionCompleted", "TaskExecutionStarted", "TaskExecutionCompleted"]
    assert [fact.attempt for fact in other.log.facts] == [1, 2, 2]
    assert other.events[-3:] == ["run", "TaskExecutionCompleted", "ack"]
    assert (other.runs, delivery.settled, other.approach.ahead) == (["t"], ["ack"], 0)
    assert (other.memory.rows["t"].attempt, other.memory.rows["t"].status) == (2, "ended")


async def test_retry_after_a_success_that_counts_is_not_run() -> None:
    bench = Bench()
    bench.deliver()
    await bench.idle()
    delivery = bench.deliver(attempt=2)
    await bench.idle()
    assert (bench.runs, delivery.settled) == (["t"], ["ack"])


async def test_outcome_the_diary_has_is_not_told_again() -> None:
    bench = Bench()
    bench.deliver()
    await bench.idle()
    delivery = bench.deliver()
    await bench.idle()
    assert len(bench.log.facts) == 2
    assert delivery.settled == ["ack"]


async def test_superseded_job_is_acked_and_nothing_is_told() -> None:
    bench = Bench()
    bench.deliver(attempt=2)
    await bench.idle()
    before = list(bench.log.facts)
    delivery = bench.deliver(attempt=1)
    await bench.idle()
    assert (delivery.settled, bench.log.facts) == (["ack"], before)


async def test_held_job_waits_and_asks_again() -> None:
    bench = Bench()
    holder = FakeGuard(bench.memory, "holder")
    answer = await holder.claim("t", 1)
    delivery = bench.deliver()
    await bench.until(lambda: len(bench.clock.waits) >= 3)
    assert bench.slots.taken == 0
    assert bench.runs == delivery.settled == []
    assert bench.clock.waits[0] == pytest.approx(30.05)
    assert isinstance(answer, Claimed)
    await holder.release(answer.claim)
    await bench.idle()
    assert (bench.runs, delivery.settled) == (["t"], ["ack"])


async def test_job_whose_worker_died_runs_alone(gate: asyncio.Event) -> None:
    bench = Bench(concurrency=3)

    async def hold(params: Any, context: Context) -> None:
        await gate.wait()

    await FakeGuard(bench.memory, "dead").claim("poison", 1)
    bench.memory.let_lapse()
    bench.handler = hold
    bench.deliver("neighbour")
    await bench.until(lambda: bench.running)
    bench.deliver("poison")
    await bench.until(lambda: "poison" in bench.memory.rows and bench.memory.rows["poison"].owner == "w")
    bench.deliver("late")
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(20)))
    assert bench.running == {"neighbour"}
    alone: list[set[str]] = []

    async def look(params: Any, context: Context) -> None:
        alone.append(set(bench.running))

    bench.handler = look
    gate.set()
    await bench.idle()
    assert alone[0] == {"poison"}
    assert bench.runs == ["neighbour", "poison", "late"]


async def test_nobody_runs_beside_a_lonely_job_before_its_outcome_is_kept() -> None:
    """Red: the next handler began the moment its own had ended, killed the worker, and the lonely one was blamed."""
    bench = Bench(concurrency=3)
    complete, taken = bench.guard.complete, []

    async def watched(claim: Any, record: bytes, *, succeeded: bool) -> bool:
        taken.append(bench.slots.taken)
        return await complete(claim, record, succeeded=succeeded)

    bench.guard.complete = watched  # type: ignore[method-assign]
    await FakeGuard(bench.memory, "dead").claim("poison", 1)
    bench.memory.let_lapse()
    bench.deliver("poison")
    await bench.idle()
    assert (taken, bench.slots.taken) == ([1], 0)


async def die_alone(memory: Memory, *, attempt: int, times: int) -> None:
    """So many workers die that were about to run the task, the first of them in company."""
    for number in range(times):
        guard = FakeGuard(memory, f"dead-{attempt}-{number}")
        answer = await guard.claim("t", attempt)
        assert isinstance(answer, Claimed)
        assert await guard.confirm(answer.claim)
        memory.let_lapse()


async def test_doomed_job_is_told_and_not_run() -> None:
    memory = Memory()
    await die_alone(memory, attempt=1, times=4)
    bench = Bench(memory)
    delivery = bench.deliver()
    await bench.idle()
    assert bench.told == ["TaskExecutionFailed"]
    outcome = bench.log.facts[-1]
    assert isinstance(outcome, TaskExecutionFailed)
    assert (outcome.error_type, outcome.retryable, outcome.token.claim) == ("WorkersDied", False, 5)
    assert (bench.runs, delivery.settled) == ([], ["ack"])


async def test_start_of_a_doomed_attempt_is_told_where_nobody_has() -> None:
    """An outcome without a start would not count: here the workers died in the attempt before."""
    memory = Memory()
    await die_alone(memory, attempt=1, times=4)
    bench = Bench(memory)
    bench.deliver(attempt=2)
    await bench.idle()
    assert bench.told == ["TaskExecutionStarted", "TaskExecutionFailed"]
    assert bench.runs == []


async def test_workers_that_died_waiting_to_run_doom_no_job() -> None:
    memory = Memory()
    for number in range(9):
        assert isinstance(await FakeGuard(memory, f"dead-{number}").claim("t", 1), Claimed)
        memory.let_lapse()
    bench = Bench(memory)
    bench.deliver()
    await bench.idle()
    assert bench.runs == ["t"]


@pytest.mark.parametrize(
    ("published", "run"),
    [(NOW_MS - 7 * 86_400_000 - 1, False), (NOW_MS - 7 * 86_400_000, True), (None, True), (NOW_MS + 1, True)],
)
async def test_only_jobs_older_than_claims_are_not_run(published: int | None, run: bool) -> None:
    bench = Bench()
    delivery = bench.deliver(published_at_ms=published)
    await bench.idle()
    assert bench.runs == (["t"] if run else [])
    assert bench.told[0] == "TaskExecutionStarted"
    assert delivery.settled == ["ack"]
    if not run:
        outcome = bench.log.facts[-1]
        assert isinstance(outcome, TaskExecutionFailed)
        assert (outcome.error_type, outcome.counted) == ("JobTooOld", False)


async def test_old_job_with_a_known_outcome_is_settled() -> None:
    bench = Bench()
    bench.deliver()
    await bench.idle()
    delivery = bench.deliver(published_at_ms=1)
    await bench.idle()
    assert (len(bench.log.facts), delivery.settled) == (2, ["ack"])


async def test_what_is_no_job_is_dead_lettered() -> None:
    bench = Bench()
    delivery = FakeDelivery(b"\x00", bench.events)
    bench.worker.on_delivery(delivery)
    await bench.until(lambda: delivery.settled)
    assert delivery.settled == ["dead_letter"]


async def test_redis_down_acks_nothing_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.memory.down = True
    deliveries = [bench.deliver(f"t-{number}") for number in range(3)]
    await bench.until(lambda: len(bench.clock.waits) >= 20)
    assert bench.events == []
    assert max(bench.clock.waits) <= 2.0
    bench.memory.down = False
    await bench.idle()
    assert [delivery.settled for delivery in deliveries] == [["ack"]] * 3
    assert caplog.text.count("the guard does not answer") == 1


async def test_redis_lost_while_a_handler_runs(gate: asyncio.Event) -> None:
    bench = Bench()

    async def hold(params: Any, context: Context) -> str:
        await gate.wait()
        return "kept"

    bench.handler = hold
    delivery = bench.deliver()
    await bench.until(lambda: bench.running)
    bench.memory.down = True
    gate.set()
    await bench.until(lambda: len(bench.clock.waits) >= 3)
    assert bench.told == ["TaskExecutionStarted"]
    bench.memory.down = False
    await bench.idle()
    assert bench.told == ["TaskExecutionStarted", "TaskExecutionCompleted"]
    assert (bench.runs, delivery.settled) == (["t"], ["ack"])


async def test_kafka_down_runs_and_acks_nothing() -> None:
    bench = Bench()
    bench.log.up.clear()
    delivery = bench.deliver()
    await bench.until(lambda: bench.log.waiting)
    assert bench.runs == delivery.settled == []
    bench.log.up.set()
    await bench.idle()
    assert delivery.settled == ["ack"]


async def test_claim_lost_while_the_start_was_written() -> None:
    """Another worker took over meanwhile: this one asks again instead of running."""
    bench = Bench()
    bench.log.up.clear()
    delivery = bench.deliver()
    await bench.until(lambda: bench.log.waiting)
    bench.memory.let_lapse()
    heir = Bench(bench.memory, "heir")
    heir.deliver()
    await heir.idle()
    bench.log.up.set()
    await bench.idle()
    assert (bench.runs, heir.runs) == ([], ["t"])
    assert delivery.settled == ["ack"]


async def test_claim_lost_while_the_handler_ran(gate: asyncio.Event, caplog: pytest.LogCaptureFixture) -> None:
    """Its outcome is told all the same, below the heir's token, and changes nothing in the guard."""
    bench = Bench()

    async def hold(params: Any, context: Context) -> None:
        await gate.wait()

    bench.handler = hold
    delivery = bench.deliver()
    await bench.until(lambda: bench.running)
    bench.memory.let_lapse()
    heir = Bench(bench.memory, "heir")
    heir.deliver()
    await heir.idle()
    gate.set()
    await bench.idle()
    assert bench.told == ["TaskExecutionStarted", "TaskExecutionCompleted"]
    assert bench.log.facts[-1].token < heir.log.facts[-1].token  # type: ignore[union-attr]
    assert delivery.settled == ["ack"]
    assert bench.memory.rows["t"].owner == "heir"
    assert "the claim was lost while the handler ran" in caplog.text


async def test_stop_hands_back_what_waits_and_lets_the_rest_end(gate: asyncio.Event) -> None:
    bench = Bench(concurrency=1)

    async def hold(params: Any, context: Context) -> None:
        await gate.wait()

    bench.handler = hold
    running, waiting = bench.deliver("running"), bench.deliver("waiting")
    await bench.until(lambda: bench.running)
    stopping = asyncio.create_task(bench.stop(grace=20))
    await bench.until(lambda: waiting.settled)
    late = bench.deliver("late")
    assert running.settled == []
    gate.set()
    await stopping
    assert (running.settled, waiting.settled, late.settled) == (["ack"], ["requeue"], ["requeue"])
    assert bench.worker.held == 0


@pytest.mark.parametrize("hurried", [True, False])
async def test_stop_hands_back_what_does_not_end(hurried: bool) -> None:
    bench = Bench()

    async def hold(params: Any, context: Context) -> None:
        await asyncio.Event().wait()

    bench.handler = hold
    delivery = bench.deliver()
    await bench.until(lambda: bench.running)
    hurry = asyncio.Event()
    stopping = asyncio.create_task(bench.worker.stop(3600 if hurried else 0.01, hurry))
    if hurried:
        hurry.set()
    async with asyncio.timeout(20):
        await stopping
    assert delivery.settled == ["requeue"]
    assert bench.memory.rows["t"].status == "released"
    assert bench.told == ["TaskExecutionStarted"]


async def test_stop_while_an_outcome_waits_for_kafka_keeps_the_outcome(gate: asyncio.Event) -> None:
    bench = Bench()

    async def hold(params: Any, context: Context) -> None:
        await gate.wait()

    bench.handler = hold
    delivery = bench.deliver()
    await bench.until(lambda: bench.running)
    bench.log.up.clear()
    gate.set()
    await bench.until(lambda: bench.log.waiting)
    await bench.stop(grace=0.01)
    assert delivery.settled == ["requeue"]
    assert bench.memory.rows["t"].status == "outcome"
    heir = Bench(bench.memory, "heir")
    heir.deliver()
    await heir.idle()
    assert (heir.runs, heir.told) == ([], ["TaskExecutionCompleted"])


async def test_fault_of_our_own_hands_the_job_back_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()

    async def broken(task_id: str, attempt: int) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(bench.guard, "claim", broken)
    delivery = bench.deliver()
    await bench.idle()
    assert delivery.settled == ["requeue"]
    assert bench.clock.waits == [worker_module.FAULT_PAUSE_SECONDS]
    assert bench.slots.taken == 0
    assert "a fault of streamapp" in caplog.text


async def test_job_that_came_as_the_worker_was_stopped_is_settled() -> None:
    """Red: its task was cancelled before its first step, ran no line, and the worker waited for it for ever."""
    bench = Bench()
    delivery = bench.deliver()
    async with asyncio.timeout(10):
        await bench.worker.stop(5.0, asyncio.Event())
    assert (bench.worker.held, len(delivery.settled)) == (0, 1)
