"""A dispatched task needs a message or somebody who holds it; a message needs an open task."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.doctor.jobs import jobs, messages, surplus
from streamapp.doctor.look import HeldClaim, Look, QueueLook
from streamapp.doctor.verdicts import Silent, Verdict
from streamapp.domain.progress import State
from tests.unit.doctor.world import EARLIER, LATER, SCALE, claim, diary, dispatched, guard, look


def test_a_dispatched_task_whose_message_waits_is_well() -> None:
    found = jobs(*[look(diary(dispatched("t")), messages=1)] * 2, SCALE)
    assert (found.verdict, found.findings) == (Verdict.OK, ())


def test_a_dispatched_task_without_a_message_is_explained_until_its_time_is_over() -> None:
    early = jobs(*[look(diary(dispatched("t", by=LATER)))] * 2, SCALE)
    assert early.verdict is Verdict.WARNING
    assert early.findings[0].task_id == "t"
    assert "explained until 1970-01-01T00:16:45.000Z" in early.findings[0].says
    late = jobs(*[look(diary(dispatched("t", by=EARLIER)))] * 2, SCALE)
    assert late.verdict is Verdict.WRONG
    assert late.do


@pytest.mark.parametrize(
    ("held", "well"),
    [
        (claim(), True),
        (claim(status="outcome"), True),
        (claim(status="ended"), True),
        (claim(left_ms=-1), False),
        (claim(attempt=2), False),
        (claim(status="released", left_ms=0), False),
    ],
)
def test_a_claim_of_the_attempt_stands_for_its_message(held: HeldClaim, well: bool) -> None:
    found = jobs(*[look(diary(dispatched("t")), guard({"t": held}))] * 2, SCALE)
    assert (found.verdict is Verdict.OK) == well


def test_what_a_living_worker_says_it_holds_stands_for_its_message() -> None:
    said = guard(waiting=frozenset({("t", 1)}))
    assert jobs(*[look(diary(dispatched("t")), said)] * 2, SCALE).verdict is Verdict.OK


def test_what_a_dead_worker_said_it_holds_does_not() -> None:
    said = guard(waiting=frozenset({("t", 1)}), workers=0)
    found = jobs(*[look(diary(dispatched("t")), said, consumers=0)] * 2, SCALE)
    assert found.verdict is Verdict.WARNING
    assert found.findings[0].says == "at least 1 dispatched tasks have no message; among t"


def test_lost_jobs_are_named_beside_the_list_of_a_dead_worker() -> None:
    said = guard(waiting=frozenset({("held", 1)}), workers=0)
    found = jobs(*[look(diary(dispatched("held"), dispatched("lost")), said, consumers=0)] * 2, SCALE)
    assert [finding.task_id for finding in found.findings] == ["lost", None]


def test_more_than_living_workers_can_hold_is_not_believed() -> None:
    tasks = [dispatched(f"t{number}") for number in range(12)]
    said = guard(waiting=frozenset(task.job for task in tasks))
    found = jobs(*[look(diary(*tasks), said)] * 2, SCALE)
    assert "at least 2 dispatched tasks" in found.findings[0].says


def test_where_messages_wait_only_the_number_is_said() -> None:
    tasks = [dispatched(f"t{number:02}", by=EARLIER) for number in range(40)]
    found = jobs(*[look(diary(*tasks), messages=5, consumers=2)] * 2, SCALE)
    [finding] = found.findings
    assert found.verdict is Verdict.WRONG
    assert finding.says.startswith("at least 15 dispatched tasks have no message; among t00, t01")
    assert finding.says.endswith("and 20 more")


def test_a_list_that_was_cut_is_judged_by_number() -> None:
    of_diary = diary(dispatched("t"), all_dispatched=False, states={State.DISPATCHED: 5_000})
    well = jobs(*[look(of_diary, messages=4_990)] * 2, SCALE)
    assert well.verdict is Verdict.OK
    assert "(1 looked at one by one)" in well.says
    short = jobs(*[look(of_diary, messages=4_000)] * 2, SCALE)
    assert short.verdict is Verdict.WRONG
    assert "at least 990 dispatched" in short.findings[0].says
    drained = replace(of_diary, started_meanwhile=990)
    assert jobs(*[look(drained, messages=4_000)] * 2, SCALE).verdict is Verdict.OK


def test_no_more_messages_than_open_tasks_is_well() -> None:
    of_diary = diary(states={State.DISPATCHED: 2, State.RUNNING: 1, State.ACCEPTED: 1, State.RETRY_SCHEDULED: 1})
    assert messages(*[look(of_diary, messages=5)] * 2, SCALE).verdict is Verdict.OK


def test_messages_without_open_tasks_are_wrong_and_counted() -> None:
    found = messages(*[look(diary(states={State.COMPLETED: 9, State.FAILED: 1}), messages=3)] * 2, SCALE)
    assert found.verdict is Verdict.WRONG
    assert "at least 3 of them with no open task" in found.says
    assert found.findings
    assert found.do


def test_only_so_many_untold_publishes_are_believed_as_a_window_has() -> None:
    of_diary = diary(states={State.ACCEPTED: 10_000})
    assert surplus(of_diary, QueueLook(201, 0), SCALE) == 1


def test_what_was_dispatched_during_the_look_and_what_is_not_folded_counts_as_open() -> None:
    of_diary = diary(dispatched_meanwhile=3, behind=2)
    assert surplus(of_diary, QueueLook(5, 1), SCALE) == 0
    assert surplus(of_diary, QueueLook(6, 1), SCALE) == 1


def test_a_surplus_of_one_moment_is_none() -> None:
    assert messages(look(diary(), messages=3), look(diary()), SCALE).verdict is Verdict.OK


def test_a_shortfall_of_one_moment_is_none() -> None:
    well = look(diary(dispatched("t")), guard({"t": claim()}))
    short = look(diary(dispatched("t")))
    assert jobs(well, short, SCALE).verdict is Verdict.OK
    assert jobs(short, well, SCALE).verdict is Verdict.OK


@pytest.mark.parametrize("check", [jobs, messages])
@pytest.mark.parametrize(
    "blind",
    [
        look(diary(blind="the diary is stale")),
        Look(Silent("gone"), guard(), QueueLook(0, 0)),
        Look(diary(), guard(), Silent("gone")),
    ],
)
def test_who_cannot_see_does_not_judge(check: object, blind: Look) -> None:
    assert callable(check)
    well = look(diary())
    for looks in ((blind, well), (well, blind)):
        found = check(*looks, SCALE)
        assert found.verdict is Verdict.UNKNOWN
        assert "not judged" in found.says


def test_messages_are_judged_without_redis_and_jobs_are_not() -> None:
    without = Look(diary(), Silent("Redis: gone"), QueueLook(1, 1))
    assert messages(without, without, SCALE).verdict is Verdict.WRONG
    assert jobs(without, without, SCALE).verdict is Verdict.UNKNOWN


WHERE = ("queue", "hands", "list", "claim", "lost")
places = st.lists(st.sampled_from(WHERE), max_size=30)


def _world(where: list[str], forged: int) -> Look:
    """Every task is somewhere: ready, in hands that have not told yet, listed as held, claimed, or nowhere."""
    tasks = [dispatched(f"t{number}") for number in range(len(where))]
    held = {task.task_id: claim() for task, place in zip(tasks, where, strict=True) if place == "claim"}
    said = frozenset(task.job for task, place in zip(tasks, where, strict=True) if place == "list")
    count = Counter(where)
    workers = -(-(count["list"] + count["hands"] + count["claim"]) // SCALE.prefetch)
    ready = count["queue"] + forged
    return look(diary(*tasks), guard(held, workers=workers, waiting=said), messages=ready, consumers=workers)


def _number(found: object) -> int:
    findings = found.findings  # type: ignore[attr-defined]
    if not findings:
        return 0
    words = findings[0].says.split()
    return int(words[2]) if words[:2] == ["at", "least"] else len(findings)


@given(places)
def test_never_more_are_missed_than_are_lost(where: list[str]) -> None:
    """In hands that have not told: only while a queue has messages, for a worker tells within the gap of two looks."""
    if "queue" not in where:
        where = [place for place in where if place != "hands"]
    one = _world(where, 0)
    assert _number(jobs(one, one, SCALE)) <= where.count("lost")
    cut = replace(one, diary=replace(one.diary, all_dispatched=False))  # type: ignore[type-var]
    assert _number(jobs(cut, cut, SCALE)) <= where.count("lost")


@given(st.lists(st.sampled_from(["list", "claim", "lost"]), max_size=30))
def test_with_empty_queues_exactly_the_lost_are_named(where: list[str]) -> None:
    one = _world(where, 0)
    lost = {f"t{number}" for number, place in enumerate(where) if place == "lost"}
    assert {finding.task_id for finding in jobs(one, one, SCALE).findings} == lost


@given(places, st.integers(0, 50))
def test_never_more_messages_are_suspected_than_were_forged(where: list[str], forged: int) -> None:
    one = _world(where, forged)
    found = messages(one, one, SCALE)
    suspected = 0 if found.verdict is Verdict.OK else int(found.says.split("at least ")[1].split()[0])
    assert suspected <= forged
    if not where:
        assert suspected == forged
