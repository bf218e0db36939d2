"""Broken dispatchers: those that fold, store, restore or wait at the gate wrongly. See `mutants`."""

from collections.abc import Sequence
from typing import Any

import streamapp.stream.table as table_module
from agents.dispatch import Dispatch
from streamapp.stream.changelog_end import ChangelogEnd
from streamapp.stream.engine import StreamApp
from streamapp.stream.horizon import Gates
from streamapp.stream.restore import Partition
from streamapp.stream.vouching import Put, Sieve
from tests.model.disk import SimulatedTable
from tests.model.dispatcher import Parts
from tests.model.mutant import Mutant
from tests.model.seat import Seat


class NoGate(Gates):
    """Every gate is open from the beginning."""

    def capture(self, horizon: Any, reached: Any) -> None:
        super().capture(dict.fromkeys(horizon, 0), reached)


class OldHorizon(Gates):
    """Keeps the horizon of the first assignment of a partition."""

    def __init__(self) -> None:
        super().__init__()
        self._first: dict[int, int] = {}

    def capture(self, horizon: Any, reached: Any) -> None:
        self._first = {**horizon, **self._first}
        super().capture({partition: self._first[partition] for partition in horizon}, reached)


class TrustsTheClosed(Dispatch):
    """Takes the dedup table's word for how far the fold is, though the open entries may be behind."""

    async def assigned(self, partitions: dict[str, set[int]]) -> None:
        tables, self.tables = self.tables, [self._dedup.table]
        try:
            await super().assigned(partitions)
        finally:
            self.tables = tables


class KeepsTheOpen(Dispatch):
    """Keeps the open entries though the closed ones are behind them: the lower one counts, and that is all."""

    async def restored(self) -> None:
        return


class ForgetsTheEnded(Dispatch):
    """Takes a task that has ended for one that was never heard of."""

    def _memory(self, partition: int, key: bytes) -> Any:
        return self._pending.get(partition, key)


class MarkerFirst(SimulatedTable):
    """The applied offset goes before the rows it vouches for."""

    async def _append(self, partition: int, rows: Any, applied: int) -> None:
        *puts, marker = rows
        await super()._append(partition, [marker, *puts], applied)


class NoChangelog(SimulatedTable):
    """Only the last row of a batch and the applied offset reach the changelog."""

    async def _append(self, partition: int, rows: Any, applied: int) -> None:
        await super()._append(partition, rows[-2:], applied)


class SkipsStrangers(ChangelogEnd):
    """Takes what lies before its own last row in the changelog for read, whoever wrote it."""

    @property
    def alone(self) -> bool:
        return True


class BelievesStrangers(Sieve):
    """The last row of a key counts, whoever wrote it, as Faust's own recovery has it."""

    def counts(self, key: bytes, applied: int | None) -> bool:
        super().counts(key, applied)
        return True


class RestoresHalfAPass(Sieve):
    """Rows count before the marker of their pass has come."""

    def take(self, key: bytes, value: bytes | None, applied: int | None) -> list[Put]:
        return [(key, value)] if self.counts(key, applied) else []

    def take_all(self, rows: Sequence[Put], applied: int | None) -> list[Put]:
        return [(key, value) for key, value in rows if self.counts(key, applied)]


async def opens_what_was_taken_away(self: Any, *_: Any) -> None:
    """A restoration that ends after its partitions were taken away hands them over all the same."""
    await StreamApp._partitions_revoked(self)
    self._taken_away = False


class RestoresFromWhatIsTorn(Partition):
    """Rows that follow a loss are as good as any."""

    @property
    def torn(self) -> bool:
        return False


class GoesOnWhereItWas(Partition):
    """Takes a changelog that is long enough for the one that the files were written with."""

    def _beyond_landmark(self, records: Any) -> Any:
        return [record for record in records if self.landmark is None or record.offset > self.landmark.offset]


MUTANTS_OF_TABLES = [
    Mutant("no gate", Parts(gates=NoGate)),
    Mutant("old horizon", Parts(gates=OldHorizon)),
    Mutant("trusts the closed", Parts(dispatch=TrustsTheClosed)),
    Mutant("keeps the open", Parts(dispatch=KeepsTheOpen)),
    Mutant("forgets the ended", Parts(dispatch=ForgetsTheEnded)),
    Mutant("marker first", Parts(table=MarkerFirst)),
    Mutant("no changelog", Parts(table=NoChangelog)),
    Mutant("restores half a pass", patches=((table_module, "Sieve", RestoresHalfAPass),)),
    Mutant("opens what was taken away", patches=((Seat, "_partitions_revoked", opens_what_was_taken_away),)),
    Mutant("restores from what is torn", patches=((table_module, "Partition", RestoresFromWhatIsTorn),)),
    Mutant("goes on where it was", patches=((table_module, "Partition", GoesOnWhereItWas),)),
    Mutant("skips strangers", patches=((table_module, "ChangelogEnd", SkipsStrangers),)),
    Mutant("believes strangers", patches=((table_module, "Sieve", BelievesStrangers),)),
]
