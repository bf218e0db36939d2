"""However strange the facts of a task are, its records fit into their changelogs: one that did not would stop a diary.

The facts are the largest that decode, of the characters that JSON writes longest, as a stranger could write them.
"""

import pytest
from msgspec.structs import replace

from streamapp.domain.dispatch import GiveUp
from streamapp.domain.facts import FieldError, Recorded
from streamapp.domain.outbox import Closed, Open, remember
from streamapp.domain.statistics import Statistics
from streamapp.domain.task import MAX_HISTORY, Task, fold
from streamapp.domain.views import tell_diary
from streamapp.settings import Settings
from streamapp.stream.topics import CHANGELOG_MAX_BYTES, CHANGELOG_PASS_BYTES
from streamapp.wire.facts import Undecodable, decode, encode
from tables import dedup, pending, tasks, totals
from tests.support.facts import SCRIBE
from tests.support.story import START, Story

MAX_RECORD_BYTES = Settings().kafka.max_record_bytes + 65_536
"""`max.message.bytes` of the diary: no larger record can be written into it."""

LONG = {"source": 512, "queue": 512, "worker": 512, "reason": 100_000, "message": 100_000, "error_type": 100_000}
CONTROL = "\x01"
"""One character that is six bytes of JSON."""


def _as_large_as_it_gets(fact):
    grown = {name: CONTROL * length for name, length in LONG.items() if hasattr(fact, name)}
    if hasattr(fact, "errors"):
        grown["errors"] = tuple(FieldError(f"/{CONTROL * 3000}", CONTROL * 3000) for _ in range(20))
    grown = {name: value for name, value in grown.items() if _readable(replace(fact, **{name: value}))}
    return replace(fact, **grown)


def _readable(fact) -> bool:
    try:
        return len(encode(fact)[1]) <= MAX_RECORD_BYTES and decode(*encode(fact)) == fact
    except Undecodable:
        return False


def _flood(kind: str) -> list[Recorded]:
    story = Story()
    story.accepted({"x": CONTROL * 170_000})
    for number in range(MAX_HISTORY + 20):
        if kind == "rejected":
            recorded = story.rejected(str(number).encode())
        elif kind == "requeued":
            recorded = story.requeued(f"r{number}", '"' * 200, '"' * 1000)
        elif kind in ("started", "failed"):
            recorded = getattr(story, kind)(claim=number + 1)
        else:
            recorded = getattr(story, kind)(number + 1)
        story.facts[-1] = replace(recorded, fact=_as_large_as_it_gets(recorded.fact))
    story.started(MAX_HISTORY + 30)
    story.completed(MAX_HISTORY + 30, result=CONTROL * 170_000)
    return story.facts


@pytest.mark.parametrize("kind", ["rejected", "dispatched", "started", "failed", "retry_scheduled", "requeued"])
def test_a_flood_of_the_largest_facts_makes_records_that_fit(kind):
    facts = _flood(kind)
    assert len(encode(facts[0].fact)[1]) > 1_000_000
    task = fold(None, facts)
    assert isinstance(task, Task)
    assert len(task.history) == MAX_HISTORY
    assert len(tasks.encode(task)) < CHANGELOG_MAX_BYTES
    memory = None
    for recorded in facts[:-1]:
        memory = remember(memory, recorded)
    assert isinstance(memory, Open)
    assert len(pending.encode(memory)) < CHANGELOG_MAX_BYTES
    given_up = SCRIBE.failed_permanently("task-1", GiveUp(MAX_HISTORY + 30, "Boom"))
    closed = remember(memory, Recorded(given_up, memory.offset + 1, 0))
    assert isinstance(closed, Closed)
    assert closed.kept is not None
    assert len(dedup.encode(closed)) < CHANGELOG_MAX_BYTES


def _spread(facts: int, strange: bool) -> dict[bytes, bytes]:
    """All rows of the totals after so many facts, each of another minute, worker, task type and kind of failure."""
    statistics = Statistics()
    for number in range(facts // 2):
        story = Story(f"task-{number}")
        name = (CONTROL * 150 if strange else "") + f"T{number}"
        story.accepted(type=name)
        failed = story.failed(worker=f"{CONTROL * 500 if strange else 'worker'}-{number}")
        more = {"error_type": f"{CONTROL * 190 if strange else 'E'}{number}", "message": CONTROL * 500 * strange}
        story.facts[-1] = replace(failed, fact=replace(failed.fact, **more))
        task = Task(story.task_id)
        for place, fact in enumerate(story.facts):
            at = START + (2 * number + place) * 60_000
            tell_diary(Recorded(fact.fact, 2 * number + place, at), statistics, lambda _, task=task: task)
    return totals.rows(statistics)


def test_what_one_batch_of_facts_can_change_of_the_totals_goes_into_one_record_batch():
    rows = _spread(2_000, strange=False)
    assert len(rows) > 2_900
    assert sum(len(key) + len(value) + 50 for key, value in rows.items()) < CHANGELOG_PASS_BYTES


def test_rows_of_the_totals_fit_however_strange_the_names_are():
    rows = _spread(4_000, strange=True)
    assert max(map(len, rows.values())) < CHANGELOG_PASS_BYTES // 10


@pytest.mark.parametrize("name", ["source", "queue", "worker"])
def test_a_name_longer_than_any_broker_allows_is_no_fact(name):
    fact = Story().dispatched().fact if name == "queue" else Story().started().fact
    assert _readable(replace(fact, **{name: "x" * 512}))
    assert not _readable(replace(fact, **{name: "x" * 513}))
