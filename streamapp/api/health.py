"""Whether the process lives, and whether it can do its work now. Asks nobody: the fact log knows."""

from typing import Protocol, runtime_checkable

from aiohttp import web

from streamapp.api.tasks import JSON
from streamapp.producer import FactLog
from streamapp.wire import json


@runtime_checkable
class Explaining(Protocol):
    """A fact log that can say why it is not available."""

    @property
    def trouble(self) -> str | None:
        """The reason; None while available."""


class Health:
    """The handlers of `/livez` and `/readyz`."""

    def __init__(self, facts: FactLog, retry_after_seconds: int) -> None:
        self._facts = facts
        self._retry = {"Retry-After": str(retry_after_seconds)}

    async def live(self, _request: web.Request) -> web.Response:
        """200 whenever the event loop answers: a broker that is down is no reason to restart this process."""
        return web.Response(body=json.dump({"status": "ok"}), headers=JSON)

    async def ready(self, _request: web.Request) -> web.Response:
        """200 while facts can be appended: Kafka has answered lately and the topic exists. Else 503 with reasons."""
        if self._facts.available:
            return web.Response(body=json.dump({"status": "ok"}), headers=JSON)
        trouble = self._facts.trouble if isinstance(self._facts, Explaining) else None
        document = {"status": "unavailable", "reasons": [trouble or "Kafka is down"]}
        return web.Response(status=503, body=json.dump(document), headers={**JSON, **self._retry})
