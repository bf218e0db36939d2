"""`/livez` and `/readyz` of a Faust role."""

from typing import Any

from aiohttp import web

from streamapp.stream.freshness import Freshness


class Health:
    """Alive: the event loop answers. Ready: partitions are assigned, tables restored, Kafka answers."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._freshness: Freshness | None = None

    def watch(self, freshness: Freshness) -> None:
        """Ask `freshness` whether Kafka answers."""
        self._freshness = freshness

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The routes."""
        router.add_get("/livez", self.livez)
        router.add_get("/readyz", self.readyz)

    async def livez(self, _: web.Request) -> web.Response:
        """200 as long as the event loop turns."""
        return web.json_response({"status": "alive"})

    async def readyz(self, _: web.Request) -> web.Response:
        """200 when facts are being folded, else 503 with the reasons."""
        reasons = []
        if not self._app.settled:
            reasons.append("partitions are being assigned or tables restored")
        if self._freshness is not None and self._freshness.stale:
            reasons.append("Kafka does not answer")
        standing = self._app.positions.standing_still
        if standing:
            reasons.append(f"facts are missing from the log, standing still: {', '.join(standing)}")
        held = {table.name: list(table.held()) for table in self._app.batch_tables}
        body = {"status": "ready" if not reasons else "not ready", "reasons": reasons, "partitions": held}
        return web.json_response(body, status=503 if reasons else 200)
