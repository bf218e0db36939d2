"""`streamapp outage`: the report in Markdown and as JSON, its verdict as exit code.

The topic is read in `tests/integration/test_commands.py`; here the facts of the span are told to the view.
"""

import json
from collections import Counter
from typing import Any

import pytest

from agents.diary.outage import Outage
from streamapp.domain.facts import Recorded
from streamapp.stream.partitions import partition_of
from tests.support.story import START, Story
from tests.unit.cli.conftest import Operator
from tests.unit.diary.conftest import history

SPAN = ("--from", "2023-11-14T22:13:00Z", "--to", "2023-11-14T22:20:00Z")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """The facts of the topic."""
    facts = history()

    async def keys(_: Outage, partitions: tuple[int, ...], bounds: Any) -> dict[int, Counter[bytes | None]]:
        found: dict[int, Counter[bytes | None]] = {partition: Counter() for partition in partitions}
        for recorded in facts:
            key = recorded.fact.task_id.encode()
            partition = partition_of(key, 4)
            if partition in found and bounds.first <= recorded.at <= bounds.last:
                found[partition][key] += 1
        return found

    monkeypatch.setattr(Outage, "_keys", keys)
    return facts


async def test_the_report_for_people(operator: Operator, told: list[Recorded]) -> None:
    view = await operator.document("outage", *SPAN, code=1)
    (path, asked), *_ = operator.asked
    assert (path, asked) == ("/v1/outage", [("from", SPAN[1]), ("to", SPAN[3])])
    assert view["verdict"] == "unexplained"
    assert await operator.document("outage", *SPAN, "--format", "json", code=1) == view
    text = await operator.text("outage", *SPAN, code=1)
    lines = text.splitlines()
    assert lines[0] == "# Outage report, 2023-11-14T22:13:00.000Z to 2023-11-14T22:20:00.000Z"
    assert lines[2].startswith("**Unexplained: ")
    figures = dict(line.strip("| ").split(" | ") for line in lines if line.count("|") == 3 and " | " in line[2:-2])
    assert figures["accepted"] == str(view["accepted"])
    assert figures["duplicates suppressed"] == str(view["duplicatesSuppressed"]) == "4"
    assert figures["tasks that failed for good"] == str(view["failedPermanently"]) == "4"
    assert figures["unexplained"] == str(view["unexplained"])
    for wait in view["waited"]["longest"]:
        assert f"| {wait['taskId']} | {wait['attempt']} | " in text
    assert len([line for line in lines if line.startswith("- unexplained: ")]) == view["unexplained"]


async def test_a_span_in_which_all_went_well_is_0(operator: Operator, told: list[Recorded]) -> None:
    for process in operator.made.processes:
        process.clock.now = START
    text = await operator.text("outage", "--from", "2023-11-14T22:00:00Z", "--to", "2023-11-14T22:01:00Z")
    assert "**As designed: " in text
    assert "## Findings\n\nNone." in text


async def test_missing_partitions_make_it_incomplete(operator: Operator, told: list[Recorded]) -> None:
    for process in operator.made.processes:
        process.clock.now = START
    operator.made.processes[0].assigned = {}
    text = await operator.text("outage", *SPAN, code=1)
    assert "**Incomplete: " in text
    assert "Nothing is known of partitions 1, 3 now" in text
    operator.made.processes[0].freshness.stale = True
    assert "Stale: Kafka does not answer; last known state as of" in await operator.text("outage", *SPAN, code=1)


async def test_times_may_be_so_long_ago(operator: Operator, told: list[Recorded]) -> None:
    view = await operator.document("outage", "--from", "2h", code=1)
    assert view["from"] < view["to"]
    view = await operator.document("outage", "--from", "2h", "--to", "90m", code=1)
    hours = [int(view[end][11:13]) * 60 + int(view[end][14:16]) for end in ("from", "to")]
    assert (hours[1] - hours[0]) % 1440 in (29, 30, 31)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], 0),
        (["--from", "yesterday"], 0),
        (["--from", "2h", "--format", "html"], 0),
        (["--from", "1h", "--to", "2h"], 1),
        (["--from", "3d"], 1),
    ],
)
async def test_wrong_use(operator: Operator, told: list[Recorded], options: list[str], asked: int) -> None:
    await operator.run("outage", *options, code=2)
    assert len(operator.asked) == asked


async def test_a_topic_that_cannot_be_read_is_told(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamapp.domain.errors import Unavailable

    async def keys(*_: Any) -> Any:
        raise Unavailable("Kafka is away")

    monkeypatch.setattr(Outage, "_keys", keys)
    result = await operator.run("outage", *SPAN, code=1)
    assert "The facts cannot be read now: Kafka is away" in result.stderr
    assert (await operator.document("outage", *SPAN, code=1))["type"] == "/problems/topic-unreadable"
    text = await operator.text("outage", *SPAN, "--format", "json", code=1)
    assert json.loads(text)["type"] == "/problems/topic-unreadable"


async def test_texts_of_somebody_else_mean_themselves_in_markdown(operator: Operator, told: list[Recorded]) -> None:
    story = Story("x|y *b* <b>_[l](u)`\x1b[2J")
    story.accepted()
    told += story.facts
    await operator.made.tell(story.facts)
    text = await operator.text("outage", *SPAN, code=1)
    assert "\x1b" not in text
    assert r"x\|y \*b\* \<b\>\_\[l\](u)\`\\u001b\[2J" in text
