"""What a Faust role refuses to start on: it ends at once, with one line that says why and what to do."""

import contextlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from streamapp.settings import Role
from streamapp.stream.table import APPLIED_KEY
from streamapp.stream.vouching import decode_marker, encode_marker
from tests.support.brokers import RunningBrokers
from tests.support.kafka import Kafka
from tests.support.lived import lived
from tests.support.stack import PARTITIONS, Installation, RoleProcess, installation
from tests.support.traffic import Traffic

DIARY = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
}
FORGETFUL = {
    "cleanup.policy": "compact",
    "retention.ms": "604800000",
    "retention.bytes": "1000000",
    "message.timestamp.type": "CreateTime",
}
ROLES: tuple[Role, ...] = ("ingest", "dispatch", "diary", "all")


@pytest.fixture
def made(brokers_stack: RunningBrokers, tmp_path: Path) -> Iterator[Installation]:
    with installation(brokers_stack.endpoints, tmp_path) as made:
        yield made


def _refusal(process: RoleProcess) -> str:
    """What the process said when it refused. Fails if it did not end, or if it said more than one thing."""
    assert process.ended() != 0
    complaints = [line for line in process.lines() if line["level"] in ("error", "critical")]
    assert len(complaints) == 1, process.tail(60)
    assert "Traceback" not in process.text()
    return str(complaints[0]["message"])


async def test_a_diary_that_could_forget(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    """Every setting, and every role, at once."""
    kafka = Kafka(brokers_stack.endpoints.kafka)
    with contextlib.ExitStack() as stack:
        refused = []
        for setting, role in zip(FORGETFUL, ROLES, strict=True):
            made = stack.enter_context(installation(brokers_stack.endpoints, tmp_path / role))
            await kafka.create(made.names.lifecycle_topic, PARTITIONS, {**DIARY, setting: FORGETFUL[setting]})
            refused.append((setting, made.names.lifecycle_topic, made.start(role)))
        for setting, topic, process in refused:
            _expect_refusal(topic, setting, _refusal(process))


def _expect_refusal(topic: str, setting: str, refusal: str) -> None:
    assert f"topic {topic} has {setting}={FORGETFUL[setting]}, it must be {DIARY[setting]}" in refusal
    assert f"kafka-configs --alter --entity-type topics --entity-name {topic}" in refusal
    assert f"--add-config {setting}={DIARY[setting]}" in refusal


async def test_a_diary_with_another_number_of_partitions(made: Installation) -> None:
    topic = made.names.lifecycle_topic
    kafka = Kafka(made.endpoints.kafka)
    await kafka.create(topic, PARTITIONS // 2, DIARY)
    refusal = _refusal(made.start("dispatch"))
    assert f"topic {topic} has {PARTITIONS // 2} partitions, the settings say {PARTITIONS}" in refusal
    assert "Set the partition count in the settings back to 4" in refusal


async def test_another_dispatch_group_is_at_work(made: Installation) -> None:
    """It is waited for, because roles may be taken apart at any time, but not for long."""
    everything = await made.started("all")
    refusal = _refusal(made.start("dispatch", "impatient", KAFKA__SESSION_TIMEOUT_SECONDS="1"))
    assert f"the consumer group {made.names.app_id('all')} dispatches from this diary already" in refusal
    assert everything.running
    alone = made.start("dispatch")
    await alone.logged("another dispatch group has members")
    assert everything.stop() == 0
    await alone.ready()
    assert alone.stop() == 0


async def test_an_unknown_setting(made: Installation) -> None:
    process = made.start("diary", KAFKA__BOOTSTRAP_SERVER="typing mistake")
    assert process.ended() != 0
    assert "unknown setting STREAMAPP_KAFKA__BOOTSTRAP_SERVER" in process.text()
    assert "Traceback" not in process.text()


async def test_a_diary_that_ends_before_what_was_folded(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    """Its topic was deleted and made again: the partitions stand still, and nothing is done about what they knew."""
    async with lived(brokers_stack.endpoints, tmp_path) as life:
        process = await life.made.started()
        await life.kafka.tell(life.topic, Traffic(0, "lost").finished(100))
        await life.applied(process)
        assert process.stop() == 0
        published = len(life.tap.seen)
        await life.kafka.delete([life.topic])
        await life.kafka.create(life.topic, PARTITIONS, DIARY)
        fresh = Traffic(0, "fresh").finished(1)
        await life.kafka.tell(life.topic, fresh)
        process = life.made.start()
        await process.logged("the topic ends before what was folded of it", count=PARTITIONS)
        status, answer = await process.get("/readyz")
        standing = ", ".join(f"{life.topic}-{partition}" for partition in range(PARTITIONS))
        assert (status, answer["reasons"]) == (503, [f"facts are missing from the log, standing still: {standing}"])
        assert process.lines("gate open") == []
        assert (await process.get(f"/v1/tasks/{fresh[0].task_id}"))[0] == 404
        assert (await process.get("/v1/tasks/lost-1"))[0] == 200
        assert process.stop() == 0
        assert len(life.tap.seen) == published


async def test_rows_of_a_form_that_another_version_has_written(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    async with lived(brokers_stack.endpoints, tmp_path) as life:
        process = await life.made.started("all")
        await life.kafka.tell(life.topic, Traffic(0, "old").finished(20))
        await life.applied(process)
        assert process.stop() == 0
        with closing(Rdict(str(life.made.tables("all") / "tasks-0.db"), Options(raw_mode=True))) as table:
            marker = decode_marker(table[APPLIED_KEY])
            assert (marker.form, marker.next > 0) == (2, True)
            marker.form = 1
            table[APPLIED_KEY] = encode_marker(marker)
        refusal = _refusal(life.made.start("all"))
        assert "table tasks has rows of form 1, which another version has written, and this one reads form 2" in refusal
        assert "fold it anew with `streamapp replay all --wipe`" in refusal
