"""The books of what runs: a RUNNING task needs a live claim, and a live claim needs a task that runs.

In: two looks. Out: the checks `runs` and `claims`. What is odd in one look only was caught in the middle of a step:
started facts come after claims, and the guard learns of an end after the diary (`streamapp.worker.pipeline`).
"""

from collections.abc import Hashable, Mapping

from streamapp.clock import rfc3339
from streamapp.doctor.look import DiaryLook, GuardLook, HeldClaim, Job, Look, Told
from streamapp.doctor.verdicts import Check, Finding, Silent, unjudged, verdict_of
from streamapp.domain.progress import TERMINAL, State

Odd = Mapping[Hashable, Finding]
"""What is odd in one look, under a key by which the next look knows it again."""

MANY_BEHIND = 1_000
"""A diary that has so many facts before it cannot say what is odd now."""

SETTLING_MS = 3_000
"""A younger claim may be in the middle of a step."""

RUNS_DO = "see that workers run and reach Redis and Kafka; past its time a task is dispatch's to schedule anew"
CLAIMS_DO = "find the worker by its id; `streamapp show TASKID` tells what the diary has. Claims lapse with their lease"


def runs(first: Look, second: Look) -> Check:
    """Every RUNNING task has a live claim of its attempt, or will be tried again by a stated time."""
    asked = both(first, second)
    if isinstance(asked, Silent):
        return unjudged("runs", asked)
    odd = agreed(*(unheld(diary, guard) for diary, guard in asked))
    seen = asked[1][0]
    says = f"{len(seen.running)} tasks run{_partly(seen.all_running)}, {len(odd)} of them without a live claim"
    return Check("runs", verdict_of(odd), says, RUNS_DO if odd else "", odd)


def claims(first: Look, second: Look) -> Check:
    """Every live claim is of a task that the diary says runs."""
    asked = both(first, second)
    if isinstance(asked, Silent):
        return unjudged("claims", asked)
    odd = agreed(*(unaccounted(diary, guard) for diary, guard in asked))
    diary, guard = asked[1]
    unasked = sum(task_id not in diary.told for task_id, _ in settled(guard))
    rest = f"; {unasked} of them were not compared, there are too many" if unasked else ""
    says = f"{len(guard.active)} claims{_partly(guard.all_active)}, {len(odd)} without a task that runs{rest}"
    return Check("claims", verdict_of(odd), says, CLAIMS_DO if odd else "", odd)


def unheld(diary: DiaryLook, guard: GuardLook) -> Odd:
    """RUNNING tasks that nobody holds."""
    found: dict[Hashable, Finding] = {}
    for task in diary.running:
        claim = guard.claims.get(task.task_id)
        if claim is None or not (claim.alive and claim.attempt == task.attempt):
            found[task.job] = _unheld(task, claim, diary.at)
    return found


def unaccounted(diary: DiaryLook, guard: GuardLook) -> Odd:
    """Claims listed as active that the diary does not account for."""
    found: dict[Hashable, Finding] = {}
    for job in settled(guard):
        if job[0] not in diary.told:
            continue
        claim = guard.claims.get(job[0])
        reason = _unaccounted(job, diary.told[job[0]], claim)
        if reason is not None:
            number = None if claim is None else (claim.epoch, claim.number)
            found[(job, number)] = Finding(f"{_words(job, claim)}, {reason}", job[0])
    return found


def settled(guard: GuardLook) -> list[Job]:
    """Jobs listed as active whose claim is old enough to have been told of."""
    return [job for job, claimed_at in guard.active.items() if guard.at - claimed_at >= SETTLING_MS]


def agreed(first: Odd, second: Odd) -> tuple[Finding, ...]:
    """What is odd in both looks, as the second one tells it; what is unexplained first."""
    both_told = [finding for key, finding in second.items() if key in first]
    return tuple(sorted(both_told, key=lambda finding: finding.explained))


def both(first: Look, second: Look) -> list[tuple[DiaryLook, GuardLook]] | Silent:
    """Diary and guard in both looks, or who is missing."""
    diaries = both_diaries(first, second)
    if isinstance(diaries, Silent):
        return diaries
    found = []
    for diary, look in zip(diaries, (first, second), strict=True):
        if isinstance(look.guard, Silent):
            return look.guard
        found.append((diary, look.guard))
    return found


def both_diaries(first: Look, second: Look) -> list[DiaryLook] | Silent:
    """The diary in both looks, or why it cannot be relied upon."""
    found = []
    for look in (first, second):
        diary = seeing(look.diary)
        if isinstance(diary, Silent):
            return diary
        found.append(diary)
    return found


def seeing(diary: DiaryLook | Silent) -> DiaryLook | Silent:
    """The diary, if it can be relied upon for what is so now."""
    if isinstance(diary, Silent):
        return diary
    if diary.blind:
        return Silent(diary.blind)
    if diary.behind >= MANY_BEHIND:
        return Silent(f"the diary is {diary.behind:,} facts behind: ask again when it has caught up")
    return diary


def _unheld(task: Told, claim: HeldClaim | None, now: int) -> Finding:
    what = f"attempt {task.attempt} runs by the diary, and {_state(task, claim)}"
    if task.by is None:
        return Finding(f"{what}; the task was never accepted, so nothing is expected of it", task.task_id)
    if now < task.by:
        again = f"explained: without an outcome dispatch will schedule a retry by {rfc3339(task.by)}"
        return Finding(f"{what}; {again}", task.task_id, explained=True)
    return Finding(f"{what}; dispatch should have scheduled a retry by {rfc3339(task.by)}", task.task_id)


def _state(task: Told, claim: HeldClaim | None) -> str:
    if claim is None:
        return "the guard knows no claim of it"
    if claim.attempt != task.attempt:
        return f"the guard's last claim is of attempt {claim.attempt}"
    match claim.status:
        case "active":
            return f"the lease of {claim.worker} has run out {-claim.left_ms / 1000:.0f} s ago"
        case "outcome" | "ended":
            return f"{claim.worker} has told the guard its outcome, which the diary does not have"
        case "released":
            return f"{claim.worker} has given its claim back"
        case _:
            return f"its claim was rebuilt from the diary, and {claim.worker or 'its worker'} does not renew it"


def _words(job: Job, claim: HeldClaim | None) -> str:
    if claim is None:
        return f"attempt {job[1]} is listed as active without a claim"
    holds = "holds" if claim.alive else "held"
    return f"{claim.worker} {holds} attempt {job[1]} under claim {claim.epoch}.{claim.number}"


def _unaccounted(job: Job, task: Told | None, claim: HeldClaim | None) -> str | None:
    """What does not fit; None where nothing runs, or what runs is told of."""
    if task is None or task.state in (State.UNKNOWN, State.REJECTED):
        return "and the diary knows of no such task: this is not the diary of this guard, or somebody forged it"
    if claim is None or not claim.alive or claim.attempt != job[1]:
        # What has lapsed or was replaced holds nobody up. A task that still runs by the diary is found by `unheld`.
        return None
    if task.state in TERMINAL:
        return f"and the task has ended as {task.state}: it runs in vain"
    if claim.attempt < task.attempt:
        return f"and the diary has come to attempt {task.attempt}, which has to wait for its lease"
    if claim.attempt > task.attempt:
        return f"and the diary knows of no attempt after {task.attempt}"
    if task.state is State.RUNNING or claim.alone:
        return None  # one whose former worker died waits until nothing else runs beside it, before it is started
    return f"and the diary has it as {task.state}, with no start of it"


def _partly(complete: bool) -> str:
    return "" if complete else " among those looked at, there are more"
