"""A RUNNING task needs a live claim, a live claim needs a task that runs; and one look alone accuses nobody."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.doctor.look import HeldClaim, Look, Told
from streamapp.doctor.runs import MANY_BEHIND, claims, runs
from streamapp.doctor.verdicts import Silent, Verdict
from streamapp.domain.progress import State
from tests.unit.doctor.world import EARLIER, LATER, NOW, claim, diary, guard, look, running


def test_a_running_task_with_a_live_claim_is_well() -> None:
    found = runs(*[look(diary(running("t")), guard({"t": claim()}))] * 2)
    assert (found.verdict, found.findings, found.do) == (Verdict.OK, (), "")


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (None, "knows no claim"),
        (claim(left_ms=-4_000), "the lease of worker-1 has run out 4 s ago"),
        (claim(attempt=2), "last claim is of attempt 2"),
        (claim(status="released", left_ms=0), "has given its claim back"),
        (claim(status="outcome"), "has told the guard its outcome"),
        (claim(status="ended"), "has told the guard its outcome"),
        (claim(status="rebuilt", left_ms=0), "rebuilt from the diary"),
    ],
)
def test_a_running_task_that_nobody_holds_is_explained_until_dispatch_has_to_act(
    held: HeldClaim | None, words: str
) -> None:
    of_guard = guard({} if held is None else {"t": held})
    early = runs(*[look(diary(running("t", by=LATER)), of_guard)] * 2)
    assert early.verdict is Verdict.WARNING
    assert early.findings[0].task_id == "t"
    assert words in early.findings[0].says
    assert "dispatch will schedule a retry by 1970-01-01T00:16:45.000Z" in early.findings[0].says
    late = runs(*[look(diary(running("t", by=EARLIER)), of_guard)] * 2)
    assert late.verdict is Verdict.WRONG
    assert "should have scheduled a retry by 1970-01-01T00:16:35.000Z" in late.findings[0].says
    assert late.do


def test_a_task_that_runs_without_having_been_accepted_is_never_explained() -> None:
    found = runs(*[look(diary(running("t", by=None)))] * 2)
    assert found.verdict is Verdict.WRONG
    assert "never accepted" in found.findings[0].says


def test_the_unexplained_comes_first() -> None:
    found = runs(*[look(diary(running("a", by=LATER), running("b", by=EARLIER)))] * 2)
    assert [finding.task_id for finding in found.findings] == ["b", "a"]


@pytest.mark.parametrize(
    ("task", "held", "words"),
    [
        ("t", claim(), "knows of no such task"),
        ("t", claim(left_ms=-1), "knows of no such task"),
        (Told("t", State.UNKNOWN, 1), claim(), "knows of no such task"),
        (Told("t", State.REJECTED, 0), claim(), "knows of no such task"),
        (Told("t", State.COMPLETED, 1), claim(), "has ended as COMPLETED"),
        (Told("t", State.FAILED_PERMANENTLY, 1), claim(), "has ended as FAILED_PERMANENTLY"),
        (Told("t", State.RUNNING, 2), claim(), "has come to attempt 2"),
        (Told("t", State.RUNNING, 1), claim(attempt=2), "no attempt after 1"),
        (Told("t", State.DISPATCHED, 1), claim(), "with no start of it"),
        (Told("t", State.ACCEPTED, 1), claim(), "with no start of it"),
        (Told("t", State.FAILED, 1), claim(), "with no start of it"),
    ],
)
def test_a_claim_that_the_diary_does_not_account_for_is_named(task: Told | str, held: HeldClaim, words: str) -> None:
    found = claims(*[look(diary(told=[task]), guard({"t": held}))] * 2)
    assert found.verdict is Verdict.WRONG
    assert [finding.task_id for finding in found.findings] == ["t"]
    assert words in found.findings[0].says


@pytest.mark.parametrize(
    ("task", "held"),
    [
        (Told("t", State.RUNNING, 1), claim()),
        (Told("t", State.DISPATCHED, 1), claim(alone=True)),
        (Told("t", State.DISPATCHED, 1), claim(left_ms=-1)),
        (Told("t", State.COMPLETED, 1), claim(left_ms=-1)),
        (Told("t", State.DISPATCHED, 2), claim(left_ms=-1)),
    ],
)
def test_what_runs_waits_to_be_alone_or_has_lapsed_is_no_finding(task: Told, held: HeldClaim) -> None:
    found = claims(*[look(diary(told=[task]), guard({"t": held}))] * 2)
    assert (found.verdict, found.findings) == (Verdict.OK, ())


def test_a_listing_without_a_claim_counts_only_where_the_diary_knows_no_such_task() -> None:
    listed = guard(active={("t", 1): NOW - 60_000})
    assert claims(*[look(diary(told=["t"]), listed)] * 2).verdict is Verdict.WRONG
    assert claims(*[look(diary(told=[Told("t", State.COMPLETED, 1)]), listed)] * 2).verdict is Verdict.OK


def test_a_young_claim_may_be_in_the_middle_of_a_step() -> None:
    young = guard({"t": claim()}, active={("t", 1): NOW - 100})
    assert claims(*[look(diary(told=["t"]), young)] * 2).verdict is Verdict.OK


def test_a_claim_nobody_asked_the_diary_about_is_not_judged_and_said() -> None:
    found = claims(*[look(diary(), guard({"t": claim()}))] * 2)
    assert found.verdict is Verdict.OK
    assert "1 of them were not compared" in found.says


def test_another_claim_in_the_second_look_is_another_matter() -> None:
    of_diary = diary(told=[Told("t", State.DISPATCHED, 1)])
    first, second = guard({"t": claim()}), guard({"t": replace(claim(), number=2)})
    assert claims(look(of_diary, first), look(of_diary, second)).verdict is Verdict.OK


@pytest.mark.parametrize("check", [runs, claims])
@pytest.mark.parametrize(
    "blind",
    [
        look(diary(blind="the diary is stale")),
        look(diary(behind=MANY_BEHIND)),
        Look(Silent("gone"), guard(), Silent("gone")),
        Look(diary(), Silent("gone"), Silent("gone")),
    ],
)
def test_who_cannot_see_does_not_judge(check: object, blind: Look) -> None:
    assert callable(check)
    well = look(diary())
    for looks in ((blind, well), (well, blind)):
        assert check(*looks).verdict is Verdict.UNKNOWN


def test_lists_that_were_cut_say_so() -> None:
    cut = look(diary(running("t"), all_running=False), guard({"t": claim()}, all_active=False))
    assert "there are more" in runs(cut, cut).says
    assert "there are more" in claims(cut, cut).says


names = st.sampled_from("abcdefgh")
worlds = st.dictionaries(names, st.tuples(st.booleans(), st.integers(1, 3), st.booleans()))
"""Task → whether it is held, its attempt, and whether it is in time."""


def _seen(world: dict[str, tuple[bool, int, bool]]) -> Look:
    tasks = [running(name, attempt, LATER if young else EARLIER) for name, (_, attempt, young) in world.items()]
    return look(diary(*tasks), guard({name: claim(attempt) for name, (held, attempt, _) in world.items() if held}))


@given(worlds, worlds)
def test_only_what_both_looks_find_odd_counts_and_time_alone_explains(
    first: dict[str, tuple[bool, int, bool]], second: dict[str, tuple[bool, int, bool]]
) -> None:
    found = runs(_seen(first), _seen(second))
    odd = {
        name: young
        for name, (held, attempt, young) in second.items()
        if not held and name in first and not first[name][0] and first[name][1] == attempt
    }
    assert {finding.task_id: finding.explained for finding in found.findings} == odd
    assert (found.verdict is Verdict.OK) == (not odd)
    assert (found.verdict is Verdict.WRONG) == (not all(odd.values()))
    assert claims(_seen(first), _seen(second)).verdict is Verdict.OK


states = st.sampled_from(list(State))
statuses = st.sampled_from(["active", "outcome", "ended", "released", "rebuilt", ""])
attempts = st.integers(0, 3)
tolds = st.none() | st.builds(Told, st.just("t"), states, attempts, st.none() | st.integers(0, 2 * NOW))
helds = st.builds(
    HeldClaim, attempts, statuses, attempts, attempts, st.just("w"), st.integers(-NOW, NOW), st.booleans()
)


@given(tolds, helds)
def test_any_claim_of_any_task_is_judged_and_only_living_ones_disturb_a_known_task(
    told: Told | None, held: HeldClaim
) -> None:
    of_guard = guard({"t": held}, active={("t", held.attempt): 0})
    found = claims(*[look(diary(told=["t" if told is None else told]), of_guard)] * 2)
    known = told is not None and told.state not in (State.UNKNOWN, State.REJECTED)
    assert (found.verdict is Verdict.WRONG) == bool(found.findings)
    if not known:
        assert found.findings
    elif not held.alive:
        assert not found.findings


def test_young_claims_need_not_be_compared() -> None:
    young = guard({"t": claim()}, active={("t", 1): NOW - 100})
    assert "not compared" not in claims(*[look(diary(), young)] * 2).says
