"""The RocksDB files of a role that has stopped, read without Faust."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rocksdict import AccessType, Options, Rdict

from streamapp.stream.table import APPLIED_KEY, LANDMARK_KEY
from tests.support.reference import Expected, Rows

FAUST_OFFSET_KEY = b"__faust\0offset__"
DIARY = ("tasks", "totals")
DISPATCH = ("pending", "dedup")


def read_table(directory: Path, name: str, partitions: Iterable[int]) -> tuple[Rows, dict[int, int]]:
    """The rows of a table by partition, and how far each partition is applied."""
    rows: Rows = {}
    applied: dict[int, int] = {}
    for partition in partitions:
        options = Options(raw_mode=True)
        database = Rdict(str(directory / f"{name}-{partition}.db"), options, access_type=AccessType.read_only())
        try:
            found: dict[Any, Any] = dict(database.items())
        finally:
            database.close()
        found.pop(FAUST_OFFSET_KEY, None)
        found.pop(LANDMARK_KEY, None)
        marker = found.pop(APPLIED_KEY, None)
        applied[partition] = json.loads(marker)["next"] if marker else 0
        rows[partition] = found
    return rows, applied


def differences(directory: Path, expected: Expected, names: tuple[str, ...], ends: dict[int, int]) -> list[str]:
    """What the files of the tables `names` hold that a fold of the topic does not, or the other way round."""
    found = []
    for name in names:
        rows, applied = read_table(directory, name, ends)
        wanted: Rows = getattr(expected, name)
        for partition in ends:
            found += _compare(f"{name}-{partition}", rows[partition], wanted[partition])
        behind = {partition: (applied[partition], end) for partition, end in ends.items() if applied[partition] != end}
        found += [f"{name}: applied and end differ: {behind}"] if behind else []
    return found


def _compare(place: str, actual: dict[bytes, bytes], wanted: dict[bytes, bytes]) -> list[str]:
    missing = [f"{place}: {key!r} is missing" for key in wanted.keys() - actual.keys()]
    strange = [f"{place}: {key!r} should not be there" for key in actual.keys() - wanted.keys()]
    both = actual.keys() & wanted.keys()
    other = [f"{place}: {key!r}\n {actual[key]!r}\n {wanted[key]!r}" for key in both if actual[key] != wanted[key]]
    return missing + strange + other


def wipe(directory: Path, *names: str) -> None:
    """Delete the files of some tables, or of all."""
    found = [path for path in directory.iterdir() if not names or path.name.rpartition("-")[0] in names]
    assert found
    for path in found:
        shutil.rmtree(path)
