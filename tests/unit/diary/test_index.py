"""The index against a plain search through all tasks: the same tasks, in the same order, page by page."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.diary import index as module
from agents.diary import selection
from agents.diary.index import PartitionIndex
from agents.diary.pages import merged
from agents.diary.place import Place
from agents.diary.recency import SWEEP_FROM, Recency
from agents.diary.selection import Listed, Wanted
from agents.diary.summary import Summary, summarise
from streamapp.domain.facts import Recorded
from streamapp.domain.progress import State
from streamapp.domain.task import Task, apply
from tables.tasks import encode
from tests.support.facts import partitions, records
from tests.support.memory_diary import LIMITS
from tests.support.story import START, Story, later

NOW = 1_700_000_000_000 + 60_000
TASKS = [f"task-{number}" for number in range(1, 7)]


def indexed(facts: list[Recorded], sizes: list[int], partition: int = 0, room: int = 1000):
    """The index after the facts in batches of these sizes, and all tasks."""
    index = PartitionIndex(partition, LIMITS, room)
    tasks: dict[str, Task] = {}
    done = 0
    for size in [*sizes, len(facts)]:
        touched = {}
        for recorded in facts[done : done + size]:
            task = tasks.setdefault(recorded.fact.task_id, Task(recorded.fact.task_id))
            apply(task, recorded)
            touched[task.task_id.encode()] = task
        index.note({key: encode(task) for key, task in touched.items()}, done + size)
        done += size
        if size % 2:
            index.settle()
    index.settle()
    return index, tasks


def walked(page: Callable[[Place | None], list[Listed]], limit: int, *, newest_first: bool) -> list[str]:
    """The ids of all pages of a list, one after the other."""
    found: list[str] = []
    behind: Place | None = None
    for _ in range(200):
        found_now = merged(page(behind), limit, newest_first=newest_first)
        assert len(found_now.entries) <= limit
        found += [_id(entry) for _, entry in found_now.entries]
        behind = found_now.reached
        if behind is None:
            return found
    raise AssertionError("the list does not end")


def _id(entry: Summary | dict[str, str]) -> str:
    return entry.task_id if isinstance(entry, Summary) else entry["taskId"]


wanted = st.builds(
    Wanted,
    states=st.lists(st.sampled_from(list(State)), max_size=3, unique=True).map(tuple),
    type=st.sampled_from([None, None, "A", "B"]),
    worker=st.sampled_from([None, None, "w1", "w2"]),
    error=st.sampled_from([None, None, "Boom", "Timeout"]),
    anomaly=st.booleans(),
    before=st.sampled_from([None, None, NOW - 50_000]),
    after=st.sampled_from([None, None, NOW - 55_000]),
)


@settings(max_examples=150)
@given(
    st.lists(records(TASKS, 40), min_size=1, max_size=3),
    st.lists(st.integers(1, 9), max_size=8),
    wanted,
    st.integers(1, 4),
    st.integers(1, 9),
)
def test_pages_are_what_a_search_through_all_tasks_finds(told, sizes, filtered, limit, steps):
    made = [indexed(facts, sizes, number) for number, facts in enumerate(told)]

    def page(behind: Place | None) -> list[Listed]:
        return [selection.tasks(index, filtered, behind, limit, steps) for index, _ in made]

    plain: list[tuple[Place, str]] = []
    for number, (_, tasks) in enumerate(made):
        for task in tasks.values():
            summary = summarise(task, LIMITS)
            new_enough = filtered.after is None or summary.changed_at >= filtered.after
            old_enough = filtered.before is None or summary.changed_at < filtered.before
            if filtered.fits(summary) and new_enough and old_enough:
                plain.append((Place(summary.changed_at, number, summary.offset), task.task_id))
    assert walked(page, limit, newest_first=True) == [task_id for _, task_id in sorted(plain, reverse=True)]


@settings(max_examples=100)
@given(st.lists(records(TASKS, 40), min_size=1, max_size=3), st.lists(st.integers(1, 9), max_size=8), st.integers(1, 4))
def test_stuck_and_retrying_are_what_a_search_finds(told, sizes, limit):
    made = [indexed(facts, sizes, number) for number, facts in enumerate(told)]
    stuck, retrying = [], []
    for number, (_, tasks) in enumerate(made):
        for task in tasks.values():
            summary = summarise(task, LIMITS)
            if summary.open and summary.overdue(NOW):
                stuck.append((Place(summary.by, number, summary.offset), task.task_id))
            if summary.open and summary.state in (State.RETRY_SCHEDULED, State.FAILED):
                due = summary.not_before if summary.state is State.RETRY_SCHEDULED else summary.since
                retrying.append((Place(due, number, summary.offset), task.task_id))
    found = walked(lambda at: [selection.stuck(one, at, limit, NOW) for one, _ in made], limit, newest_first=False)
    assert found == [task_id for _, task_id in sorted(stuck)]
    found = walked(lambda at: [selection.retrying(one, at, limit) for one, _ in made], limit, newest_first=False)
    assert found == [task_id for _, task_id in sorted(retrying)]


@settings(max_examples=60)
@given(st.lists(records(TASKS, 40), min_size=1, max_size=3), st.lists(st.integers(1, 9), max_size=8), st.integers(1, 4))
def test_anomalies_are_those_of_all_tasks_newest_first(told, sizes, limit):
    made = [indexed(facts, sizes, number) for number, facts in enumerate(told)]
    odd = [
        (Place(next(entry.at for entry in task.history if entry.offset == found.offset), number, found.offset), task)
        for number, (_, tasks) in enumerate(made)
        for task in tasks.values()
        for found in task.anomalies
    ]
    found = walked(lambda at: [selection.anomalies(one, at, limit) for one, _ in made], limit, newest_first=True)
    assert found == [task.task_id for _, task in sorted(odd, key=lambda item: item[0], reverse=True)]


@settings(max_examples=80)
@given(partitions(), st.lists(st.integers(1, 9), max_size=8), st.integers(1, 3))
def test_open_tasks_stay_and_those_that_ended_longest_ago_make_room(facts, sizes, room):
    index, tasks = indexed(facts, sizes, room=room)
    summaries = [summarise(task, LIMITS) for task in tasks.values()]
    open_now = {summary.task_id for summary in summaries if summary.open}
    there = {task_id for task_id in tasks if index.get(task_id) is not None}
    assert open_now <= there
    assert len(there - open_now) <= room
    assert sum(index.left_out.values()) >= len(tasks) - len(there)
    page = selection.tasks(index, Wanted(), None, 100, 1000)
    assert page.complete == (not index.left_out)
    assert {summary.task_id for _, summary in page.entries} == there


def ended(number: int) -> Story:
    story = Story(f"task-{number}")
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
    return story


def test_a_list_says_whether_it_reaches_far_enough():
    facts = []
    for number in range(5):
        facts += [later(fact, len(facts) + offset, fact.at) for offset, fact in enumerate(ended(number).facts)]
    index, _ = indexed(facts, [4] * 5, room=2)
    states = {state: selection.tasks(index, Wanted((state,)), None, 9, 99).complete for state in State}
    assert not states[State.COMPLETED]
    assert all(complete for state, complete in states.items() if state is not State.COMPLETED)
    assert selection.tasks(index, Wanted(after=START), None, 9, 99).complete is False
    assert selection.tasks(index, Wanted(after=START + 3001), None, 9, 99).complete is True
    assert index.left_out == {State.COMPLETED: 3}


def test_a_filter_walks_a_bounded_number_of_steps_and_says_where_it_has_got_to():
    facts = [later(Story(f"task-{number}").accepted(), number, START + number) for number in range(100)]
    index, _ = indexed(facts, [])
    page = selection.tasks(index, Wanted(anomaly=True, type="EMAIL"), None, 10, 7)
    assert (page.entries, page.reached) == ([], None)  # the shortest list is empty
    page = selection.tasks(index, Wanted(worker=None, before=START + 50), None, 10, 7)
    assert [place.offset for place, _ in page.entries] == list(range(49, 42, -1))
    assert page.reached == Place(START + 43, 0, 43)


def test_what_is_gone_is_swept_out():
    recency = Recency(0)
    summaries = [summarise(ended(number).task, LIMITS) for number in range(10 * SWEEP_FROM)]
    for number, summary in enumerate(summaries):
        summary.offset = number
        recency.add(summary)
        summaries[max(number - 5, 0)].gone = True
    assert len(recency) <= 2 * SWEEP_FROM
    assert [summary.offset for summary in recency.before(None)] == list(
        range(len(summaries) - 1, len(summaries) - 6, -1)
    )


def test_lists_of_workers_that_nobody_remembers_are_given_up(monkeypatch):
    monkeypatch.setattr(module, "MARKS_SWEPT_FROM", 4)
    index = PartitionIndex(0, LIMITS, room=2)
    for number in range(40):
        story = ended(number)
        summary = summarise(story.task, LIMITS)
        summary.offset, summary.worker = number, f"worker-{number}"
        index.put(summary)
    assert len(index._marked["worker"]) <= 8
    assert {found.worker for found in index.all.before(None)} == {"worker-39", "worker-38"}


def test_a_task_that_was_opened_anew_is_open_again():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.failed, story.failed_permanently):
        step()
    index = PartitionIndex(0, LIMITS, room=5)
    closed = summarise(story.task, LIMITS)
    index.put(closed)
    again = summarise(story.task, LIMITS)
    again.offset, again.open, again.state, again.what, again.by = 9, True, State.ACCEPTED, "dispatch", NOW
    index.put(again, closed)
    assert index.get("task-1") is again
    assert [found.task_id for found in index.marked("state", State.FAILED_PERMANENTLY).before(None)] == []
    assert len(index.deadlines["dispatch"]) == 1
    index.put(closed_again := summarise(story.task, LIMITS), again)
    assert len(index.deadlines["dispatch"]) == 0
    assert index.get("task-1") is closed_again


def test_anomalies_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_ANOMALIES", 3)
    story = Story()
    story.accepted()
    for number in range(6):
        story.rejected(str(number).encode())
    index = PartitionIndex(0, LIMITS, room=5)
    index.anomalies = module.deque(maxlen=3)
    index.note({b"task-1": encode(story.task)}, 7)
    index.settle()
    page = selection.anomalies(index, None, 10)
    assert [place.offset for place, _ in page.entries] == [6, 5, 4]
    assert page.complete is False


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_page_ends_where_one_partition_was_not_walked_further(newest_first):
    sign = -1 if newest_first else 1

    def entry(at: int, partition: int):
        return Place(sign * at, partition, 0), {"at": at}

    parts = [
        Listed([entry(1, 0), entry(9, 0)]),
        Listed([entry(2, 1), entry(3, 1)], reached=Place(sign * 4, 1, 0)),
        Listed([entry(5, 2)], reached=Place(sign * 5, 2, 0), complete=False),
    ]
    page = merged(parts, 10, newest_first=newest_first)
    assert ([view["at"] for _, view in page.entries], page.reached, page.complete) == (
        [1, 2, 3],
        Place(sign * 4, 1, 0),
        False,
    )
    page = merged(parts, 2, newest_first=newest_first)
    assert ([view["at"] for _, view in page.entries], page.reached) == ([1, 2], Place(sign * 2, 1, 0))
    assert merged(parts[:1], 2, newest_first=newest_first).reached is None
    assert merged([parts[0], parts[0]], 5, newest_first=newest_first).entries == parts[0].entries


def test_summary_of_a_task_with_more_facts_than_are_kept():
    story = Story()
    story.accepted()
    for number in range(250):
        story.rejected(str(number).encode())
    summary = summarise(story.task, LIMITS)
    assert isinstance(summary, Summary)
    assert (summary.offset, summary.state, summary.anomalies) == (250, State.ACCEPTED, 199)
