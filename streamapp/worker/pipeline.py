"""What happens to one job, as named steps: claim, start, confirm, line up, run, store, record, end, settle.

In: a run. Out: facts, a settled delivery. Every step waits in place for a broker that is away and tries again; every
step may be the last one this process ever takes, and the next worker goes on from what guard and queue know.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from streamapp import failpoints
from streamapp.clock import Clock
from streamapp.domain import outcome
from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed
from streamapp.domain.outcome import Completed, Failed
from streamapp.failpoints import Gap
from streamapp.guard import Answer, Claim, Claims, Doomed, Held, Known, Superseded
from streamapp.metrics.worker import WorkerMetrics
from streamapp.producer import FactLog
from streamapp.telemetry import describe
from streamapp.wire import facts
from streamapp.wire.scribe import Scribe
from streamapp.worker.approach import Approach
from streamapp.worker.patience import Patience
from streamapp.worker.run import Calling, Run, Stage
from streamapp.worker.slots import Slots

Step: TypeAlias = Callable[[Run], Awaitable["Step | None"]]

GAPS = {
    "claim": Gap.AFTER_CLAIM,
    "start": Gap.AFTER_STARTED,
    "confirm": Gap.CLAIM_CONFIRMED,
    "line_up": Gap.BEFORE_HANDLER,
    "run": Gap.AFTER_HANDLER,
    "store": Gap.AFTER_OUTCOME_STORED,
    "record": Gap.AFTER_OUTCOME_FACT,
    "end": Gap.BEFORE_ACK,
    "settle": Gap.AFTER_ACK,
}
"""Step → the gap behind it."""

CONFIRMED_SECONDS = 0.25
"""A handler begins at most so long after its claim was confirmed."""

HELD_MARGIN_SECONDS = 0.05
"""Asked again this much after the lease that is in the way has run out."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Executes runs. `worker` is the id in facts; a job older than `retention_seconds` is reported instead of run."""

    guard: Claims
    log: FactLog
    caller: Calling
    approach: Approach
    slots: Slots
    scribe: Scribe
    patience: Patience
    clock: Clock
    worker: str
    retention_seconds: float
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)

    async def execute(self, run: Run) -> None:
        """Take the steps until none is left. Cancelled, the run is left as it is: see `hand_back`."""
        step: Step | None = self.claim
        while step is not None:
            gap = GAPS[step.__name__]
            step = await step(run)
            failpoints.reached(gap)

    async def claim(self, run: Run) -> Step | None:
        """Ask the guard, once what is claimed and started now will run at once (`approach`)."""
        if run.place is None:
            run.place = await self.approach.take()
        job = run.job
        answer: Answer = await self.patience.insist(
            lambda: self.guard.claim(job.task_id, job.attempt, job.first_attempt)
        )
        self.metrics.answered(answer)
        match answer:
            case Held(retry_after_seconds=seconds):
                return await self._wait(run, seconds)
            case Superseded(attempt=attempt):
                run.log.info("superseded: not run", by_attempt=attempt)
                return self.settle
            case Known(claim=claim, record=record):
                run.claim, run.stored = claim, True
                run.log.info("the outcome is known: not run again", recorded=record is None)
                return self._append_again(run, record)
            case Doomed(claim=claim, deaths=deaths, started=started):
                run.claim, run.outcome = claim, outcome.workers_died(deaths)
                run.free_slot()
                return self.store if started else self.start
        run.claim = answer.claim
        if run.age_seconds > self.retention_seconds:
            run.outcome = outcome.too_old(run.age_seconds)
            run.free_slot()
        elif answer.alone:
            # At once, and before whoever waits already: if one of them is what kills, this one would be blamed.
            run.log.warning("the last worker died running this job: it runs alone", deaths=answer.deaths)
            run.slot = await self.slots.take(alone=True)
        run.alone = answer.alone
        return self.start

    async def start(self, run: Run) -> Step | None:
        """Tell the diary, durably, before anything runs."""
        job, claim = run.job, _claim_of(run)
        started = self.scribe.started(
            job.task_id, job.attempt, self.worker, claim.token, run.redelivered, job.traceparent
        )
        await self.log.append_durably([started])
        return self.confirm

    async def confirm(self, run: Run) -> Step | None:
        """Race: while the start was being written, the lease may have run out and another worker taken over."""
        claim = _claim_of(run)
        run.confirmed_at = self.clock.monotonic()
        if not await self.patience.insist(lambda: self.guard.confirm(claim)):
            run.log.warning("the claim was lost before the handler ran: claiming again")
            run.claim = run.outcome = None
            run.free_slot()
            return self.claim
        if run.outcome is not None:
            return self.store
        return self.line_up if run.slot is None else self.run

    async def line_up(self, run: Run) -> Step | None:
        """Wait for a slot. What has waited long is confirmed once more: a suspended worker may have lost its claim."""
        if run.place is not None:
            run.place.ready()
        run.slot = await self.slots.take()
        return self.run if self.clock.monotonic() - run.confirmed_at < CONFIRMED_SECONDS else self.confirm

    async def run(self, run: Run) -> Step | None:
        """Run the handler under its timeout."""
        claim, slot, place = _claim_of(run), run.slot, run.place
        if slot is None or place is None:
            raise RuntimeError("a run without a slot")
        run.stage = Stage.RUNNING
        place.begin()
        run.log.info(f"→ Processing event: {run.job.task_id}")
        # The lease outlives the timeout and the grace by the time it takes to keep the outcome.
        self.guard.keep(claim, run.job.timeout_seconds + 2 * self.caller.cancel_grace_seconds)
        run.outcome, run.duration_ms = await self.caller.call(run, slot)
        self.guard.keep(claim, None)
        return self.store

    async def store(self, run: Run) -> Step | None:
        """Keep the outcome with the claim: from here on it is known, whoever dies."""
        if not run.alone:  # the next handler may be what kills, and must not find this one without an outcome
            run.free_slot()
        run.stage = Stage.RECORDING
        job, claim, result = run.job, _claim_of(run), run.outcome
        if result is None:
            raise RuntimeError("a run without an outcome")
        fact = self.scribe.ended(
            job.task_id, job.attempt, self.worker, claim.token, result, run.duration_ms, job.traceparent
        )
        _, record = facts.encode(fact)
        succeeded = isinstance(result, Completed)
        run.fact = fact
        run.stored = await self.patience.insist(lambda: self.guard.complete(claim, record, succeeded=succeeded))
        if not run.stored:
            run.log.warning("the claim was lost while the handler ran: the diary decides whether its outcome counts")
        return self.record

    async def record(self, run: Run) -> Step | None:
        """Tell the diary. The ack has to wait for this, however long Kafka is away."""
        if run.fact is None:
            raise RuntimeError("a run without a fact")
        run.free_slot()
        run.stage = Stage.RECORDING
        await self.log.append_durably([run.fact])
        if run.outcome is not None:
            self.metrics.type(run.job.type).ended(run.outcome)
        _say(run)
        return self.end if run.stored else self.settle

    async def end(self, run: Run) -> Step | None:
        """The guard need not keep the outcome any longer: the diary does."""
        claim = _claim_of(run)
        await self.patience.insist(lambda: self.guard.ended(claim))
        if claim.attempt < run.job.first_attempt:
            run.log.info("the outcome of an attempt from before the requeue is recorded: claiming again")
            run.claim, run.fact, run.stored, run.stage = None, None, False, Stage.WAITING
            return self.claim
        return self.settle

    async def settle(self, run: Run) -> Step | None:
        """Ack every delivery of the job.

        Race: one may join while another is being acked, hence the loop. An ack on a channel that is gone comes to
        nothing; the broker delivers again and the guard knows the outcome.
        """
        run.free_slot()
        run.stage = Stage.RECORDING
        while run.deliveries:
            self.metrics.settled("ack", await run.deliveries.pop().ack())
        return None

    async def hand_back(self, run: Run) -> None:
        """Give an unfinished run to whoever comes next: claim released, deliveries requeued."""
        run.free_slot()
        if run.claim is not None and not run.stored:
            try:
                await self.guard.release(run.claim)
            except Unavailable as error:
                run.log.warning("the claim could not be released; it lapses", error=describe(error))
        while run.deliveries:
            self.metrics.settled("requeue", await run.deliveries.pop().requeue())
        run.log.info("handed back", stage=run.stage.name.lower())

    async def _wait(self, run: Run, seconds: float) -> Step | None:
        run.free_slot()
        run.log.debug("another worker holds the task", retry_after_seconds=seconds)
        await self.clock.sleep(seconds + HELD_MARGIN_SECONDS)
        return self.claim

    def _append_again(self, run: Run, record: bytes | None) -> Step:
        if record is None:
            return self.settle
        fact = facts.decode(run.job.task_id.encode(), record)
        if not isinstance(fact, TaskExecutionCompleted | TaskExecutionFailed):
            raise facts.Undecodable(f"the guard keeps a {fact.NAME} as an outcome")
        run.fact = fact
        return self.record


def _claim_of(run: Run) -> Claim:
    if run.claim is None:
        raise RuntimeError("a run without a claim")
    return run.claim


def _say(run: Run) -> None:
    """The line that the first seed shows for an event; said once the diary knows."""
    task_id, result = run.job.task_id, run.outcome
    if isinstance(result, Completed):
        run.log.info(f"✓ Event processed successfully: {task_id}", duration_ms=run.duration_ms)
    elif isinstance(result, Failed):
        run.log.warning(
            f"✗ Event failed: {task_id}",
            error_type=result.error_type,
            retryable=result.retryable,
            duration_ms=run.duration_ms,
        )
