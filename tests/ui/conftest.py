"""A browser for the whole run; a diary, an api and a tab for each test."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ui.chromium import Chromium, chromium
from tests.ui.stand_in import StandIn, serving
from tests.ui.tab import Tab


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def tab(browser: Chromium) -> AsyncIterator[Tab]:
    """A tab in which nothing may have gone wrong at the end, unless the test has looked at it and cleared the list."""
    tab = await Tab.open(browser)
    try:
        yield tab
        assert tab.errors == []
        assert await tab.violations() == []
    finally:
        await tab.close()


@pytest.fixture
def screenshots() -> Path | None:
    """Where pictures go: the folder of `STREAMAPP_TEST_SCREENSHOTS`."""
    named = os.environ.get("STREAMAPP_TEST_SCREENSHOTS")
    if named is None:
        return None
    Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named)


@dataclass
class World:
    """What a test talks to: the stand-in, and the addresses of its diary and api."""

    stand_in: StandIn
    diary: str
    api: str

    def page(self, address: str = "") -> str:
        """The address of a page: `page("tasks?state=RUNNING")`."""
        return f"{self.diary}/ui/#/{address}"


@pytest.fixture
async def world(tab: Tab) -> AsyncIterator[World]:
    stand_in = StandIn()
    async with serving(stand_in.api()) as api, serving(stand_in.diary(api)) as diary:
        yield World(stand_in, diary, api)
        await tab.leave()  # a page that is still open would ask on while nobody answers any more
