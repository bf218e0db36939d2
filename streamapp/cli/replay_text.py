"""What `replay` and `verify` show a person: the plan, the progress, the verdict."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from streamapp.cli.output import console, errors, say
from streamapp.replay.comparison import Difference
from streamapp.replay.live import Place
from streamapp.replay.plan import Plan
from streamapp.replay.verification import Verification

MAX_CHARACTERS = 300


def show_plan(plan: Plan) -> None:
    """Print what would happen, partition by partition and table by table."""
    console.print(f"replay of {plan.role}: consumer group {plan.group.name}, {_members(plan)}", markup=False)
    table = Table("partition", "log", "group's offset", "tables at", "reads on from", "read again", box=None)
    for item in plan.partitions:
        table.add_row(
            f"{item.topic}-{item.partition}",
            f"{item.first} to {item.end}",
            f"{_known(item.group_at)} to {item.group_to}",
            _known(item.tables_at),
            _known(item.reads_from),
            _known(item.again),
        )
    console.print(table)
    tables = Table("table", "changelog", "records in it", "partitions on disk", "", box=None)
    for name in plan.tables:
        records = "none" if name.changelog_records is None else str(name.changelog_records)
        tables.add_row(name.table, name.changelog, records, str(name.files), "deleted" if name.wipe else "kept")
    console.print(tables)
    for line in explained(plan):
        console.print(line, markup=False, soft_wrap=True)


def explained(plan: Plan) -> Iterator[str]:
    """What the figures mean, in sentences."""
    again = [item.again for item in plan.partitions]
    if not plan.wipe:
        yield (
            "Nothing is read again: a role reads on where its tables are, and the group's offset is a report for those "
            "who watch the lag. To rebuild the tables from the first record: --wipe."
        )
        if None in again:
            yield "Where the tables are is not known here: they are restored from their changelogs at the start."
        return
    if None not in again:
        read = sum(item.end - (item.reads_from or 0) for item in plan.partitions)
        yield f"{read} offsets will be read, {sum(number or 0 for number in again)} of them once more."
    kept = [name.table for name in plan.tables if not name.wipe]
    if kept:
        yield f"{', '.join(kept)} stay as they are: what is in them already is recognised and changes nothing."
    if any(name.table == "sources" for name in plan.wiped):
        yield (
            "Ingest appends the facts of the events it reads again, under the same ids: the diary counts them as "
            "duplicates, and nothing runs."
        )
    if plan.wiped and not any(name.files for name in plan.wiped):
        yield "There are no files of these tables here: delete them on the machine where the role ran."


class Bars:
    """A progress bar for each partition, and one for counting records. None for programs."""

    def __init__(self, *, silent: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=errors, disable=silent)
        self._counting: TaskID | None = None
        self._bars: dict[int, TaskID] = {}

    def say(self, message: str) -> None:
        """What happens now, on standard error."""
        say(message)

    def surveyed(self, records: int) -> None:
        """So many more records were counted."""
        if self._counting is None:
            self._counting = self.progress.add_task("records counted", total=None)
        self.progress.advance(self._counting, records)

    def targets(self, targets: Mapping[Place, int]) -> None:
        """Where every partition of every table shall get."""
        for partition, total in sorted(_by_partition(targets).items()):
            self._bars[partition] = self.progress.add_task(f"partition {partition}", total=total)

    def folded(self, folded: Mapping[Place, int]) -> None:
        """How far they are."""
        for partition, offset in _by_partition(folded).items():
            self.progress.update(self._bars[partition], completed=offset)


def show_verification(found: Verification) -> None:
    """Print the verdict for each table, and every difference that is known."""
    for table in sorted({digest.table for digest in found.compared}):
        digests = [digest for digest in found.compared if digest.table == table]
        odd = [difference.partition for difference in found.differences if difference.table == table]
        rows = sum(digest.rows for digest in digests)
        verdict = f"DIFFERENT in partition {', '.join(map(str, odd))}" if odd else "equal"
        console.print(f"{table}: {rows} rows in {len(digests)} partitions, {verdict}", markup=False)
    for table in found.left_out:
        console.print(f"{table}: not compared, it is not folded from {found.topic}", markup=False)
    console.print(f"{found.records} records of {found.topic} folded in {found.seconds:.1f} s", markup=False)
    for difference in found.differences:
        console.print(describe_difference(difference), markup=False, soft_wrap=True)


def describe_difference(found: Difference) -> str:
    """The first difference of a partition, in words."""
    place = f"{found.table}-{found.partition}"
    if found.key is None:
        return f"{place}: {found.reason}"
    offset = "" if found.offset is None else f", last fact at offset {found.offset}"
    where = f" at {found.pointer or 'the row itself'}" if found.pointer is not None else ""
    return (
        f"{place}, key {found.key}{offset}, folded up to {found.applied}: {found.reason}{where}\n"
        f"  expected {_short(found.expected)}\n  found    {_short(found.found)}"
    )


def _by_partition(places: Mapping[Place, int]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for (_, partition), offset in places.items():
        sums[partition] = sums.get(partition, 0) + offset
    return sums


def _members(plan: Plan) -> str:
    if plan.group.members:
        return "alive: " + ", ".join(_names(plan))
    return "no members" if plan.group.exists else "unknown to Kafka"


def _names(plan: Plan) -> Iterable[str]:
    return sorted(f"{member.client_id} on {member.host}" for member in plan.group.members)


def _known(offset: int | None) -> str:
    return "–" if offset is None else str(offset)


def _short(value: Any) -> str:
    text = "no row" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text)} characters)"
