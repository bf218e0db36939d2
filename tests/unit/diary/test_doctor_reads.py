"""What `streamapp doctor` reads of the diary: the real views, over a prepared history and two processes."""

from urllib.parse import urlsplit

import pytest

from streamapp.cli.diary_views import DiaryViews
from streamapp.cli.looks import MOST
from streamapp.domain.errors import Unavailable
from streamapp.domain.progress import State
from streamapp.settings import Settings
from streamapp.settings.groups import DiarySettings
from tests.support.memory_diary import Cluster, Process, SetClock, cluster
from tests.unit.diary.conftest import NOW, lives

TASKS = {story.task_id: story.task for story in lives()}


def views_of(process: Process) -> DiaryViews:
    port = urlsplit(process.url).port
    assert port is not None
    return DiaryViews(Settings(diary=DiarySettings(port=port)))


@pytest.fixture
def views(pair: Cluster) -> DiaryViews:
    return views_of(pair.processes[0])


async def test_tasks_of_a_state_are_all_there_with_attempt_and_deadline(views: DiaryViews) -> None:
    for state in (State.RUNNING, State.DISPATCHED):
        found, complete = await views.of_state(state, MOST)
        assert complete
        wanted = {name: task for name, task in TASKS.items() if task.state is state}
        assert {task.job for task in found} == {(name, task.progress.attempt) for name, task in wanted.items()}
        assert all(task.by is not None for task in found)


async def test_a_list_that_is_cut_says_so(views: DiaryViews) -> None:
    whole, _ = await views.of_state(State.RUNNING, MOST)
    assert len(whole) > 2
    cut, complete = await views.of_state(State.RUNNING, 2)
    assert (cut, complete) == (whole[:2], False)
    assert await views.of_state(State.RUNNING, len(whole)) == (whole, True)


async def test_only_those_that_stand_so_for_a_while_are_read(views: DiaryViews) -> None:
    old, _ = await views.of_state(State.RUNNING, MOST, 597)
    wanted = {
        name for name, task in TASKS.items() if task.state is State.RUNNING and NOW - task.history[-1].at > 597_000
    }
    assert {task.task_id for task in old} == wanted


async def test_sums_are_those_of_all_processes(views: DiaryViews) -> None:
    sums = await views.sums()
    for state in (State.RUNNING, State.COMPLETED):
        assert sums.states[state] == sum(task.state is state for task in TASKS.values())
    assert sums.facts["TaskExecutionStarted"] > 0


async def test_tasks_asked_one_by_one_are_told_and_unknown_ones_are_none(views: DiaryViews) -> None:
    found = await views.tasks(["task-2", "no such/täsk?", "task-2"])
    assert found["no such/täsk?"] is None
    task = found["task-2"]
    assert task is not None
    assert (task.state, task.attempt) == (State.RUNNING, 1)
    assert len(found) == 2


async def test_the_epoch_of_the_newest_starts(views: DiaryViews, pair: Cluster) -> None:
    assert await views.newest_epoch() == 1


async def test_stuck_and_anomalies_are_counted_with_the_first_of_them(views: DiaryViews) -> None:
    stuck, anomalies = await views.stuck(), await views.anomalies(0)
    assert stuck.count > 0
    assert stuck.complete
    assert stuck.first[0].says
    assert anomalies.count == sum(len(task.anomalies) for task in TASKS.values())
    assert all(finding.explained for finding in (*stuck.first, *anomalies.first))
    assert (await views.anomalies(NOW)).count == 0
    assert (await views.unreadable(0)).count == 0


async def test_a_diary_that_does_not_answer_is_unavailable(pair: Cluster) -> None:
    await pair.processes[0].stop()
    with pytest.raises(Unavailable, match="Is it running"):
        await views_of(pair.processes[0]).sums()


async def test_an_empty_diary_has_no_epoch() -> None:
    async with cluster(SetClock(NOW)) as made:
        found = views_of(made.processes[1])
        assert await found.newest_epoch() is None
        assert await found.of_state(State.RUNNING, MOST) == ((), True)
