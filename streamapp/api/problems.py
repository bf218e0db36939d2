"""What goes wrong, as RFC 9457 problem documents. The slugs are stable: clients may switch on `type`."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from streamapp.domain.facts import FieldError
from streamapp.wire import json

CONTENT_TYPE = "application/problem+json"
PREFIX = "/problems/"

KINDS: Mapping[str, tuple[int, str]] = {
    "malformed-json": (400, "The body is not JSON that streamapp reads"),
    "malformed-request": (400, "The request cannot be read"),
    "invalid-header": (400, "A header has an invalid value"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "request-timeout": (408, "The body did not arrive in time"),
    "body-too-large": (413, "The body is too large"),
    "payload-too-large": (413, "The payload is too large"),
    "unsupported-media-type": (415, "Only plain JSON is read"),
    "invalid-submission": (422, "The submission is not valid"),
    "invalid-requeue": (422, "The request to requeue is not valid"),
    "http-error": (400, "The request was refused"),
    "internal-error": (500, "A fault of streamapp"),
    "refused": (503, "The diary cannot be written now; nothing was recorded"),
    "outcome-unknown": (503, "Kafka has not acknowledged in time; it may be recorded or not"),
}
"""Slug → status and title."""


class Problem(Exception):
    """One problem; raised where there is nothing else to answer, kept as a value in a batch.

    `more` are members of the document beyond those of the RFC. Details never quote what was submitted.
    """

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        usual, self.title = KINDS[slug]
        self.status = status or usual
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = more

    def having(self, **more: Any) -> "Problem":
        """The same problem with more members."""
        members = {**self.more, **more}
        return Problem(self.slug, self.detail, errors=self.errors, status=self.status, headers=self.headers, **members)

    def document(self) -> dict[str, Any]:
        """The problem as a JSON object."""
        document: dict[str, Any] = {
            "type": PREFIX + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [{"pointer": error.pointer, "detail": error.message} for error in self.errors]
        return {**document, **self.more}

    def answer(self) -> web.Response:
        """The problem as an answer."""
        headers = {**self.headers, "Content-Type": CONTENT_TYPE}
        return web.Response(status=self.status, body=json.dump(self.document()), headers=headers)
