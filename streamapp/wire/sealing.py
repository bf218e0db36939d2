"""Sensitive fields of payloads: sealed before they are recorded, opened only in the worker.

AES-SIV (RFC 5297) with the task id as associated data: the same value of the same task seals to the same text, so that
a repeated submission stays the same fact, and a sealed value moved to another task does not open.
"""

import base64
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from streamapp.domain.errors import ConfigurationError, PermanentFailure
from streamapp.wire import json

MARK = "$sealed"
REDACTED = "[sealed]"
KEY_BYTES = 64
"""AES-256 in SIV mode: one half of the key authenticates, the other encrypts (RFC 5297, section 2.2)."""


class Sealer:
    """Seals and opens top-level fields with one key of 64 bytes, given in hex."""

    def __init__(self, key_hex: str) -> None:
        try:
            key = bytes.fromhex(key_hex)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ConfigurationError(f"STREAMAPP_TASKS__SEALING_KEY must be {KEY_BYTES} bytes in hex (128 digits)")
        self._cipher = AESSIV(key)

    def seal(self, payload: dict[str, Any], fields: Sequence[str], task_id: str) -> dict[str, Any]:
        """`payload` with each of `fields` that it has replaced by `{"$sealed": "…"}`."""
        sealed = dict(payload)
        for field in fields:
            if field in sealed:
                text = self._cipher.encrypt(json.canonical(sealed[field]), [task_id.encode(), field.encode()])
                sealed[field] = {MARK: base64.b64encode(text).decode()}
        return sealed

    def open(self, payload: dict[str, Any], fields: Sequence[str], task_id: str) -> dict[str, Any]:
        """The inverse of `seal`.

        Raises:
            PermanentFailure: a field was sealed with another key or for another task.
        """
        opened = dict(payload)
        for field in fields:
            value = opened.get(field)
            if isinstance(value, dict) and set(value) == {MARK}:
                try:
                    text = base64.b64decode(value[MARK])
                    opened[field] = json.parse(self._cipher.decrypt(text, [task_id.encode(), field.encode()]))
                except (InvalidTag, ValueError, TypeError):
                    message = f"the sensitive field {field!r} does not open with this worker's sealing key"
                    raise PermanentFailure(message, error_type="SealBroken") from None
        return opened


def redact(value: Any, secrets: Sequence[str]) -> Any:
    """`value` (a JSON value or text) with every one of `secrets` in its texts replaced by a marker."""
    if isinstance(value, str):
        for secret in sorted(filter(None, secrets), key=len, reverse=True):  # no rest of a longer one is left
            value = value.replace(secret, REDACTED)
        return value
    if isinstance(value, dict):
        return {redact(key, secrets): redact(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, secrets) for item in value]
    return value
