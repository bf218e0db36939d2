"""The tables of a role that does not run, in their files: how far they are, and their removal.

In: the data directory of a process. Nothing is written but by `remove`, and that only while no process has the files
open.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rocksdict import AccessType, Options, Rdict

from streamapp.domain.errors import StreamappError
from streamapp.stream.table import APPLIED_KEY
from streamapp.telemetry import describe, get_log
from streamapp.wire import json

log = get_log(__name__)

FAUST_VERSION_FOLDER = "v1"
"""Faust keeps the tables of an app below its version, which streamapp leaves at 1."""


class InUse(StreamappError):
    """A process has the files open."""


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """The files of one partition of a table. `applied`: the next offset to fold; None if the files cannot be read."""

    table: str
    partition: int
    applied: int | None
    path: Path


class StoredTables:
    """The tables in the files of one app."""

    def __init__(self, data_directory: Path, app_id: str) -> None:
        self.directory = data_directory / app_id / FAUST_VERSION_FOLDER / "tables"

    def all(self) -> list[StoredPartition]:
        """Every partition that has files here, by table and partition."""
        return [
            StoredPartition(table, partition, self._applied(path), path) for table, partition, path in self._found()
        ]

    def refuse_if_open(self) -> None:
        """See that no process has any of them open.

        Raises:
            InUse: one has.
        """
        for _, _, path in self._found():
            lock = path / "LOCK"
            if lock.exists() and _locked(lock):
                raise InUse(f"a process has {path} open: stop the role that works on these tables first")

    def remove(self, tables: frozenset[str]) -> int:
        """Delete the files of some tables. Returns how many partitions had files.

        Raises:
            InUse: a process has files open; nothing was deleted.
        """
        self.refuse_if_open()
        found = [path for table, _, path in self._found() if table in tables]
        for path in found:
            shutil.rmtree(path)
        return len(found)

    def _found(self) -> Iterator[tuple[str, int, Path]]:
        if not self.directory.is_dir():
            return
        for path in sorted(self.directory.glob("*.db")):
            table, _, partition = path.stem.rpartition("-")
            if table and partition.isdecimal():
                yield table, int(partition), path

    def _applied(self, path: Path) -> int | None:
        try:
            with closing(Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())) as database:
                marker = database.get(APPLIED_KEY)
                return 0 if marker is None else int(json.parse(marker)["next"])
        except Exception as error:  # rocksdict raises nothing more special
            log.warning("a table cannot be read", path=str(path), error=describe(error))
            return None


def _locked(lock: Path) -> bool:
    """Whether another process holds the lock that RocksDB takes on a database that is open for writing."""
    with lock.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.lockf(file, fcntl.LOCK_UN)
        return False
