"""The replay certificate: what was folded, what came of it, and that nothing was caused by it.

The digest of a view is the same for every rebuild from the same log: it is made of rows alone (`stream/digest`), not of
times, machines or changelog offsets. Certificates of two runs are compared by `views` and `topics`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamapp.clock import rfc3339
from streamapp.replay.effects import Effects
from streamapp.replay.live import Place
from streamapp.replay.survey import TopicSurvey
from streamapp.stream.digest import PartitionDigest
from streamapp.wire import json

VERSION = 1


@dataclass(frozen=True, slots=True)
class Certificate:
    """One replay. Times are milliseconds since the epoch of this machine's clock."""

    role: str
    group: str
    wiped: tuple[str, ...]
    begun_ms: int
    ended_ms: int
    topics: tuple[TopicSurvey, ...]
    digests: Mapping[Place, PartitionDigest]
    effects: Effects

    @property
    def caused_nothing(self) -> bool:
        """Whether no job was published and no execution started because of the replay."""
        return not self.effects.caused

    def document(self) -> dict[str, Any]:
        """The certificate as a JSON value."""
        effects = self.effects
        return {
            "certificate": "streamapp replay",
            "version": VERSION,
            "role": self.role,
            "group": self.group,
            "wiped": list(self.wiped),
            "begun": rfc3339(self.begun_ms),
            "ended": rfc3339(self.ended_ms),
            "seconds": (self.ended_ms - self.begun_ms) / 1000,
            "topics": [_topic(topic) for topic in self.topics],
            "views": [_view(table, self._of(table)) for table in sorted({table for table, _ in self.digests})],
            "jobsPublished": effects.dispatched_again,
            "executionsStarted": effects.executed_again,
            "jobsSeenByRabbitMQ": effects.queued_again,
            "meanwhile": {
                "factsAppended": effects.appended,
                "jobsDispatched": effects.dispatched,
                "executionsStarted": effects.executed,
                "jobsQueued": effects.queued,
            },
        }

    def text(self) -> str:
        """The certificate for a person."""
        document, effects = self.document(), self.effects
        lines = [
            f"Replay of {self.role} (group {self.group}), {document['begun']}, {document['seconds']:.1f} s",
            f"tables rebuilt: {', '.join(self.wiped) or 'none, they were kept'}",
            "",
        ]
        for topic in document["topics"]:
            lines.append(f"topic {topic['topic']}, id {topic['id'] or 'not known'}: {topic['records']} records")
            lines += [f"  {_range(partition)}" for partition in topic["partitions"]]
        for view in document["views"]:
            lines.append(f"view {view['table']}: {view['rows']} rows, sha256 {view['sha256']}")
            lines += [f"  {_digest(partition)}" for partition in view["partitions"]]
        seen = "not looked at" if effects.queued_again is None else str(effects.queued_again)
        lines += [
            "",
            f"caused by the replay: jobs published {effects.dispatched_again} (in RabbitMQ: {seen}), "
            f"executions started {effects.executed_again}",
            f"of work still to be done meanwhile: facts appended {effects.appended}, jobs dispatched "
            f"{effects.dispatched}, executions started {effects.executed}",
        ]
        return "\n".join(lines) + "\n"

    def write(self, directory: Path) -> Path:
        """Write it as JSON and as text; the path of the JSON."""
        directory.mkdir(parents=True, exist_ok=True)
        moment = rfc3339(self.begun_ms).replace(":", "").replace("-", "").replace(".", "")
        path = directory / f"replay-{self.role}-{moment}.json"
        path.write_bytes(json.dump(self.document()) + b"\n")
        path.with_suffix(".txt").write_text(self.text(), encoding="utf-8")
        return path

    def _of(self, table: str) -> list[PartitionDigest]:
        return [self.digests[place] for place in sorted(self.digests) if place[0] == table]


def view_digest(digests: Sequence[PartitionDigest]) -> str:
    """The digest of a whole view: a sha256, in hex, over a line `partition:sha256` for each partition in order."""
    lines = [f"{digest.partition}:{digest.sha256}\n" for digest in sorted(digests, key=lambda found: found.partition)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _topic(topic: TopicSurvey) -> dict[str, Any]:
    partitions = [
        {"partition": item.partition, "first": item.first, "last": item.last, "records": item.records}
        for item in topic.partitions
    ]
    identity = None if topic.id is None else str(topic.id)
    return {"topic": topic.topic, "id": identity, "records": topic.records, "partitions": partitions}


def _view(table: str, digests: list[PartitionDigest]) -> dict[str, Any]:
    partitions = [
        {"partition": item.partition, "applied": item.applied, "rows": item.rows, "sha256": item.sha256}
        for item in digests
    ]
    rows = sum(digest.rows for digest in digests)
    return {"table": table, "rows": rows, "sha256": view_digest(digests), "partitions": partitions}


def _range(partition: dict[str, Any]) -> str:
    if not partition["records"]:
        return f"{partition['partition']}: empty"
    return (
        f"{partition['partition']}: offsets {partition['first']} to {partition['last']}, {partition['records']} records"
    )


def _digest(partition: dict[str, Any]) -> str:
    place = f"{partition['partition']}: up to offset {partition['applied']}"
    return f"{place}, {partition['rows']} rows, {partition['sha256']}"
