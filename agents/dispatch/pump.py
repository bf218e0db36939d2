"""The pump drains the outbox: publishes jobs, appends TaskDispatched, decides retries, fires due timers.

The only code in streamapp that causes anything, and only for partitions whose gate is open. Order: publish, confirm,
then the fact (`reliability`, decision 2). It remembers what it has done until the fold has seen it, so that it never
does a thing twice while it lives; a crash between confirm and fact costs one job with the same message id.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from agents.dispatch.action import Action
from agents.dispatch.outbox_index import PartitionIndex
from agents.dispatch.queues import Queues
from streamapp import failpoints
from streamapp.clock import BrokerClock
from streamapp.domain.dispatch import Decision, GiveUp, Limits, Publish, ScheduleRetry, decide
from streamapp.domain.errors import StreamappError, Unavailable
from streamapp.domain.outbox import Memory, Open
from streamapp.failpoints import Gap
from streamapp.metrics.outbox import OutboxMetrics
from streamapp.producer import FactLog
from streamapp.queue import Publisher
from streamapp.telemetry import describe, get_log
from streamapp.wire.jobs import Job
from streamapp.wire.scribe import Scribe
from tables.pending import Pending

log = get_log(__name__)

ROWS_BETWEEN_YIELDS = 200
WINDOWS = 4
"""Windows under way at once: while one waits for its facts, the next is being confirmed."""
MAX_BACKOFF_MS = 30_000
CLOCK_JUMP_MS = 1_000


class Pump:
    """Carries out what `domain.dispatch.decide` says. `queue_of` gives the queue of a task type.

    `clock` goes by the broker's time, and hears it with every fact that the pump appends.
    """

    def __init__(
        self,
        pending: Pending,
        publisher: Publisher,
        facts: FactLog,
        scribe: Scribe,
        clock: BrokerClock,
        queue_of: Callable[[str], str],
        limits: Limits,
        *,
        window: int,
        reconcile_seconds: float,
        settle_seconds: float,
        metrics: OutboxMetrics | None = None,
    ) -> None:
        self._pending = pending
        self._publisher = publisher
        self._facts = facts
        self._scribe = scribe
        self._clock = clock
        self._queue_of = queue_of
        self._limits = limits
        self._window = window
        self._reconcile_seconds = reconcile_seconds
        self._settle_seconds = settle_seconds
        self._metrics = metrics or OutboxMetrics()
        self._open: dict[int, PartitionIndex] = {}
        self._acting: set[bytes] = set()
        self._done: dict[bytes, int] = {}
        self._failures: dict[bytes, int] = {}
        self._queues = Queues()
        self._wake = asyncio.Event()
        self._wrong_clock = asyncio.Event()
        self._windows: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def stages(self) -> dict[int, dict[str, int]]:
        """Open entries by partition and by what they wait for; those in flight are not among them."""
        return {partition: index.stages for partition, index in self._open.items()}

    def acting(self) -> int:
        """Entries in flight."""
        return len(self._acting)

    async def start(self) -> None:
        """Connect to RabbitMQ and begin to wait for work."""
        await self._publisher.start()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._reconcile_for_ever())]

    async def stop(self) -> None:
        """Settle and stop."""
        await self.settle()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._publisher.close()

    async def open(self, partition: int) -> int:
        """Begin to act on a partition: index its whole outbox. Returns the number of open entries."""
        self._open[partition] = PartitionIndex()
        count = await self._index(partition)
        self._wake.set()
        return count

    def changed(self, partition: int, memories: Mapping[bytes, Memory]) -> None:
        """Entries were folded: file them anew."""
        index = self._open.get(partition)
        if index is None:
            return
        for key, memory in memories.items():
            self._file(index, key, memory)
        self._wake.set()

    def moved_on(self, started: Iterable[tuple[str, int]]) -> None:
        """Jobs have started: (queue, broker's time of their dispatch). What was dispatched long before may be lost."""
        self._queues.started(started, self._clock.now_ms())

    async def settle(self) -> None:
        """Act on nothing any more, and wait for what is in flight: at most `settle_seconds`."""
        self._open = {}
        if self._windows:
            _, late = await asyncio.wait(self._windows, timeout=self._settle_seconds)
            for window in late:
                window.cancel()
            if late:
                # The next owner may publish these again before their facts are durable: same message id, guarded.
                log.warning("publishes were still in flight when partitions were taken away", windows=len(late))
        self._acting.clear()
        self._done.clear()
        self._failures.clear()

    def _file(self, index: PartitionIndex, key: bytes, memory: Memory) -> None:
        if not isinstance(memory, Open):
            self._done.pop(key, None)
            self._failures.pop(key, None)
            index.drop(key)
            return
        done_at = self._done.get(key)
        if done_at is not None and memory.offset >= done_at:
            del self._done[key]
        if key in self._done or key in self._acting:
            index.drop(key)
            return
        if key in self._failures and key in index and isinstance(self._decide(memory), Publish):
            return  # filed under its back-off
        index.put(key, self._decide(memory), memory.progress.state)

    def _decide(self, entry: Open) -> Decision:
        return decide(entry, self._clock.now_ms(), self._queues.started_up_to(entry.queue), self._limits)

    async def _index(self, partition: int) -> int:
        index = self._open.get(partition)
        count = 0
        for key, entry in self._pending.all(partition):
            if index is None or self._open.get(partition) is not index:
                break  # taken away while we looked
            self._file(index, key, entry)
            count += 1
            if count % ROWS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
        return count

    async def _reconcile_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._reconcile_seconds):
                    await self._wrong_clock.wait()
            self._wrong_clock.clear()
            for partition in list(self._open):
                await self._index(partition)
            self._wake.set()

    async def _run(self) -> None:
        while True:
            try:
                self._overtaken()
                actions = self._take()
                if actions:
                    await self._start_window(actions)
                else:
                    await self._sleep()
            except Exception:
                log.exception("the pump stumbled, going on")
                await self._clock.sleep(1.0)

    async def _sleep(self) -> None:
        due = [at for index in self._open.values() if (at := index.next_due()) is not None]
        pause = min([(at - self._clock.now_ms()) / 1000 for at in due], default=1.0)
        try:
            async with asyncio.timeout(min(max(pause, 0.0), 1.0)):  # wait_for of Python 3.11 may swallow a cancellation
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _overtaken(self) -> None:
        for index in self._open.values():
            for key in index.overtaken(self._queues.started_up_to, self._limits.lost_after_ms):
                index.postpone(key, 0)

    def _take(self) -> list[Action]:
        actions: list[Action] = []
        now, connected = self._clock.now_ms(), self._publisher.connected
        # Until the broker has told the time, a clock that is wrong may make one retry early and no more.
        window = self._window if self._clock.heard else 1 - len(self._windows)
        for partition, index in list(self._open.items()):
            for key in index.take(window - len(actions), now):
                entry = self._pending.get(partition, key)
                if entry is None or key in self._acting or key in self._done:
                    continue
                decision = self._decide(entry)
                if not isinstance(decision, Publish | ScheduleRetry | GiveUp):
                    index.put(key, decision, entry.progress.state)
                elif isinstance(decision, Publish) and not connected:
                    index.postpone(key, now + 500)
                else:
                    actions.append(Action(partition, key, entry, decision))
        return actions

    async def _start_window(self, actions: list[Action]) -> None:
        self._acting.update(action.key for action in actions)
        window = asyncio.create_task(self._carry_out(actions))
        self._windows.add(window)
        window.add_done_callback(self._windows.discard)
        if len(self._windows) >= WINDOWS:
            await asyncio.wait(self._windows, return_when=asyncio.FIRST_COMPLETED)

    async def _carry_out(self, actions: list[Action]) -> None:
        """One window: publish, confirm, then the facts of what was confirmed."""
        try:
            failpoints.reached(Gap.BEFORE_PUBLISH)
            done = await self._publish(actions)
            confirmed = [(one, fact) for one in done if (fact := one.fact(self._scribe, self._queue_of)) is not None]
            failpoints.reached(Gap.AFTER_CONFIRM)
            begun = self._clock.monotonic()
            positions = await self._facts.append_durably([fact for _, fact in confirmed])
            failpoints.reached(Gap.AFTER_DISPATCHED_FACT)
            if positions:
                self._hear(positions[-1].at, begun)
            for (action, _), position in zip(confirmed, positions, strict=True):
                self._failures.pop(action.key, None)
                self._metrics.recorded(action.due_ms, position.at)
                if action.partition in self._open:
                    self._done[action.key] = position.offset
        finally:
            self._acting.difference_update(action.key for action in actions)
            self._refile(actions)
            self._wake.set()

    def _hear(self, broker_ms: int, since: float) -> None:
        """Set the clock. One that was far ahead has put off until far away what had to be tried again."""
        if self._clock.hear(broker_ms, since) > CLOCK_JUMP_MS:
            log.warning("the clock was wrong, and is set by Kafka's; what is due is looked for anew")
            self._failures.clear()
            self._queues.forget()
            self._wrong_clock.set()

    def _refile(self, actions: list[Action]) -> None:
        # Race: one that failed at once may have been taken, and passed over as under way, while its window went on.
        for action in actions:
            index = self._open.get(action.partition)
            if index is None:
                continue
            entry = self._pending.get(action.partition, action.key)
            if entry is not None:
                self._file(index, action.key, entry)
            else:
                self._done.pop(action.key, None)

    async def _publish(self, actions: list[Action]) -> list[Action]:
        """Those that have come true: what is to be published is on its queue. The others are to be tried again."""
        window = [(action, self._queue_of(job.type), job) for action in actions if (job := action.job()) is not None]
        answers = await self._publisher.publish_all([(queue, job) for _, queue, job in window])
        failed = {
            action.key
            for (action, _, job), error in zip(window, answers, strict=True)
            if error is not None and not self._came_true(action, job, error)
        }
        return [action for action in actions if action.key not in failed]

    def _came_true(self, action: Action, job: Job, error: StreamappError) -> bool:
        """False: the job is published again, later."""
        if isinstance(error, Unavailable):  # unknown outcomes too: published again, with the same message id
            self._back_off(action, 500, MAX_BACKOFF_MS)
            log.debug("job not confirmed", task=job.task_id, attempt=job.attempt, error=describe(error))
        else:
            self._back_off(action, 1_000, MAX_BACKOFF_MS)
            log.error("job cannot be published", task=job.task_id, attempt=job.attempt, error=describe(error))
        return False

    def _back_off(self, action: Action, first_ms: int, most_ms: int) -> None:
        """One entry that fails waits by itself; the others go on."""
        failures = self._failures[action.key] = self._failures.get(action.key, 0) + 1
        index = self._open.get(action.partition)
        if index is not None:
            delay = min(first_ms * 2 ** min(failures - 1, 10), most_ms)
            index.postpone(action.key, self._clock.now_ms() + delay)
