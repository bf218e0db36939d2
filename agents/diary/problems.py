"""What cannot be answered, as RFC 9457 problem documents. The slugs are stable: clients may switch on `type`."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from streamapp.wire import json

CONTENT_TYPE = "application/problem+json"
PREFIX = "/problems/"

KINDS: Mapping[str, tuple[int, str]] = {
    "invalid-parameter": (400, "A parameter is not what this view reads"),
    "task-unknown": (404, "Task unknown"),
    "history-not-kept": (422, "The history of that time was not kept"),
    "window-too-large": (422, "The window is larger than one request may read"),
    "not-yet-folded": (503, "The diary has not got there yet"),
    "owner-unreachable": (503, "Owner unreachable"),
    "partition-recovering": (503, "Partition recovering"),
    "too-many-waiting": (503, "Too many requests wait already"),
    "topic-unreadable": (503, "The facts cannot be read now"),
}
"""Slug → status and title."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):
    """Raised where there is nothing else to answer."""

    def __init__(self, slug: str, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.slug = slug
        self.status, self.title = KINDS[slug]
        self.detail = detail
        self.retry_after = retry_after

    def answer(self) -> web.Response:
        """The problem as an answer."""
        document = {"type": PREFIX + self.slug, "title": self.title, "status": self.status, "detail": self.detail}
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return web.Response(status=self.status, body=json.dump(document), content_type=CONTENT_TYPE, headers=headers)


def answering(handler: Handler) -> Handler:
    """The handler, with its problems as answers."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return problem.answer()

    return answer
