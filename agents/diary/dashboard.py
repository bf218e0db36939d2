"""The dashboard's files: `/` leads to `/ui/`, and what lies in `agents/diary/ui` is served under it, from memory.

In: a GET for a name. Out: the file with its type and an ETag, under a Content-Security-Policy that lets the page load
nothing from elsewhere and talk to the diary and the api alone. The files are read once, when the routes are made; any
name that is not among them is 404, so no path leads out of the folder. Touches no table: what is shown comes from the
views.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from urllib.parse import urlsplit

from aiohttp import web

from streamapp.wire import json

ROOT = "/ui/"
INDEX = "index.html"
CONFIG = "config.json"
TYPES: Mapping[str, str] = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "json": "application/json",
}
"""By the name's ending; a file that ends otherwise is not served."""


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is served. `etag` is derived from the content, so it holds across processes and restarts."""

    body: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, name: str, body: bytes) -> "File":
        """The file of that name and content."""
        return cls(body, TYPES[name.rpartition(".")[2]], sha256(body).hexdigest()[:32])


class Dashboard:
    """The files of the dashboard, and its settings as `config.json`."""

    def __init__(self, api_url: str) -> None:
        """Read the files.

        Args:
            api_url: base URL of the api as browsers reach it; the pages send requeues there, and nothing else anywhere.
        """
        folder = resources.files(__package__) / "ui"
        self._files = {name: File.of(name, body) for name, body in _read(folder)}
        self._files[CONFIG] = File.of(CONFIG, json.dump({"apiUrl": api_url.rstrip("/")}))
        self._headers = headers(api_url)

    @property
    def names(self) -> list[str]:
        """Every name that is served below `/ui/`."""
        return sorted(self._files)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The routes."""
        router.add_get("/", self.lead)
        router.add_get("/ui", self.lead)
        router.add_get(ROOT + "{name:.*}", self.file)

    async def lead(self, _: web.Request) -> web.Response:
        """303 to the first page."""
        return web.Response(status=303, headers={"Location": ROOT, **self._headers})

    async def file(self, request: web.Request) -> web.Response:
        """One file; 304 if the browser has it as it is, 404 if there is none of that name."""
        found = self._files.get(request.match_info["name"] or INDEX)
        if found is None:
            return self._unknown()
        asked = request.if_none_match or ()
        if any(tag.value in (found.etag, "*") for tag in asked):
            return self._answer(web.Response(status=304), found.etag)
        body = web.Response(body=found.body, content_type=found.content_type, charset="utf-8")
        return self._answer(body, found.etag)

    def _answer(self, response: web.Response, etag: str) -> web.Response:
        response.headers.update(self._headers)
        response.etag = etag
        return response

    def _unknown(self) -> web.Response:
        title = "File unknown"
        detail = "the dashboard has no file of this name"
        body = json.dump({"type": "/problems/file-unknown", "title": title, "status": 404, "detail": detail})
        return web.Response(status=404, body=body, content_type="application/problem+json", headers={**self._headers})


def headers(api_url: str) -> dict[str, str]:
    """What every answer says to the browser: what it may load, whom it may ask, and to ask again before it reuses it.

    Beyond the policy's list of sources, scripts may not turn text into markup at all (`require-trusted-types-for`).
    """
    place = urlsplit(api_url)
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        f"connect-src 'self' {place.scheme}://{place.netloc}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Name below the folder and content, of every file that is served."""
    for item in folder.iterdir():
        name = prefix + item.name
        if item.is_dir():
            yield from _read(item, f"{name}/")
        elif name.rpartition(".")[2] in TYPES:
            yield name, item.read_bytes()
