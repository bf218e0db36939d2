"""What the demo feeds in: real webhook events through Kafka, tasks over HTTP, and things that must be refused."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamapp.wire import json

EVENTS_FILE = Path("examples/webhook-events.jsonl")

Record = tuple[bytes | None, bytes]


@dataclass(frozen=True, slots=True)
class HttpTask:
    """One task over HTTP and what must come of it: final state, attempts, and the error type of the last failure."""

    task_id: str
    type: str
    payload: dict[str, Any]
    state: str = "COMPLETED"
    attempts: int = 1
    error_type: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The request body."""
        return {"type": self.type, "payload": self.payload, "taskId": self.task_id}


@dataclass(frozen=True, slots=True)
class Load:
    """Everything the demo sends. `discarded`: invalid events without a legible id."""

    events: list[Record]
    invalid: list[Record]
    duplicate: Record
    conflict: Record
    http: list[HttpTask]
    refused: dict[str, Any] = field(default_factory=dict)
    rejected_events: int = 2

    @property
    def accepted(self) -> int:
        """Tasks that must be accepted."""
        return len(self.events) + len(self.http)

    @property
    def rejected(self) -> int:
        """Rejections that must be recorded: invalid events with a legible id, and one refused HTTP task."""
        return self.rejected_events + 1


def load_of(webhook_port: int, folder: Path) -> Load:
    """The load of one run.

    Raises:
        OSError: the example file is not there.
    """
    lines = [line for line in (folder / EVENTS_FILE).read_bytes().splitlines() if line.strip()]
    events: list[Record] = [(json.parse(line)["eventId"].encode(), line) for line in lines]
    first = json.parse(lines[0])
    conflict = json.dump({**first, "payload": {"another": "payload under the same id"}})
    return Load(
        events=events,
        invalid=[
            (None, b"this is not JSON"),
            (b"demo-invalid-timestamp", _event("demo-invalid-timestamp", timestamp="soon")),
            (b"demo-invalid-field", _event("demo-invalid-field", surprise=True)),
        ],
        duplicate=events[0],
        conflict=(events[0][0], conflict),
        http=_http_tasks(f"http://127.0.0.1:{webhook_port}"),
        refused={"type": "WEBHOOK_DELIVERY", "payload": {"url": "no url at all"}, "taskId": "demo-refused"},
    )


def _http_tasks(sink: str) -> list[HttpTask]:
    def webhook(name: str, path: str, *rest: Any) -> HttpTask:
        payload = {"url": f"{sink}{path}", "event": "demo", "body": {"order": name, "total": 42}}
        return HttpTask(f"demo-webhook-{name}", "WEBHOOK_DELIVERY", payload, *rest)

    mails = [
        HttpTask(
            f"demo-mail-{number}",
            "USER_CREATED",
            {"userId": f"u{number}", "email": f"user{number}@example.com", "name": f"User {number}"},
        )
        for number in range(1, 4)
    ]
    return [
        *mails,
        webhook("ok", "/ok"),
        webhook("flaky", "/flaky?fail=2", "COMPLETED", 3),
        webhook("gone", "/gone", "FAILED_PERMANENTLY", 1, "Http410"),
        webhook("slow", "/slow?seconds=30", "FAILED_PERMANENTLY", 3, "Timeout"),
        HttpTask("demo-mail-nobody", "USER_CREATED", {"userId": "u0"}, "FAILED_PERMANENTLY", 1, "NoEmailAddress"),
    ]


def _event(event_id: str, **changes: Any) -> bytes:
    event = {"eventId": event_id, "timestamp": 1_737_200_000_000, "type": "USER_CREATED", "payload": {}}
    return json.dump({**event, **changes})
