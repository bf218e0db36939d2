"""What the guard's model has found, as the shortest lives that show it. Each of them went wrong once."""

from collections.abc import Iterator

import pytest

from tests.model.guard_answers import LEASE_MS, RETENTION_MS
from tests.model.guard_door import Bench
from tests.model.guard_rebuild import command_in_the_model
from tests.model.guard_worker import Run, Worker
from tests.model.guard_world import World
from tests.support.brokers import running_brokers

TO_THE_START = 2
TO_THE_HANDLER = 3
TO_THE_OUTCOME = 5
TO_THE_END = 9
MORE_THAN_A_REBUILD_HAS = 12


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with (
        running_brokers(frozenset({"redis"})) as brokers,
        command_in_the_model(),
        Bench.open(brokers.endpoints.redis_url) as bench,
    ):
        yield bench


@pytest.fixture
def world(bench: Bench) -> Iterator[World]:
    """A world with one task in it, in which nothing has gone wrong at the end."""
    world = World(bench)
    world.accept()
    yield world
    world.break_off_rebuilds()
    assert world.violations == []


def worker_with_job(world: World, number: int, attempt: int = 1, task_id: str = "t1") -> tuple[Worker, Run]:
    return world.workers[number], world.deliver(number, task_id, attempt)


def test_rebuild_killed_half_way_and_run_again_does_not_lower_the_epoch(world: World) -> None:
    """The second run finds no epoch and has only the diary to go by, which may know of none of the latest claims."""
    for _ in range(3):
        world.rebuild()
    world.work(*worker_with_job(world, 0), TO_THE_START, slowly=True)
    for steps in range(MORE_THAN_A_REBUILD_HAS):
        rebuild = world.begin_rebuild()
        world.go_on_with_rebuild(rebuild, steps)
        world.break_off_rebuilds()
    world.rebuild()


@pytest.mark.parametrize("steps", range(MORE_THAN_A_REBUILD_HAS))
def test_redis_emptied_in_the_middle_of_a_rebuild_is_not_made_ready(world: World, steps: int) -> None:
    """What had been written by then is gone; with the epoch set, finished tasks would run again."""
    world.accept()
    world.work(*worker_with_job(world, 0), TO_THE_END)
    rebuild = world.begin_rebuild()
    world.go_on_with_rebuild(rebuild, steps)
    world.work(*worker_with_job(world, 0, task_id="t2"), TO_THE_END)
    world.flush(restarted=False)
    world.go_on_with_rebuild(rebuild, MORE_THAN_A_REBUILD_HAS)
    world.rebuild()
    for task_id in ("t1", "t2"):
        world.work(*worker_with_job(world, 1, task_id=task_id), TO_THE_END)


def test_outcome_nobody_has_recorded_survives_a_rebuild_of_a_task_that_has_ended(world: World) -> None:
    """Its worker died before the append; the diary has ended the task with the outcome of an earlier attempt."""
    zombie = worker_with_job(world, 0)
    world.work(*zombie, TO_THE_HANDLER)
    world.stand_still(LEASE_MS)
    world.diary.next_attempt("t1")
    heir = worker_with_job(world, 1, attempt=2)
    world.work(*heir, TO_THE_END - 4, succeeds=False)
    assert heir[1].step == "record"
    world.work(*zombie, TO_THE_END)
    world.die(1)
    world.rebuild()
    world.work(*worker_with_job(world, 2, attempt=2), TO_THE_END)
    world.work(*worker_with_job(world, 1, attempt=2), TO_THE_END)


def test_worker_that_took_over_keeps_its_claim_through_a_rebuild_though_its_forerunner_failed(world: World) -> None:
    """The forerunner had lost the claim when it recorded its failure. The heir's claim was forgotten within 1 ms."""
    zombie, heir = worker_with_job(world, 0), worker_with_job(world, 1)
    world.work(*zombie, TO_THE_HANDLER)
    world.stand_still(LEASE_MS)
    world.work(*heir, TO_THE_START, slowly=True)
    world.work(*zombie, TO_THE_END, succeeds=False)
    world.diary.land(-1)
    world.work(*heir, 1)
    assert heir[1].step == "run"
    world.flush(restarted=False)
    world.rebuild()
    world.pass_by(LEASE_MS)
    world.work(*worker_with_job(world, 2), 1)
    world.work(*heir, TO_THE_END)
    assert heir[1].stored


def test_two_attempts_in_one_worker_under_the_same_token_after_a_flush(world: World) -> None:
    """No claim of the first epoch had reached the diary, so the epoch was given again, and the number with it."""
    first = worker_with_job(world, 0)
    world.work(*first, TO_THE_START, slowly=True)
    world.flush(restarted=False)
    world.rebuild()
    world.diary.next_attempt("t1")
    second = worker_with_job(world, 0, attempt=2)
    world.work(*second, TO_THE_HANDLER)
    assert (second[1].step, second[1].claim.token) == ("run", first[1].claim.token)
    world.diary.land(-1)
    world.work(*first, TO_THE_HANDLER)
    assert first[1].step == "settled"
    world.work(*second, TO_THE_END)


def test_attempt_given_up_is_not_run_again_after_the_task_was_requeued_and_the_guard_rebuilt(world: World) -> None:
    """The guard had been lost before the requeue: nothing told it any more that the first attempt was over."""
    world.work(*worker_with_job(world, 0), TO_THE_OUTCOME, succeeds=False)
    world.diary.give_up("t1")
    world.flush(restarted=False)
    world.diary.requeue("t1")
    world.rebuild()
    stale = worker_with_job(world, 1)
    world.work(*stale, 1)
    assert stale[1].step == "settled"
    again = worker_with_job(world, 2, attempt=2)
    world.work(*again, TO_THE_END)
    assert again[1].stored


@pytest.mark.parametrize("steps", range(MORE_THAN_A_REBUILD_HAS))
def test_claim_that_was_numbered_anew_is_not_the_one_that_the_diary_tells_of(world: World, steps: int) -> None:
    """The task was forgotten, and its next attempt begins, under the same number, after the rebuild has read of it."""
    world.work(*worker_with_job(world, 0), TO_THE_START)
    world.die(0)
    world.diary.give_up("t1")
    world.diary.requeue("t1")
    world.stand_still(RETENTION_MS + 1)
    rebuild = world.begin_rebuild()
    world.go_on_with_rebuild(rebuild, steps)
    world.work(*worker_with_job(world, 1, 2), TO_THE_HANDLER)
    world.go_on_with_rebuild(rebuild, MORE_THAN_A_REBUILD_HAS)
    world.work(*worker_with_job(world, 0, 2), TO_THE_HANDLER)
