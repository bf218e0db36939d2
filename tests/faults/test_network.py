"""The network between streamapp and a broker fails while both live: nothing is lost, and nobody acks too early."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from brokers import Service
from brokers.endpoints import SERVICES
from streamapp.audit.evidence import Wired, read_folder
from streamapp.domain.facts import TaskExecutionCompleted
from tests.faults.arena import GONE_IS_GONE, Arena, arena
from tests.faults.judge import judge
from tests.faults.network.behind import free_detour, network
from tests.support.brokers import RunningBrokers, running_brokers
from tests.support.lanes import BOTH, DOWN, UP, Direction
from tests.support.proxy import Proxy
from tests.support.waiting import until

CUTS, CUT_EVERY_SECONDS = 10, 2.0
PIECES = (1, 3, 6, 20, 100, 500)
"""Bytes after which a connection is cut: within the head of a frame, and somewhere in its middle."""
BETWEEN_CUTS = 20
"""Tasks completed before the next cut, so that it hits the work and not the handshake of a new connection."""
HOLE_SECONDS = 10.0
"""Longer than a client of RabbitMQ (9 s), RabbitMQ itself (4 s) and a group of Kafka (6 s) wait for signs of life."""
DELAY_SECONDS, DELAYED_SECONDS = 0.3, 10.0
ACKED_SECONDS = 20.0
"""Longer than a lease."""
SETTINGS = {"RABBITMQ__HEARTBEAT_SECONDS": "2", "RABBITMQ__PUBLISH_TIMEOUT_SECONDS": "3", **GONE_IS_GONE}
PATIENT = {**SETTINGS, "RABBITMQ__HEARTBEAT_SECONDS": "30"}
"""Connections outlive a black hole, and what it has held arrives after somebody has published it once more."""
WAYS: dict[Direction, str] = {UP: "what is sent is lost", DOWN: "answers are lost"}


@dataclass(frozen=True)
class Place:
    """An arena, and the proxy between its roles and one broker."""

    ring: Arena
    broker: Service
    proxy: Proxy

    @asynccontextmanager
    async def fault(self, what: str) -> AsyncIterator[None]:
        """The network fails in this block, and is whole again at its end."""
        async with self.ring.fault(f"{self.broker}: {what}", self.broker):
            try:
                yield
            finally:
                self.proxy.resume()

    def heard(self, event: str) -> list[Wired]:
        """What the wiretap has heard of one kind."""
        return [line for line in read_folder(self.ring.evidence, []).wire or () if line.event == event]

    def unanswered(self) -> int:
        """Publications whose confirm never came: the connection was lost under them."""
        published, confirmed = (
            Counter((line.connection, line.message_id) for line in self.heard(event))
            for event in ("publish", "confirm")
        )
        return (published - confirmed).total()

    def not_acked(self) -> list[str]:
        """What was done and whose ack the wiretap has not heard."""
        acked = {line.message_id for line in self.heard("ack")}
        completed = self.ring.witness.facts_of(TaskExecutionCompleted)
        assert completed
        return [fact.task_id for fact in completed if f"{fact.task_id}:{fact.attempt}" not in acked]

    async def judged(self) -> None:
        """There are no findings, and the wiretap has heard the ack of everything that was done.

        Race: a job whose ack was cut off is delivered again, perhaps to a worker that waits for the lease of whoever
        ran it. The judge ends workers first, and one that is ended hands such a job back: so acks are waited for.
        """
        await self.ring.drained()
        await until(lambda: not self.not_acked(), ACKED_SECONDS, "everything that was done is acked", every=0.3)
        verdict = await judge(self.ring)
        assert verdict.findings == []


@pytest.fixture(scope="module")
def brokers_with_detour() -> Iterator[RunningBrokers]:
    """Brokers of this module's own: Kafka must know where its proxy is."""
    with running_brokers(SERVICES, free_detour()) as brokers:
        yield brokers


@pytest.fixture(
    params=[("rabbitmq", SETTINGS), ("kafka", SETTINGS), ("redis", SETTINGS)], ids=["rabbitmq", "kafka", "redis"]
)
async def place(
    brokers_with_detour: RunningBrokers, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Place]:
    folder = tmp_path / "arena"
    broker, settings = request.param
    async with (
        network(brokers_with_detour, folder / "evidence" / "wire.jsonl") as lines,
        arena(brokers_with_detour, folder, seed=1, endpoints=lines.endpoints, **settings) as ring,
    ):
        await ring.start()
        ring.pour()
        await ring.busy()
        yield Place(ring, broker, lines.proxies[broker])


async def cut_again_and_again(place: Place) -> None:
    async with place.fault("connections cut every 2 s for 20 s"):
        cut = 0
        for _ in range(CUTS):
            await asyncio.sleep(CUT_EVERY_SECONDS)
            cut += place.proxy.cut()
        assert cut >= CUTS


async def cut_in_the_middle(place: Place) -> None:
    async with place.fault("connections cut in the middle of a frame"):
        for count in PIECES:
            for direction in BOTH:
                await place.ring.busy(completions=BETWEEN_CUTS)
                taken = place.proxy.taken
                place.proxy.cut_after(count, direction)
                await come_back(place.proxy, taken)


async def come_back(proxy: Proxy, taken: int) -> None:
    await until(lambda: proxy.taken > taken, 20, "somebody was cut and has come back")


async def black_hole(place: Place) -> None:
    async with place.fault("black hole for 10 s"):
        place.proxy.hold()
        await asyncio.sleep(HOLE_SECONDS)


async def black_hole_without_return(place: Place) -> None:
    """What was held is lost, and so are the connections, as behind a firewall that has forgotten them."""
    async with place.fault("black hole for 10 s, and no connection is left"):
        place.proxy.hold()
        await asyncio.sleep(HOLE_SECONDS)
        place.proxy.cut()


async def one_way_black_hole(place: Place, direction: Direction) -> None:
    async with place.fault(f"black hole one way for 10 s: {WAYS[direction]}"):
        place.proxy.hold(direction)
        await asyncio.sleep(HOLE_SECONDS)
        place.proxy.cut()


async def late(place: Place, *directions: Direction) -> None:
    async with place.fault("black hole, and what it has held arrives after 10 s"):
        place.proxy.hold(*directions)
        await asyncio.sleep(HOLE_SECONDS)


async def delayed(place: Place) -> None:
    async with place.fault("delayed by 300 ms each way for 10 s"):
        place.proxy.delay(DELAY_SECONDS)
        await asyncio.sleep(DELAYED_SECONDS)


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_connections_are_cut_between_and_within_frames(place: Place) -> None:
    await cut_again_and_again(place)
    await cut_in_the_middle(place)
    await place.judged()
    if place.broker == "rabbitmq":
        assert any(line.redelivered for line in place.heard("deliver"))
        assert place.unanswered() >= len(PIECES)


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_network_swallows_everything_or_answers_alone_or_is_slow(place: Place) -> None:
    taken = place.proxy.taken
    await black_hole(place)
    await black_hole_without_return(place)
    await one_way_black_hole(place, DOWN)
    await one_way_black_hole(place, UP)
    assert place.proxy.taken > taken
    await delayed(place)
    await place.judged()
    if place.broker == "rabbitmq":
        assert place.unanswered() > 0
    if place.broker == "kafka":
        answers = read_folder(place.ring.evidence, []).answers or ()
        assert {answer.outcome for answer in answers} == {"accepted", "refused", "unknown"}


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("place", [("rabbitmq", PATIENT)], indirect=True, ids=["rabbitmq"])
async def test_jobs_confirms_and_acks_arrive_late(place: Place) -> None:
    await late(place, UP)
    await late(place, DOWN)
    await late(place)
    await place.judged()
    assert place.unanswered() > 0
