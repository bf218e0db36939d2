"""The books of what waits: a dispatched task needs a message or a claim, and a message needs an open task.

In: two looks. Out: the checks `jobs` and `messages`. RabbitMQ tells how many messages are ready, not which, and nothing
of those that workers hold; so the rules count, and name tasks only where that leaves no doubt.
"""

from collections.abc import Sequence

from streamapp.clock import rfc3339
from streamapp.doctor.look import DiaryLook, GuardLook, Job, Look, QueueLook, Scale, Told
from streamapp.doctor.runs import both, both_diaries
from streamapp.doctor.verdicts import Check, Finding, Silent, Verdict, unjudged, verdict_of
from streamapp.domain.progress import State

JOBS_DO = (
    "was a queue purged or deleted? Nothing is lost: dispatch hands a job out anew once one that was dispatched later "
    "to the same queue has started"
)
MESSAGES_DO = (
    "messages of attempts that have ended are acknowledged unread by a worker: start one. If they stay, somebody else "
    "publishes into the exchange"
)
SURPLUS = (
    "left by a worker that died after an outcome or by a dispatcher that died before it could tell (harmless: the "
    "guard knows them), or published by somebody else"
)
NAMED = 20
"""Tasks named where only their number is certain."""


def jobs(first: Look, second: Look, scale: Scale) -> Check:
    """Every task that was dispatched and has not started is in a queue or in a worker's hands."""
    asked = both(first, second)
    if isinstance(asked, Silent):
        return unjudged("jobs", asked)
    queues = both_queues(first, second)
    if isinstance(queues, Silent):
        return unjudged("jobs", queues)
    missing = _missing(asked, queues, scale)
    diary = asked[1][0]
    total = diary.states.get(State.DISPATCHED, 0)
    seen = "" if diary.all_dispatched else f" ({len(diary.dispatched)} looked at one by one)"
    says = f"{total} tasks are dispatched and not started{seen}, {queues[1].messages} messages wait"
    return Check("jobs", verdict_of(missing), says, JOBS_DO if missing else "", missing)


def messages(first: Look, second: Look, scale: Scale) -> Check:
    """There are no more messages than open tasks that could have one."""
    diaries = both_diaries(first, second)
    if isinstance(diaries, Silent):
        return unjudged("messages", diaries)
    queues = both_queues(first, second)
    if isinstance(queues, Silent):
        return unjudged("messages", queues)
    found = min(surplus(diary, depth, scale) for diary, depth in zip(diaries, queues, strict=True))
    waiting = queues[1].messages
    if not found:
        return Check("messages", Verdict.OK, f"{waiting} messages wait; there are open tasks for them")
    says = f"{waiting} messages wait, at least {found} of them with no open task"
    return Check("messages", Verdict.WRONG, says, MESSAGES_DO, (Finding(SURPLUS),))


def surplus(diary: DiaryLook, queues: QueueLook, scale: Scale) -> int:
    """Messages that no open task can account for. Dispatch publishes before it tells, so some may be untold yet."""
    count = diary.states.get
    due = count(State.ACCEPTED, 0) + count(State.RETRY_SCHEDULED, 0)
    told = count(State.DISPATCHED, 0) + count(State.RUNNING, 0) + diary.dispatched_meanwhile
    return max(queues.messages - told - min(due, scale.publishing) - diary.behind, 0)


def shortfall(diary: DiaryLook, guard: GuardLook, queues: QueueLook, scale: Scale) -> int:
    """Dispatched tasks for which there is no message, by number alone: what workers may hold is given to them."""
    total = diary.states.get(State.DISPATCHED, 0) - diary.started_meanwhile - diary.behind
    hands = max(queues.consumers, guard.workers) * scale.prefetch
    return max(total - queues.messages - hands, 0)


def unheld(diary: DiaryLook, guard: GuardLook) -> dict[Job, Told]:
    """Dispatched tasks that nobody has claimed."""
    return {task.job: task for task in diary.dispatched if not _claimed(task, guard)}


def _claimed(task: Told, guard: GuardLook) -> bool:
    claim = guard.claims.get(task.task_id)
    return claim is not None and claim.attempt == task.attempt and (claim.alive or claim.status in ("outcome", "ended"))


def _missing(
    asked: Sequence[tuple[DiaryLook, GuardLook]], queues: Sequence[QueueLook], scale: Scale
) -> tuple[Finding, ...]:
    diary, guard = asked[1]
    before = unheld(*asked[0])
    tasks = {job: task for job, task in unheld(diary, guard).items() if job in before}
    if not diary.all_dispatched:
        number = min(shortfall(*look, depth, scale) for look, depth in zip(asked, queues, strict=True))
        return _some(number, list(tasks.values()), diary)
    # What a worker says it holds counts up to what living workers can hold: one that was killed leaves its list behind.
    said = sum(job in guard.waiting for job in tasks)
    beyond = max(said - guard.workers * scale.prefetch, 0)
    unsaid = sorted((task for job, task in tasks.items() if job not in guard.waiting), key=lambda task: task.by or 0)
    if ready := max(depth.messages for depth in queues):
        # A job that left the queue between the looks may not be in a list yet; with empty queues there is none.
        number = len(unsaid) + beyond - ready - queues[1].consumers * scale.prefetch
        return _some(number, list(tasks.values()) if beyond else unsaid, diary)
    listed = [task for job, task in tasks.items() if job in guard.waiting]
    return tuple(_lost(task, diary.at) for task in unsaid) + _some(beyond, listed, diary)


def _some(number: int, tasks: Sequence[Told], diary: DiaryLook) -> tuple[Finding, ...]:
    """So many are missing, if any, and nobody can say which. Explained if all that it may be are still in time."""
    if number <= 0:
        return ()
    explained = diary.all_dispatched and all(task.by is not None and diary.at < task.by for task in tasks)
    among = f"; among {', '.join(task.task_id for task in tasks[:NAMED])}" if tasks else ""
    more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
    return (Finding(f"at least {number} dispatched tasks have no message{among}{more}", None, explained),)


def _lost(task: Told, now: int) -> Finding:
    what = f"attempt {task.attempt} was dispatched, and no message and no worker has it"
    if task.by is not None and now < task.by:
        again = f"explained until {rfc3339(task.by)}: dispatch hands it out anew when its queue has moved on without it"
        return Finding(f"{what}; {again}", task.task_id, explained=True)
    return Finding(f"{what}, and its time to start is over", task.task_id)


def both_queues(first: Look, second: Look) -> list[QueueLook] | Silent:
    """RabbitMQ in both looks, or that it was silent."""
    found = []
    for look in (first, second):
        if isinstance(look.queues, Silent):
            return look.queues
        found.append(look.queues)
    return found
