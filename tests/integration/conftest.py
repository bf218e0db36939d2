"""What several integration tests need of a Redis of their own."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis.asyncio

from tests.support.brokers import RunningBrokers, running_brokers


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RunningBrokers]:
    """A Redis of the module's own, that may be killed, flushed, starved, and told to forget its scripts."""
    with running_brokers(frozenset({"redis"})) as brokers:
        yield brokers


@pytest.fixture
async def client(own_redis: RunningBrokers) -> AsyncIterator[Any]:
    async with redis.asyncio.Redis.from_url(own_redis.endpoints.redis_url) as client:
        yield client
