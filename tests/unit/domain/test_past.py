"""A task as it was: the fold of its kept history is the fold of the facts that it had then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamapp.domain import past
from streamapp.domain.facts import FACTS
from streamapp.domain.past import HistoryNotKept, as_of
from streamapp.domain.task import MAX_HISTORY, Task, fold
from tests.support.facts import records
from tests.support.story import START, Story


def _kept(task: Task | None) -> Task | None:
    """Without what leaves no entry: facts that came again."""
    return None if task is None else replace(task, duplicates=0, offset=task.history[-1].offset)


@given(records(), st.data())
def test_the_past_is_the_fold_of_the_facts_up_to_there(facts, data):
    task = fold(None, facts)
    if task is None:
        return
    upto = data.draw(st.integers(0, len(facts)))
    offset = facts[upto - 1].offset if upto else -1
    then = fold(None, facts[:upto])
    if then is not None and then.result is None and task.result is not None:
        assert as_of(task, offset=offset).result is None
    assert _kept(as_of(task, offset=offset)) == _kept(then)
    at = facts[upto - 1].at if upto else 0
    assert _kept(as_of(task, at=at)) == _kept(then)


def test_a_moment_between_two_facts_belongs_to_the_first():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
    assert as_of(story.task, at=START - 1) is None
    assert as_of(story.task, at=START + 1999).state == "DISPATCHED"
    assert as_of(story.task, at=START + 2000).state == "RUNNING"
    assert as_of(story.task, offset=10**9) == story.task


def test_what_was_not_kept_is_not_guessed():
    story = Story()
    story.accepted()
    for number in range(MAX_HISTORY + 5):
        story.rejected(str(number).encode())
    task = story.task
    assert as_of(task, offset=MAX_HISTORY - 2).state == "ACCEPTED"
    assert as_of(task, offset=task.offset) == task
    with pytest.raises(HistoryNotKept, match="6 later facts"):
        as_of(task, offset=task.offset - 1)
    with pytest.raises(HistoryNotKept):
        as_of(task, at=task.history[-1].at)


def test_every_fact_can_be_told_again():
    assert set(past._FACTS) == {fact.NAME for fact in FACTS}
