"""One look at diary, Redis and RabbitMQ, for the books of `streamapp doctor`. Bounded, and questions only.

In: the doors. Out: what they said. The order matters: the diary's sums are taken before and after everything else, so
that a rule knows what moved while the others were asked.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from streamapp.cli.diary_views import DiaryViews, Sums
from streamapp.clock import Clock
from streamapp.doctor.look import DiaryLook, GuardLook, HeldClaim, Job, Look, QueueLook, Told
from streamapp.doctor.roles import DiarySays
from streamapp.doctor.runs import settled
from streamapp.doctor.verdicts import Silent
from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import TaskDispatched, TaskExecutionStarted
from streamapp.domain.progress import State
from streamapp.guard import GuardInspection, StandingClaim
from streamapp.queue import depth
from streamapp.settings import Settings

MOST = 1_000
"""Tasks of each kind that are looked at one by one."""

MOST_ASKED = 200
"""Tasks of claims that the diary is asked about one by one."""

PATIENCE_SECONDS = 10.0
SETTLED_SECONDS = 3.0
"""A task dispatched less long ago may be on its way from queue to worker."""

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class _Begin:
    """What the diary said first."""

    sums: Sums
    says: DiarySays
    running: tuple[Told, ...]
    dispatched: tuple[Told, ...]
    all_running: bool
    all_dispatched: bool

    @property
    def listed(self) -> dict[str, Told | None]:
        return {task.task_id: task for task in (*self.dispatched, *self.running)}


async def answer_of(who: str, asking: Coroutine[Any, Any, Said]) -> Said | Silent:
    """What was answered, or that nothing was within PATIENCE_SECONDS."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asking
    except TimeoutError:
        return Silent(f"{who} did not answer within {PATIENCE_SECONDS:g} s")
    except Unavailable as error:
        return Silent(str(error))


async def take(settings: Settings, views: DiaryViews, guard: GuardInspection, clock: Clock) -> Look:
    """Look at all three. Whoever does not answer is silent, and the others are asked all the same."""
    begin = await answer_of("the diary", _begin(views))
    listed: Iterable[Told] = () if isinstance(begin, Silent) else (*begin.running, *begin.dispatched)
    waiting = () if isinstance(begin, Silent) else tuple(task.job for task in begin.dispatched)
    held = await answer_of("Redis", _guard(guard, [task.task_id for task in listed], waiting))
    queues = await answer_of("RabbitMQ", _queues(settings))
    if isinstance(begin, Silent):
        return Look(begin, held, queues)
    claimed = [] if isinstance(held, Silent) else settled(held)
    return Look(await answer_of("the diary", _end(views, begin, claimed, clock)), held, queues)


async def _begin(views: DiaryViews) -> _Begin:
    sums, says = await views.sums(), await views.says()
    running, all_running = await views.of_state(State.RUNNING, MOST)
    dispatched, all_dispatched = await views.of_state(State.DISPATCHED, MOST, SETTLED_SECONDS)
    return _Begin(sums, says, running, dispatched, all_running, all_dispatched)


async def _end(views: DiaryViews, begin: _Begin, claimed: Sequence[Job], clock: Clock) -> DiaryLook:
    listed = begin.listed
    strangers = [task_id for task_id, _ in claimed if task_id not in listed]
    told = {**listed, **await views.tasks(strangers[:MOST_ASKED])}
    after = await views.sums()

    def meanwhile(fact: str) -> int:
        return after.facts.get(fact, 0) - begin.sums.facts.get(fact, 0)

    return DiaryLook(
        at=clock.now_ms(),
        behind=begin.says.behind,
        blind=_blind(begin.says),
        states=begin.sums.states,
        dispatched_meanwhile=meanwhile(TaskDispatched.NAME),
        started_meanwhile=meanwhile(TaskExecutionStarted.NAME),
        running=begin.running,
        dispatched=begin.dispatched,
        told=told,
        all_running=begin.all_running,
        all_dispatched=begin.all_dispatched,
    )


def _blind(says: DiarySays) -> str:
    if says.stale:
        return "the diary is stale: Kafka does not answer it"
    if says.missing:
        return f"the diary knows nothing now of the tasks in partitions {', '.join(map(str, says.missing))}"
    return ""


async def _guard(guard: GuardInspection, task_ids: list[str], dispatched: tuple[Job, ...]) -> GuardLook:
    active, all_active = await guard.active(MOST)
    registered = await guard.workers()
    waiting = await guard.waiting(dispatched)
    now = await guard.now_ms()  # before the claims: a lease is rather taken for longer than for shorter
    claims = await guard.claims([*task_ids, *(task_id for task_id, _ in active)])
    held = {task_id: _held(claim, now) for task_id, claim in claims.items()}
    return GuardLook(now, len(registered), active, all_active, held, waiting)


def _held(claim: StandingClaim, now: int) -> HeldClaim:
    left = claim.until_ms - now
    return HeldClaim(claim.attempt, claim.status, claim.epoch, claim.number, claim.worker, left, claim.alone)


async def _queues(settings: Settings) -> QueueLook:
    found = (await depth(settings.rabbitmq_url, settings.queues)).values()
    return QueueLook(sum(queue.messages for queue in found), sum(queue.consumers for queue in found))
