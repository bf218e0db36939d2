"""Events of other producers, as the first seed has them."""

import json
from typing import Any


def event(event_id: str, payload: Any = None, **fields: Any) -> bytes:
    """The value of a record in `consume-event`; `fields` replace or add to those of a valid one."""
    body = {"eventId": event_id, "timestamp": 1_737_200_000_000, "type": "USER_CREATED", "payload": payload or {}}
    return json.dumps({**body, **fields}).encode()
