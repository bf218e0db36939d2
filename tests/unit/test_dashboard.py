"""The dashboard's files as they are served, and the house style of what they are made of. Browser: `tests/ui`."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from agents.diary.dashboard import INDEX, Dashboard

UI = Path(str(resources.files("agents.diary"))) / "ui"
FILES = sorted(path for path in UI.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
STYLES = [path for path in FILES if path.suffix == ".css"]
API = "https://tasks.example:8443/under"
MAX_LINES = 300


def name(path: Path) -> str:
    return path.relative_to(UI).as_posix()


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    application = web.Application()
    Dashboard(API).add_routes(application.router)
    async with TestClient(TestServer(application)) as client:
        yield client


async def get(client: TestClient, path: str, **headers: str) -> ClientResponse:
    """Without redirects, and with the path as it is written here."""
    url = client.make_url("/").join(URL(path, encoded=True))
    return await client.session.get(url, allow_redirects=False, headers=headers)


@pytest.mark.parametrize("path", ["/", "/ui"])
async def test_the_root_leads_to_the_pages(client: TestClient, path: str) -> None:
    answer = await get(client, path)
    assert (answer.status, answer.headers["Location"]) == (303, "/ui/")


async def test_every_file_is_served_as_what_it_is(client: TestClient) -> None:
    types = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert len(FILES) > 30
    for path in FILES:
        answer = await get(client, f"/ui/{name(path)}")
        assert answer.status == 200, name(path)
        assert answer.content_type == types[path.suffix[1:]]
        assert answer.charset == "utf-8"
        assert await answer.read() == path.read_bytes()
    assert await (await get(client, "/ui/")).read() == (UI / INDEX).read_bytes()


async def test_the_policy_lets_a_page_load_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/ui/", "/ui/js/main.js", "/ui/config.json", "/ui/no-such-file", "/"):
        answer = await get(client, path)
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": "'self' https://tasks.example:8443",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-cache"


async def test_a_file_that_the_browser_has_is_not_sent_again(client: TestClient) -> None:
    first = await get(client, "/ui/js/main.js")
    etag = first.headers["ETag"]
    for asked in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await get(client, "/ui/js/main.js", **{"If-None-Match": asked})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
    assert (await get(client, "/ui/js/main.js", **{"If-None-Match": '"other"'})).status == 200
    assert (await get(client, "/ui/js/dom.js")).headers["ETag"] != etag


@pytest.mark.parametrize(
    "path",
    [
        "/ui/../pages.py",
        "/ui/..%2fpages.py",
        "/ui/%2e%2e/pages.py",
        "/ui/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/ui//etc/passwd",
        "/ui/js/../../pages.py",
        "/ui/js%5c..%5c..%5cpages.py",
        "/ui/js",
        "/ui/js/",
        "/ui/index.html%00",
        "/ui/pages.py",
        "/ui/__pycache__",
        "/ui/<script>alert(1)</script>",
    ],
)
async def test_no_path_leads_out_of_the_folder(client: TestClient, path: str) -> None:
    answer = await get(client, path)
    assert answer.status == 404
    assert b"script" not in await answer.read()
    assert b"root:" not in await answer.read()


async def test_pages_take_nothing_on(client: TestClient) -> None:
    assert (await client.post("/ui/")).status == 405
    head = await client.head("/ui/")
    assert (head.status, await head.read()) == (200, b"")


async def test_the_pages_are_told_where_the_api_is(client: TestClient) -> None:
    assert await (await get(client, "/ui/config.json")).json() == {"apiUrl": API}


def test_names_are_what_lies_in_the_folder() -> None:
    assert Dashboard(API).names == sorted([*(name(path) for path in FILES), "config.json"])


# ---- what the files are made of -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=name)
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert text.startswith("/*")
    assert len(text.partition("*/")[0]) > 15


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_nothing_turns_text_into_markup_or_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(inner|outer|insertAdjacent|set|parse)HTML", text)
    assert not re.search(r"document\.write|DOMParser|createContextualFragment|\beval\b|new Function", text)
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|console\.", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_every_import_leads_to_a_file_with_that_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for names, source in re.findall(r"^import (.+?) from \"(.+?)\";$", text, re.MULTILINE | re.DOTALL):
        target = (path.parent / source).resolve()
        assert target.is_relative_to(UI.resolve())
        there = target.read_text(encoding="utf-8")
        for wanted in re.findall(r"\b\w+\b", names.partition("{")[2]):
            assert re.search(rf"^export (async )?(function|class|const|let) {wanted}\b", there, re.MULTILINE), wanted
            assert len(re.findall(rf"\b{wanted}\b", text)) > 1, f"{wanted} is imported for nothing"


@pytest.mark.parametrize("path", STYLES, ids=name)
def test_styles_load_nothing_and_use_the_colours_of_one_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text
    known = set(re.findall(r"(--[\w-]+):", (UI / "css/colours.css").read_text(encoding="utf-8"))) | {"--tone"}
    assert set(re.findall(r"var\((--[\w-]+)", text)) <= known


def test_the_document_has_no_code_and_no_style_of_its_own() -> None:
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attributes)))

    text = (UI / INDEX).read_text(encoding="utf-8")
    Reader().feed(text)
    assert not [tag for tag, attributes in found if tag == "style" or "style" in attributes]
    assert not [name for _, attributes in found for name in attributes if name.startswith("on")]
    assert re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL) == ["", ""]
    linked = [attributes.get("src") or attributes.get("href") for tag, attributes in found if tag in ("script", "link")]
    assert all((UI / str(target)).is_file() for target in linked)
    assert {f"css/{path.name}" for path in STYLES} <= set(linked)
