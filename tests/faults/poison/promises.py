"""Good tasks that are not the load's own: whoever submitted them was told so, and the judge has to know of it."""

import hashlib
import json
from collections.abc import Iterable

from streamapp.wire.json import canonical
from tests.faults.arena import Arena
from tests.faults.poison.broken_json import Document


def accepted_over_http(ring: Arena, documents: Iterable[Document], at: int) -> None:
    """Submissions that the api answered with 202 at a time: they have to be recorded as submitted, and to end."""
    with (ring.evidence / "answers.jsonl").open("a") as file:
        for document in documents:
            submitted = {"type": document["type"], "payload": document["payload"]}
            answer = {
                "at": at,
                "ended": at,
                "task_id": document["taskId"],
                "outcome": "accepted",
                "status": 202,
                "fingerprint": hashlib.sha256(canonical(submitted)).hexdigest(),
            }
            file.write(json.dumps(answer) + "\n")
            ring.clients.certain.add(document["taskId"])


def acknowledged_by_kafka(ring: Arena, task_ids: Iterable[str]) -> None:
    """Tasks whose event, or whose TaskAccepted, a foreign producer has in Kafka: they have to end."""
    ring.clients.events.update(task_ids)
