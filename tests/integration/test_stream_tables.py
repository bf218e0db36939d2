"""The central test: live tables equal a plain fold of the topic, byte for byte, after everything that may happen."""

from streamapp.domain.facts import TaskAccepted
from tests.support.survivor import KILLS, WINDOW, Survivor

WINDOWS = 4  # of the pump, under way at once


async def test_tables_equal_a_plain_fold_after_being_killed_again_and_again(survivor: Survivor) -> None:
    assert await survivor.life.odd_rows(survivor.life.made.tables("all")) == []
    assert (survivor.exit_status, survivor.troubles) == (0, [])


async def test_dispatch_killed_under_load_loses_nothing_and_repeats_little(survivor: Survivor) -> None:
    tap = survivor.life.tap
    accepted: dict[str, TaskAccepted] = {}
    dispatched = set()
    for _, recorded in await survivor.life.facts():
        fact = recorded.fact
        if isinstance(fact, TaskAccepted):
            accepted.setdefault(fact.task_id, fact)
        elif fact.NAME == "TaskDispatched" and "/dispatch/" in fact.source:
            dispatched.add(f"{fact.task_id}:{fact.attempt}")
    assert len(accepted) > 500
    assert set(tap.ids) == dispatched
    for tapped in tap.seen:
        first = accepted[tapped.job.task_id]
        assert (tapped.job.type, tapped.job.parameters) == (first.type, first.payload)
    assert tap.ids.total() - len(tap.ids) <= KILLS * WINDOW * WINDOWS
