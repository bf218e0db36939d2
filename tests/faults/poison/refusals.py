"""What became of malformed events: in the diary, and in the counts that ingest keeps."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from streamapp.domain.facts import AnyFact, Origin, TaskAccepted, TaskRejected
from tables.sources import KEY, NAME
from tests.faults.poison.events import Event
from tests.faults.poison.strangers import Place
from tests.support.rocks import read_table


@dataclass(frozen=True)
class Tally:
    """Events by what became of them."""

    accepted: int
    rejected: int
    discarded: int


def tally_of(events: Sequence[Event], accepted: int) -> Tally:
    """What ingest has to have counted of malformed events, and of good ones."""
    legible = sum(event.task_id is not None for event in events)
    return Tally(accepted, legible, len(events) - legible)


def counted(tables: Path, partitions: Iterable[int]) -> Tally:
    """What ingest has counted, from the files of its table. It must have stopped."""
    rows, _ = read_table(tables, NAME, partitions)
    counts = [json.loads(found[KEY]) for found in rows.values() if KEY in found]
    return Tally(*(sum(count[name] for count in counts) for name in asdict(Tally(0, 0, 0))))


def wrongly_refused(events: Sequence[Event], places: Sequence[Place], told: Iterable[AnyFact]) -> list[str]:
    """Events of which the diary says too much, too little or something wrong."""
    rejected: defaultdict[Place, dict[str, TaskRejected]] = defaultdict(dict)
    accepted: set[Place] = set()
    for fact in told:
        if isinstance(fact, TaskRejected):
            rejected[_place(fact.origin)][fact.id] = fact
        elif isinstance(fact, TaskAccepted):
            accepted.add(_place(fact.origin))
    return [
        f"{event.family} at {place}: {complaint}; {(event.value or b'')[:200]!r}"
        for event, place in zip(events, places, strict=True)
        if (complaint := "it was accepted" if place in accepted else _complaint(event, rejected.get(place, {})))
    ]


def _complaint(event: Event, found: Mapping[str, TaskRejected]) -> str | None:
    if event.task_id is None:
        return f"recorded as {list(found.values())}, and its id is not legible" if found else None
    if len(found) != 1:
        return f"{len(found)} TaskRejected are recorded under {event.task_id}"
    (fact,) = found.values()
    if fact.task_id != event.task_id:
        return f"recorded under {fact.task_id}"
    pointers = [error.pointer for error in fact.errors]
    return None if event.pointer in pointers else f"{event.pointer!r} is not named in {pointers}"


def _place(origin: Origin) -> Place:
    return (-1, -1) if origin.partition is None or origin.offset is None else (origin.partition, origin.offset)
