"""The default handler: any type that nobody has registered. Records what the payload is, and nothing of its values."""

import hashlib
from typing import Any

from streamapp.domain.facts import Json
from streamapp.domain.outcome import cut
from streamapp.handlers.context import Context
from streamapp.handlers.handler import Handler
from streamapp.wire import json

MAX_FIELDS = 100
"""Names of top-level fields kept in the result; the rest is counted."""

MAX_NAME_BYTES = 200


async def record_digest(params: dict[str, Any], context: Context) -> Json:
    """Size in bytes and SHA-256 of the payload in canonical JSON (sorted keys, no white space), and its field names."""
    canonical = json.canonical(params)
    names = sorted(params)
    result = {
        "bytes": len(canonical),
        "sha256": hashlib.sha256(canonical).hexdigest(),
        "fields": [cut(name, MAX_NAME_BYTES) for name in names[:MAX_FIELDS]],
    }
    return result if len(names) <= MAX_FIELDS else {**result, "fieldsLeftOut": len(names) - MAX_FIELDS}


HANDLER = Handler(None, record_digest)
