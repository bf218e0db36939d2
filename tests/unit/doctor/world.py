"""Looks at a world that the tests make up: which task stands how, who holds it, and where its message is."""

from collections.abc import Iterable
from dataclasses import replace

from streamapp.doctor.look import DiaryLook, GuardLook, HeldClaim, Look, QueueLook, Scale, Told
from streamapp.domain.progress import State

NOW = 1_000_000
LATER, EARLIER = NOW + 5_000, NOW - 5_000
OLD = NOW - 60_000
SCALE = Scale(prefetch=10, publishing=200)


def running(task_id: str, attempt: int = 1, by: int | None = LATER) -> Told:
    return Told(task_id, State.RUNNING, attempt, by)


def dispatched(task_id: str, attempt: int = 1, by: int | None = LATER) -> Told:
    return Told(task_id, State.DISPATCHED, attempt, by)


def claim(attempt: int = 1, status: str = "active", left_ms: int = 9_000, alone: bool = False) -> HeldClaim:
    return HeldClaim(attempt, status, 3, 1, "worker-1", left_ms, alone)


def diary(*tasks: Told, told: Iterable[Told | str] = (), **more: object) -> DiaryLook:
    """A diary of `tasks`. `told`: tasks that a claim is about; a name alone is a task that it does not know."""
    runs = tuple(task for task in tasks if task.state is State.RUNNING)
    waits = tuple(task for task in tasks if task.state is State.DISPATCHED)
    asked = {item: None for item in told if isinstance(item, str)}
    asked |= {task.task_id: task for task in (*tasks, *told) if isinstance(task, Told)}
    states = {State.RUNNING: len(runs), State.DISPATCHED: len(waits)}
    made = DiaryLook(NOW, states=states, running=runs, dispatched=waits, told=asked)
    return replace(made, **more)  # type: ignore[arg-type]


def guard(claims: dict[str, HeldClaim] | None = None, workers: int = 1, **more: object) -> GuardLook:
    """A guard that lists every claim that is active, made long ago."""
    held = claims or {}
    active = {(task_id, one.attempt): OLD for task_id, one in held.items() if one.status == "active"}
    return replace(GuardLook(NOW, workers, active, claims=held), **more)  # type: ignore[arg-type]


def look(of_diary: DiaryLook, of_guard: GuardLook | None = None, messages: int = 0, consumers: int = 1) -> Look:
    return Look(of_diary, of_guard or guard(), QueueLook(messages, consumers))
