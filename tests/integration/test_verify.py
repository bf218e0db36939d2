"""`streamapp verify` on real tables: equal, altered on disk, incomplete, and out of reach."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest
from rocksdict import Options, Rdict

from streamapp.replay.expected import TABLES
from streamapp.replay.live import LiveTables
from streamapp.stream.partitions import partition_of
from tests.support.brokers import RunningBrokers
from tests.support.command import Command
from tests.support.lived import Lived, lived
from tests.support.reference import fold_topic
from tests.support.stack import PARTITIONS, RoleProcess, free_port
from tests.support.traffic import Traffic
from tests.support.waiting import until

LIFECYCLE = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
}


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    """All roles in one process, with odd stories and garbage folded, and the process stopped."""
    folder = tmp_path_factory.mktemp("verify")
    async with lived(brokers_stack.endpoints, folder, DISPATCH__LOST_AFTER_SECONDS="86400") as made:
        await made.kafka.create(made.topic, PARTITIONS, LIFECYCLE)
        await made.kafka.tell(made.topic, Traffic(7, "verify").burst(150))
        await made.kafka.append(made.topic, [(b"k", b"garbage"), (None, b"{}")])
        process = await made.made.started()
        await made.calm()
        await made.applied(process)
        assert process.stop() == 0
        yield made


@pytest.fixture
async def process(life: Lived) -> AsyncIterator[RoleProcess]:
    """All roles, running."""
    async with _running(life) as process:
        yield process


@asynccontextmanager
async def _running(life: Lived) -> AsyncIterator[RoleProcess]:
    """All roles for the length of a block."""
    process = await life.made.started()
    yield process
    assert process.stop() == 0


def _table(life: Lived, table: str, partition: int) -> Rdict:
    path = life.made.tables("all") / f"{table}-{partition}.db"
    return Rdict(str(path), Options(raw_mode=True))


async def _some_row(life: Lived, table: str) -> tuple[int, bytes, bytes]:
    """Partition, key and value of a row that has others before and behind it."""
    rows = getattr(fold_topic(await life.kafka.read(life.topic)), table)
    partition = max(rows, key=lambda number: len(rows[number]))
    keys = sorted(rows[partition])
    key = keys[len(keys) // 2]
    return partition, key, rows[partition][key]


class _Altered:
    """A row of a stopped role with another value (None: no row), as it was before at the end."""

    def __init__(self, life: Lived, table: str, partition: int, key: bytes, value: bytes | None) -> None:
        self._place = (life, table, partition)
        self._key = key
        self._value = value

    def __enter__(self) -> None:
        self._before = self._put(self._value)

    def __exit__(self, *_: object) -> None:
        self._put(self._before)

    def _put(self, value: bytes | None) -> bytes | None:
        database = _table(*self._place)
        before = database.get(self._key)
        if value is None:
            del database[self._key]
        else:
            database[self._key] = value
        database.close()
        return before


async def _verdict(life: Lived, code: int) -> Any:
    async with _running(life):
        return await Command(life.made).document("verify", code=code)


async def test_tables_are_equal(life: Lived, process: RoleProcess) -> None:
    document = await Command(life.made).document("verify")
    assert (document["equal"], document["differences"], document["left_out"]) == (True, [], ["sources"])
    expected = fold_topic(await life.kafka.read(life.topic))
    ends = await life.kafka.ends(life.topic)
    found = {(item["table"], item["partition"]): (item["applied"], item["rows"]) for item in document["compared"]}
    assert found == {
        (table, partition): (end, len(getattr(expected, table)[partition]))
        for table in ("tasks", "totals", "pending", "dedup")
        for partition, end in ends.items()
    }
    assert document["records"] == sum(len(rows) for rows in (await life.kafka.read(life.topic)).values())
    text, _ = await Command(life.made).run("verify")
    assert text.count("equal") == 4
    assert "sources: not compared" in text


async def test_a_row_altered_on_disk_is_named(life: Lived) -> None:
    partition, key, value = await _some_row(life, "tasks")
    row = json.loads(value)
    wrong = value.replace(b'"duplicates":%d' % row["duplicates"], b'"duplicates":%d' % (row["duplicates"] + 1))
    assert wrong != value
    with _Altered(life, "tasks", partition, key, wrong):
        async with _running(life):
            document = await Command(life.made).document("verify", code=1)
            text, _ = await Command(life.made).run("verify", code=1)
    (difference,) = document["differences"]
    applied = (await life.kafka.ends(life.topic))[partition]
    assert difference == {
        "table": "tasks",
        "partition": partition,
        "applied": applied,
        "reason": "this row is another one",
        "key": key.decode(),
        "offset": row["offset"],
        "pointer": "/duplicates",
        "expected": row["duplicates"],
        "found": row["duplicates"] + 1,
    }
    assert f"tasks-{partition}, key {key.decode()}, last fact at offset {row['offset']}" in text
    assert f"DIFFERENT in partition {partition}" in text


async def test_a_row_missing_on_disk_is_named_in_every_table(life: Lived) -> None:
    rows = {table: await _some_row(life, table) for table in TABLES}
    with ExitStack() as stack:
        for table, (partition, key, _) in rows.items():
            stack.enter_context(_Altered(life, table, partition, key, None))
        document = await _verdict(life, 1)
    assert [difference["table"] for difference in document["differences"]] == list(TABLES)
    for difference in document["differences"]:
        partition, key, value = rows[difference["table"]]
        assert (difference["partition"], difference["key"]) == (partition, key.decode())
        assert (difference["reason"], difference["found"]) == ("this row is missing", None)
        expected = json.loads(value)
        assert (difference["expected"], difference["offset"]) == (expected, expected.get("offset"))


async def test_the_first_difference_of_every_partition_is_named(life: Lived) -> None:
    """Of several the one with the least key; and a row that nobody has told of."""
    partition, key, value = await _some_row(life, "tasks")
    later = max(fold_topic(await life.kafka.read(life.topic)).tasks[partition])
    assert later != key
    with (
        _Altered(life, "tasks", partition, later, None),
        _Altered(life, "tasks", partition, key, b"\xff"),
        _Altered(life, "dedup", partition, b"zzz", value),
    ):
        document = await _verdict(life, 1)
    (other, strange) = document["differences"]
    assert (other["table"], other["key"], other["reason"]) == ("tasks", key.decode(), "this row is another one")
    assert (strange["table"], strange["partition"], strange["key"]) == ("dedup", partition, "zzz")
    assert (strange["reason"], strange["expected"]) == ("this row should not be there", None)
    assert strange["found"] == json.loads(value)


async def test_facts_pour_in_meanwhile(life: Lived, process: RoleProcess) -> None:
    async with life.pouring(Traffic(8, "pouring")):
        before = await life.kafka.ends(life.topic)
        for _ in range(3):
            document = await Command(life.made).document("verify")
            assert document["equal"]
    assert sum((await life.kafka.ends(life.topic)).values()) > sum(before.values())
    await life.calm()
    await life.applied(process)


async def test_two_processes_are_found_from_either_of_them(life: Lived) -> None:
    left, right = life.made.start("diary", "left"), life.made.start("diary", "right")

    async def shared() -> bool:
        held = [len((await process.get("/readyz"))[1]["partitions"]["tasks"]) for process in (left, right)]
        return sum(held) == PARTITIONS and all(held)

    await left.ready()
    await right.ready()
    await until(shared, 40, "the partitions are shared")
    for name in ("left", "right"):
        document = await Command(life.made, "diary", name).document("verify")
        tables = {item["table"] for item in document["compared"]}
        assert (document["equal"], len(document["compared"]), tables) == (True, 2 * PARTITIONS, {"tasks", "totals"})
    (_, first), (_, second) = [await process.get("/v1/tables") for process in (left, right)]
    assert first["processes"] == second["processes"] == sorted([left.url, right.url])
    for process in (left, right):
        assert process.stop() == 0
        assert process.troubles() == []


async def test_nobody_answers(life: Lived) -> None:
    _, said = await Command(life.made).run("verify", code=2)
    assert "Is it running?" in said
    _, said = await Command(life.made).run("verify", "--url", f"http://127.0.0.1:{free_port()}", code=2)
    assert "Is it running?" in said


async def test_wrong_use_names_what_is_wrong(life: Lived) -> None:
    _, said = await Command(life.made).run("verify", "--uri", "x", code=2)
    assert "--uri" in said
    _, said = await Command(life.made, KAFKA__BOOTSTRAP="x").run("verify", code=2)
    assert "STREAMAPP_KAFKA__BOOTSTRAP" in said


async def test_rows_and_digests_answer_for_what_is_held_only(life: Lived, process: RoleProcess) -> None:
    for path in ("/v1/tables/nothing/0", "/v1/tables/tasks/99", "/v1/tables/tasks/x", "/v1/tables/tasks/-1"):
        status, problem = await process.get(path)
        assert (status, problem["type"]) == (404, "/problems/table-unknown")
    async with LiveTables([process.url]) as live:
        holders = await live.holders()
        assert set(await live.digests(["dedup"])) == {("dedup", partition) for partition in range(PARTITIONS)}
        key = (await _some_row(life, "tasks"))[1]
        partition = partition_of(key, PARTITIONS)
        applied, rows = await live.rows(process.url, "tasks", partition)
        found = [row async for row in rows]
    assert applied == holders["tasks", partition].applied
    assert found == sorted(fold_topic(await life.kafka.read(life.topic)).tasks[partition].items())
