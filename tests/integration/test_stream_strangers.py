"""A process that was taken for dead goes on writing into the changelogs of partitions that it has lost."""

from streamapp.stream.table import APPLIED_KEY
from tests.support.changelog import Row, append_rows, last_rows, read_rows
from tests.support.rocks import DIARY, DISPATCH, wipe
from tests.support.survivor import Survivor
from tests.support.traffic import Traffic

TABLES = DIARY + DISPATCH


async def write_late(survivor: Survivor) -> dict[str, int]:
    """Every key's first row comes once more at the end, as an old pass that was held up; how many there are."""
    written = {}
    for table in TABLES:
        topic = f"{survivor.life.group}-{table}-changelog"
        first: dict[tuple[int, bytes], Row] = {}
        for row in await read_rows(survivor.life.made.endpoints.kafka, topic):
            first.setdefault((row.partition, row.key), row)
        await append_rows(survivor.life.made.endpoints.kafka, topic, list(first.values()))
        written[table] = len(first)
    return written


async def differences(survivor: Survivor) -> list[str]:
    """Where the last row of a key is not what the table holds."""
    found = []
    for table in TABLES:
        topic = f"{survivor.life.group}-{table}-changelog"
        last = await last_rows(survivor.life.made.endpoints.kafka, topic)
        held = survivor.life.rows(table)
        for place in sorted(last.keys() | held.keys()):
            if place[1] != APPLIED_KEY and last.get(place) != held.get(place):
                found.append(f"{table} {place}: {last.get(place)!r} is not {held.get(place)!r}")
    return found


async def visit(survivor: Survivor, name: str, *, twice: bool = False) -> None:
    """Start it, let it fold something in every partition, and stop it."""
    life = survivor.life
    process = await survivor.start()
    await process.gates_open()
    for number in range(1 + twice):
        await life.canaries(Traffic(number, f"{name}{number}"))
        await life.calm()
        await life.applied(process)
    await survivor.rest(process)


async def test_late_rows_are_not_restored_and_are_written_over(survivor: Survivor) -> None:
    written = await write_late(survivor)
    assert min(written.values()) > 8
    assert await differences(survivor) != []
    published = survivor.life.tap.ids
    wipe(survivor.life.made.tables("all"))
    await visit(survivor, "restored")
    assert await survivor.life.odd_rows(survivor.life.made.tables("all")) == []
    assert all(message_id.startswith("restored") for message_id in survivor.life.tap.ids - published)
    assert await differences(survivor) == []
    assert survivor.troubles == []


async def test_rows_that_come_while_the_owner_lives_are_found_and_written_over(survivor: Survivor) -> None:
    life = survivor.life
    process = await survivor.start()
    await process.gates_open()
    await write_late(survivor)
    for number in range(2):  # the first pass finds the gap, the second one writes over it
        await life.canaries(Traffic(number, f"owner{number}"))
        await life.calm()
        await life.applied(process)
    await survivor.rest(process)
    assert len(process.lines("old rows were written into this changelog")) >= len(TABLES)
    assert await differences(survivor) == []
    assert await life.odd_rows(life.made.tables("all")) == []
    assert survivor.troubles == []
