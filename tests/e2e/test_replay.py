"""`streamapp replay` as an operator meets it: what it shows, what it refuses, what it does, and the certificate."""

import asyncio
import base64
import hashlib
import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import RunningBrokers
from tests.support.command import Command
from tests.support.events import event
from tests.support.lived import Lived, lived
from tests.support.reference import fold_topic
from tests.support.stack import PARTITIONS, PROJECT
from tests.support.traffic import Traffic
from tests.support.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

ROLES = {"diary": ["tasks", "totals"], "dispatch": ["pending", "dedup"]}
EVENTS = 12


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    """All roles in one process, which took events, dispatched tasks and folded odd stories; then it was stopped."""
    folder = tmp_path_factory.mktemp("replay")
    async with lived(brokers_stack.endpoints, folder, DISPATCH__LOST_AFTER_SECONDS="86400") as made:
        process = await made.made.started()
        await made.kafka.tell(made.topic, Traffic(5, "replay").burst(120))
        await made.kafka.append(made.topic, [(b"k", b"garbage")])
        payload = {"userId": "u1", "email": "u1@example.com"}
        events = [(None, event(f"event-{number}", payload)) for number in range(EVENTS)]
        await made.kafka.append(made.made.names.events_topic, events)
        for number in range(EVENTS):
            await made.told("TaskDispatched", f"event-{number}")
        await made.calm()
        await made.applied(process)
        assert process.stop() == 0
        assert process.troubles() == []
        yield made


class _Before:
    """What must not change: jobs published, records of the topics, committed offsets, files, changelogs."""

    def __init__(self, life: Lived) -> None:
        self._life = life

    async def look(self) -> Mapping[str, Any]:
        kafka, made = self._life.kafka, self._life.made
        changelogs = [name for name in await kafka.topics(self._life.group) if name.endswith("-changelog")]
        files = sorted(made.tables("all").rglob("*.sst")) + sorted(made.tables("all").rglob("*.log"))
        return {
            "jobs": self._life.tap.ids.copy(),
            "diary": await kafka.ends(self._life.topic),
            "offsets": await kafka.offsets(self._life.group),
            "changelogs": {name: await kafka.ends(name) for name in changelogs},
            "files": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        }


async def _verified(life: Lived) -> None:
    """Start the roles, see that the tables are right and that nothing is due, and stop them."""
    process = await life.made.started()
    await life.applied(process)
    document = await Command(life.made).document("verify")
    assert (document["equal"], len(document["compared"])) == (True, 4 * PARTITIONS)
    await life.calm()
    assert process.stop() == 0
    assert process.troubles() == []


def _view(document: Any) -> dict[str, str]:
    return {view["table"]: view["sha256"] for view in document["certificate"]["views"]}


@pytest.mark.parametrize("role", ["diary", "dispatch"])
async def test_a_rebuild_gives_the_same_digests_every_time_and_causes_nothing(life: Lived, role: str) -> None:
    before = await _Before(life).look()
    records = await life.kafka.read(life.topic)
    command = Command(life.made)
    first, second = [await command.document("replay", role, "--wipe", "--yes", "--run") for _ in range(2)]
    assert sorted(_view(first)) == sorted(ROLES[role])
    assert _view(first) == _view(second)
    assert first["certificate"]["topics"] == second["certificate"]["topics"]
    certificate = second["certificate"]
    assert {view["table"]: view["rows"] for view in certificate["views"]} == {
        table: sum(len(rows) for rows in getattr(fold_topic(records), table).values()) for table in ROLES[role]
    }
    (topic,) = certificate["topics"]
    assert topic["topic"] == life.topic
    assert topic["partitions"] == [
        {
            "partition": partition,
            "first": rows[0].offset if rows else None,
            "last": rows[-1].offset if rows else None,
            "records": len(rows),
        }
        for partition, rows in records.items()
    ]
    caused = [certificate[name] for name in ("jobsPublished", "executionsStarted", "jobsSeenByRabbitMQ")]
    assert caused == [0, 0, 0]
    assert certificate["meanwhile"] == {
        "factsAppended": 0,
        "jobsDispatched": 0,
        "executionsStarted": 0,
        "jobsQueued": 0,
    }
    assert second["done"]["files"] == 2 * PARTITIONS
    assert len(second["done"]["changelogs"]) == 2
    after = await _Before(life).look()
    assert (after["jobs"], after["diary"]) == (before["jobs"], before["diary"])
    assert await life.odd_rows(life.made.tables("all")) == []


async def test_the_certificate_is_kept_and_names_the_topic(life: Lived) -> None:
    out, err = await Command(life.made).run("replay", "diary", "--wipe", "--yes", "--run")
    (path,) = [Path(word.rstrip(".")) for word in err.split() if word.rstrip(".").endswith(".json")]
    document = json.loads(path.read_bytes())
    assert path.with_suffix(".txt").read_text() in out
    assert document["topics"][0]["id"] in out
    described = await _kafka(life, "kafka-topics", "--describe", "--topic", life.topic)
    assert _base64(document["topics"][0]["id"]) in described
    assert "caused by the replay: jobs published 0 (in RabbitMQ: 0), executions started 0" in out


def _base64(identity: str) -> str:
    """How Kafka's own tools write a topic's id."""
    return base64.urlsafe_b64encode(uuid.UUID(identity).bytes).rstrip(b"=").decode()


async def test_work_that_was_still_to_be_done_is_no_replay(life: Lived) -> None:
    """Accepted while everything was down: dispatched as soon as the horizon is passed, and counted apart."""
    told = await life.canaries(Traffic(0, "backlog"))
    before = life.tap.ids
    document = await Command(life.made).document("replay", "dispatch", "--wipe", "--yes", "--run")
    certificate = document["certificate"]
    assert certificate["jobsPublished"] == certificate["jobsSeenByRabbitMQ"] == 0
    assert certificate["meanwhile"]["jobsDispatched"] <= len(told)
    await _verified(life)
    assert life.tap.ids - before == Counter(told)


async def test_ingest_appends_the_same_facts_once_more_and_nothing_runs(life: Lived) -> None:
    before = await _Before(life).look()
    command = Command(life.made)
    plan = await command.document("replay", "ingest", "--wipe", "--dry-run")
    assert sum(item["again"] for item in plan["plan"]["partitions"]) == EVENTS
    documents = [await command.document("replay", "ingest", "--wipe", "--yes", "--run") for _ in range(2)]
    assert _view(documents[0]) == _view(documents[1])
    assert sorted(_view(documents[0])) == ["sources"]
    events, diary = documents[0]["certificate"]["topics"]
    assert (events["topic"], events["records"]) == (life.made.names.events_topic, EVENTS)
    assert diary["topic"] == life.topic
    assert documents[0]["certificate"]["meanwhile"]["factsAppended"] == EVENTS
    await _verified(life)
    after = await _Before(life).look()
    assert after["jobs"] == before["jobs"]
    assert sum(after["diary"].values()) == sum(before["diary"].values()) + 2 * EVENTS


async def test_everything_at_once(life: Lived) -> None:
    before = await _Before(life).look()
    document = await Command(life.made).document("replay", "all", "--wipe", "--yes", "--run")
    assert sorted(_view(document)) == ["dedup", "pending", "sources", "tasks", "totals"]
    assert len(document["done"]["changelogs"]) == 5
    await _verified(life)
    assert (await _Before(life).look())["jobs"] == before["jobs"]


async def test_refused_while_the_role_is_alive(life: Lived) -> None:
    process = await life.made.started()
    before = await life.kafka.offsets(life.group)
    for arguments in (["--wipe", "--yes"], ["--dry-run"], []):
        out, err = await Command(life.made).run("replay", "diary", *arguments, code=1)
        assert f"group {life.group} has 1 member(s) alive" in err
        assert "on 127.0.0.1" in err
    assert "alive" in out
    assert (await life.kafka.offsets(life.group)).keys() == before.keys()
    assert process.stop() == 0
    assert await life.odd_rows(life.made.tables("all")) == []


async def test_a_dry_run_changes_nothing(life: Lived) -> None:
    before = await _Before(life).look()
    command = Command(life.made)
    for arguments in (["all", "--wipe"], ["diary", "--from", "offset:3"], ["ingest"]):
        out, _ = await command.run("replay", *arguments, "--dry-run")
        assert life.group in out
    document = await command.document("replay", "diary", "--wipe", "--dry-run")
    assert (document["done"], document["certificate"], document["refused"]) == (None, None, None)
    ends = await life.kafka.ends(life.topic)
    plan = document["plan"]
    assert [(item["reads_from"], item["end"], item["again"]) for item in plan["partitions"]] == [
        (0, end, end) for _, end in sorted(ends.items())
    ]
    wiped = {table["table"]: (table["files"], table["wipe"]) for table in plan["tables"]}
    assert wiped["tasks"] == wiped["totals"] == (PARTITIONS, True)
    assert wiped["pending"] == wiped["sources"] == (PARTITIONS, False)
    assert await _Before(life).look() == before


async def test_nothing_is_deleted_without_a_yes(life: Lived) -> None:
    before = await _Before(life).look()
    for typed in ("n\n", ""):
        out, _ = await Command(life.made).run("replay", "diary", "--wipe", code=1, typed=typed)
        assert "Delete tasks, totals on disk and in Kafka?" in out
    _, err = await Command(life.made).run("replay", "diary", "--wipe", "--json", code=2)
    assert "--yes" in err
    assert await _Before(life).look() == before


async def test_tables_kept_the_group_is_set_back_and_nothing_is_read_again(life: Lived) -> None:
    """What `--from` does without `--wipe`, and what Kafka's own tool does: the same, which is next to nothing."""
    command, ends = Command(life.made), await life.kafka.ends(life.topic)
    before = await _Before(life).look()
    out, _ = await command.run("replay", "diary", "--from", "offset:3")
    assert "Nothing is read again" in out
    set_back = {(life.topic, partition): min(3, end) for partition, end in ends.items()}
    assert (await life.kafka.offsets(life.group)).items() >= set_back.items()
    await command.run("replay", "diary", "--from", "time:2020-01-01T00:00:00+01:00")
    assert (await life.kafka.offsets(life.group)).items() >= dict.fromkeys(set_back, 0).items()
    await command.run("replay", "diary", "--from", "time:2999-01-01T00:00:00Z")
    offsets = await life.kafka.offsets(life.group)
    assert offsets.items() >= {(life.topic, partition): end for partition, end in ends.items()}.items()
    await command.run("replay", "diary")
    by_us = await life.kafka.offsets(life.group)
    await life.kafka.move_group(life.group, offsets)
    topic = ("--group", life.group, "--topic", life.topic)
    await _kafka(life, "kafka-consumer-groups", *topic, "--reset-offsets", "--to-earliest", "--execute")
    assert await life.kafka.offsets(life.group) == by_us
    await _verified(life)
    after = await _Before(life).look()
    assert (after["jobs"], after["diary"]) == (before["jobs"], before["diary"])


async def test_a_rebuild_with_kafkas_own_tools_is_the_same(life: Lived) -> None:
    """Group reset, changelog topics deleted and files removed by hand: the digests are those of `replay --wipe`."""
    command = Command(life.made)
    ours = await command.document("replay", "diary", "--wipe", "--yes", "--run")
    topic = ("--group", life.group, "--topic", life.topic)
    await _kafka(life, "kafka-consumer-groups", *topic, "--reset-offsets", "--to-earliest", "--execute")
    for table in ROLES["diary"]:
        await _kafka(life, "kafka-topics", "--delete", "--topic", f"{life.group}-{table}-changelog")
        for path in life.made.tables("all").glob(f"{table}-*.db"):
            subprocess.run(["rm", "-r", str(path)], check=True)
    await until(lambda: _gone(life), 30, "the changelogs are gone")
    theirs = await command.document("replay", "diary", "--run")
    assert theirs["certificate"]["wiped"] == []
    assert _view(theirs) == _view(ours)
    assert theirs["certificate"]["jobsPublished"] == 0


async def _gone(life: Lived) -> bool:
    topics = await life.kafka.topics(life.group)
    return not {f"{life.group}-{table}-changelog" for table in ROLES["diary"]}.intersection(topics)


async def test_a_role_alone_has_a_group_and_tables_of_its_own(life: Lived) -> None:
    command = Command(life.made, "diary", "alone")
    _, err = await command.run("replay", "diary", "--dry-run", code=2)
    assert f"neither a consumer group {life.made.names.app_id('diary')} nor a changelog" in err
    process = await life.made.started("diary", "alone")
    await life.applied(process)
    assert process.stop() == 0
    ours = await command.document("replay", "diary", "--wipe", "--yes", "--run")
    theirs = await Command(life.made).document("replay", "diary", "--run")
    assert _view(ours) == _view(theirs)
    assert ours["certificate"]["group"] == life.made.names.app_id("diary")
    _, err = await command.run("replay", "dispatch", "--dry-run", code=2)
    assert "STREAMAPP_ROLE is diary" in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nothing"], "nothing"),
        (["diary", "--from", "yesterday"], "--from"),
        (["diary", "--from", "offset:-1"], "--from"),
        (["diary", "--from", "offset:x"], "--from"),
        (["diary", "--from", "time:12"], "--from"),
        (["diary", "--from", "time:2026-01-01T00:00:00"], "time zone"),
        (["diary", "--from", "offset:3", "--wipe"], "--from offset:3 cannot be combined with --wipe"),
        (["diary", "--wipe", "--forse"], "--forse"),
    ],
)
async def test_wrong_use_names_what_is_wrong(life: Lived, arguments: list[str], named: str) -> None:
    _, err = await Command(life.made).run("replay", *arguments, code=2)
    assert named in err


async def _kafka(life: Lived, tool: str, *arguments: str) -> str:
    """Run one of Kafka's own tools."""
    command = [sys.executable, "-m", "brokers", tool, "--bootstrap-server", life.kafka.servers, *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=90, cwd=PROJECT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)
