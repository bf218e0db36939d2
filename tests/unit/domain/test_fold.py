"""The fold over any sequence of facts: laws that hold whatever the diary says."""

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain.facts import TaskRequeued
from streamapp.domain.outbox import Closed, Memory, Open, remember
from streamapp.domain.progress import TERMINAL, Progress, State
from streamapp.domain.task import MAX_HISTORY, Task, apply, evolve, fold
from tests.support.facts import records
from tests.support.story import Story, later

Any = st.data()


def _remember_all(facts, memory: Memory | None = None) -> Memory | None:
    for recorded in facts:
        memory = remember(memory, recorded)
    return memory


@given(records())
def test_every_sequence_is_accepted_and_every_fact_stays_visible(facts):
    task = fold(None, facts)
    if not facts:
        assert task is None
        return
    assert task.offset == facts[-1].offset
    assert len(task.history) + task.duplicates == len(facts)
    assert [entry.offset for entry in task.history] == sorted({entry.offset for entry in task.history})
    assert len({entry.id for entry in task.history}) == len(task.history)
    assert {anomaly.offset for anomaly in task.anomalies} <= {entry.offset for entry in task.history}


@given(records(), st.data())
def test_redelivery_at_the_same_offsets_changes_nothing(facts, data):
    task = fold(None, facts)
    start = data.draw(st.integers(0, len(facts)))
    end = data.draw(st.integers(start, len(facts)))
    assert fold(task, facts[start:end]) == task


@given(records(), st.data())
def test_redelivery_at_the_same_offsets_leaves_the_outbox_alone(facts, data):
    memory = _remember_all(facts)
    end = data.draw(st.integers(0, len(facts)))
    assert _remember_all(facts[:end], deepcopy(memory)) == memory


@given(records().filter(bool), st.data())
def test_the_same_fact_at_a_later_offset_is_counted_and_changes_nothing_else(facts, data):
    task = fold(None, facts)
    repeated = data.draw(st.sampled_from(facts))
    again = evolve(task, later(repeated, task.offset + 5, facts[-1].at + 99_000))
    assert again.duplicates == task.duplicates + 1
    again.duplicates, again.offset = task.duplicates, task.offset
    assert again == task


@given(records().filter(bool), st.data())
def test_the_same_fact_at_a_later_offset_changes_no_decision_of_the_outbox(facts, data):
    memory = _remember_all(facts)
    repeated = data.draw(st.sampled_from(facts))
    again = remember(deepcopy(memory), later(repeated, memory.offset + 5, facts[-1].at + 99_000))
    again.offset = memory.offset
    assert again == memory


@given(records())
def test_terminal_stays_until_a_requeue_and_attempts_never_fall(facts):
    task, attempt, ended, requeues = None, 0, None, 0
    for recorded in facts:
        task = evolve(task, recorded)
        assert task.progress.attempt >= attempt or task.progress.terminal
        if task.requeues > requeues:
            assert isinstance(recorded.fact, TaskRequeued)
            assert ended[0] is State.FAILED_PERMANENTLY
            assert task.progress.attempt > attempt
            assert (task.state, task.not_before, task.ended_at) == (State.RETRY_SCHEDULED, recorded.at, None)
            ended, requeues = None, task.requeues
        elif ended is not None:
            assert (task.state, task.ended_at, task.result) == ended
        elif task.progress.terminal:
            ended = (task.state, task.ended_at, task.result)
            assert task.ended_at == recorded.at
        attempt = task.progress.attempt


@given(records())
def test_attempts_tokens_and_failures_never_fall(facts):
    task = None
    before = Progress()
    for recorded in facts:
        task = evolve(task, recorded)
        assert task.progress.attempt >= before.attempt
        if task.requeues == before.requeues:
            assert task.progress.failures >= before.failures
            assert task.progress.first_attempt == before.first_attempt
        else:
            assert (task.progress.failures, task.progress.first_attempt) == (0, task.progress.attempt)
        assert task.progress.accepted_id == (before.accepted_id or task.progress.accepted_id)
        assert all(task.progress.tokens[number] >= token for number, token in before.tokens.items())
        before = task.progress


@given(records(), st.data())
def test_folding_in_batches_is_folding_one_by_one(facts, data):
    one_by_one = None
    for recorded in facts:
        one_by_one = evolve(one_by_one, recorded)
    cut = data.draw(st.integers(0, len(facts)))
    assert fold(fold(None, facts[:cut]), facts[cut:]) == one_by_one
    assert fold(None, facts) == one_by_one


@given(records().filter(bool))
def test_evolve_and_fold_leave_their_argument_as_it_was(facts):
    task = fold(None, facts[:-1])
    untouched = deepcopy(task)
    evolve(task, facts[-1])
    fold(task, facts)
    assert task == untouched


@given(records())
def test_diary_and_outbox_are_at_the_same_point_until_the_task_ends(facts):
    task: Task | None = None
    memory: Memory | None = None
    for recorded in facts:
        task, memory = evolve(task, recorded), remember(memory, recorded)
        assert isinstance(memory, Closed) == task.progress.terminal
        assert memory.offset == task.offset
        if isinstance(memory, Closed):
            assert memory.state is task.state
            assert (memory.kept is not None) == (task.state is State.FAILED_PERMANENTLY)
            assert memory.kept is None or memory.kept.progress == task.progress
            continue
        assert memory.progress == task.progress
        assert memory.not_before in (task.not_before, 0) or task.not_before is None
        assert (memory.type, memory.policy) == (task.type, task.policy)


@given(records(), records())
def test_a_closed_entry_stays_closed_unless_what_failed_for_good_is_requeued(facts, more):
    memory = _remember_all(facts)
    if not isinstance(memory, Closed):
        return
    state, accepted_id = memory.state, memory.accepted_id
    assert state in TERMINAL
    for recorded in more:
        before = deepcopy(memory)
        memory = remember(memory, later(recorded, memory.offset + 1, recorded.at))
        if isinstance(memory, Open):
            assert isinstance(recorded.fact, TaskRequeued)
            assert state is State.FAILED_PERMANENTLY
            assert memory.offset > before.offset
            assert (memory.type, memory.payload) == (before.kept.type, before.kept.payload)
            return
        assert memory.state is state
        if state is State.COMPLETED:
            assert memory.accepted_id == accepted_id


@given(records())
def test_the_row_of_what_is_opened_again_stays_as_it_was(facts):
    """Whoever writes it to one table and dies before the other one must find it again."""
    memory = None
    for recorded in facts:
        before, untouched = memory, deepcopy(memory)
        memory = remember(memory, recorded)
        if isinstance(before, Closed) and isinstance(memory, Open):
            assert before == untouched
            memory.progress.tokens.clear()
            assert before == untouched
            assert remember(before, recorded).offset == memory.offset
            return


def test_a_flood_of_strange_facts_is_counted_and_not_kept():
    story = Story()
    story.accepted()
    for number in range(MAX_HISTORY + 50):
        story.rejected(str(number).encode())
    task = story.task
    assert len(task.history) == MAX_HISTORY
    assert task.dropped == 51
    assert len(task.anomalies) <= MAX_HISTORY
    assert task.state == "ACCEPTED"


def test_a_flood_of_strange_attempts_does_not_grow_the_record():
    story = Story()
    story.accepted()
    for attempt in range(1, 3000):
        story.started(attempt)
    assert len(story.task.progress.tokens) < 200
    assert story.memory.progress == story.task.progress
    story.completed(2999)
    story.failed_permanently(3000)
    for attempt in range(4000, 7000):
        story.started(attempt)
    assert len(story.task.progress.tokens) < 200
    assert story.task.state == "COMPLETED"


def test_apply_folds_in_place_and_ignores_what_was_folded():
    story = Story()
    first, second = story.accepted(), story.dispatched()
    task = Task("task-1")
    apply(task, first)
    apply(task, second)
    apply(task, first)
    assert task == story.task
    assert isinstance(story.memory, Open)
