"""Broken dispatchers: those that open again what has failed for good, wrongly. See `mutants`."""

from typing import Any

from msgspec.structs import replace

import streamapp.domain.views as views_module
from agents.dispatch import Dispatch
from streamapp.domain.facts import Recorded, TaskRequeued
from streamapp.domain.outbox import Closed, Memory, Open
from streamapp.domain.outbox import remember as remember_rightly
from tests.model.dispatcher import Parts
from tests.model.mutant import Mutant


class ClosedWins(Dispatch):
    """Takes a task for ended that was opened again since: its closed entry is still there."""

    def _memory(self, partition: int, key: bytes) -> Any:
        return self._dedup.get(partition, key) or self._pending.get(partition, key)


class ForgetsFirst(Dispatch):
    """Takes what is opened again out of the one table before it is in the other one."""

    def _memory(self, partition: int, key: bytes) -> Any:
        memory = super()._memory(partition, key)
        if isinstance(memory, Closed):
            self._looked_up.add(key)
        return memory

    async def fold(self, batch: Any) -> None:
        self._looked_up: set[bytes] = set()
        put = self._dedup.put

        def without(partition: int, entries: Any, applied: int) -> None:
            gone: dict[bytes, Any] = dict.fromkeys(self._looked_up - entries.keys())
            self._dedup.table.put(partition, gone, applied)
            put(partition, entries, applied)

        self._dedup.put = without  # type: ignore[method-assign]
        try:
            await super().fold(batch)
        finally:
            self._dedup.put = put  # type: ignore[method-assign]


def any_request_counts(memory: Memory | None, recorded: Recorded) -> Memory:
    """A request that comes again is taken for another one."""
    entry = memory.kept if isinstance(memory, Closed) else memory
    if isinstance(recorded.fact, TaskRequeued) and entry is not None:
        entry.progress.requeued = tuple(known for known in entry.progress.requeued if known != recorded.fact.id)
    return remember_rightly(memory, recorded)


def nothing_is_kept(memory: Memory | None, recorded: Recorded) -> Memory:
    """The entry of what has failed for good shrinks to a mark, as that of a completed task does."""
    found = remember_rightly(memory, recorded)
    return replace(found, kept=None) if isinstance(found, Closed) else found


def failures_stay(memory: Memory | None, recorded: Recorded) -> Memory:
    """What has failed before the requeue counts against what comes after it."""
    before = memory.kept.progress.failures if isinstance(memory, Closed) and memory.kept else 0
    found = remember_rightly(memory, recorded)
    if isinstance(found, Open) and isinstance(memory, Closed):
        found.progress.failures = before
    return found


def attempts_begin_again(memory: Memory | None, recorded: Recorded) -> Memory:
    """The attempt that failed last is the one that is opened."""
    found = remember_rightly(memory, recorded)
    if isinstance(found, Open) and isinstance(memory, Closed):
        found.progress.attempt -= 1
    return found


def _remembering(name: str, instead: Any) -> Mutant:
    return Mutant(name, patches=((views_module, "remember", instead),))


MUTANTS_OF_REQUEUE = [
    Mutant("closed wins", Parts(dispatch=ClosedWins)),
    Mutant("forgets first", Parts(dispatch=ForgetsFirst)),
    _remembering("any request counts", any_request_counts),
    _remembering("nothing is kept", nothing_is_kept),
    _remembering("failures stay", failures_stay),
    _remembering("attempts begin again", attempts_begin_again),
]
