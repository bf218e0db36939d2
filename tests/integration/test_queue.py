"""The door to RabbitMQ, on a real one that nobody hurts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from aio_pika.abc import AbstractConnection

from streamapp.domain.errors import ConfigurationError, OutcomeUnknown, Unavailable
from streamapp.queue import Delivery, JobPublisher, QueueDepth, Unroutable, depth, ensure
from streamapp.queue.link import Link
from streamapp.queue.topology import SETTLE_SECONDS
from streamapp.telemetry import get_log
from streamapp.wire import jobs
from streamapp.wire.jobs import Job
from streamapp.wire.names import DEAD_LETTER_SUFFIX, Names
from tests.support.brokers import RunningBrokers
from tests.support.rabbitmq import (
    ImpatientClock,
    Inbox,
    beneath,
    consuming,
    fresh_names,
    job,
    publishing,
)
from tests.support.waiting import until

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Place:
    url: str
    names: Names
    queue: str

    async def messages(self) -> int:
        return (await depth(self.url, [self.queue]))[self.queue].messages

    async def consumers(self) -> int:
        return (await depth(self.url, [self.queue]))[self.queue].consumers


@pytest.fixture
async def place(brokers_stack: RunningBrokers) -> AsyncIterator[Place]:
    """A queue of the test's own, deleted afterwards."""
    url, names = brokers_stack.endpoints.rabbitmq_url, fresh_names()
    queue = names.queue("task-execution")
    await ensure(url, names, [queue], clock=ImpatientClock())
    yield Place(url, names, queue)
    async with beneath(url) as channel:
        for name in (queue, queue + DEAD_LETTER_SUFFIX):
            await channel.queue_delete(name)
        for exchange in (names.exchange, names.dead_letter_exchange):
            await channel.exchange_delete(exchange)


async def test_a_job_arrives_as_it_was_published_and_is_forgotten_once_acked(place: Place) -> None:
    inbox = Inbox()
    sent = Job("täsk-1", 2, "USER_CREATED", {"a": [1, None]}, 30.0, TRACEPARENT)
    async with publishing(place.url, place.names, place.queue) as publisher:
        await publisher.publish(place.queue, sent)
        async with consuming(place.url, place.names, place.queue, on_delivery=inbox):
            await until(lambda: inbox.deliveries)
            [delivery] = inbox.deliveries
            assert jobs.decode(delivery.body) == sent
            assert delivery.message_id == "täsk-1:2"
            assert delivery.queue == place.queue
            assert delivery.traceparent == TRACEPARENT
            assert not delivery.redelivered
            assert delivery.published_at_ms is not None
            assert delivery.published_at_ms % 1000 == 0
            assert await delivery.ack()
    assert await place.messages() == 0


async def test_a_job_carries_what_amqp_tools_look_for(place: Place) -> None:
    async with publishing(place.url, place.names, place.queue) as publisher:
        await publisher.publish(place.queue, job("t-1"))
    async with beneath(place.url) as channel:
        message = await (await channel.get_queue(place.queue)).get(fail=True)
        assert message is not None
        assert message.delivery_mode == 2
        assert (message.message_id, message.correlation_id, message.type) == ("t-1:1", "t-1", "TEST")
        assert message.content_type == "application/json"
        assert message.timestamp is not None
        await message.ack()


async def test_nothing_is_handed_over_without_a_connection(place: Place) -> None:
    publisher = JobPublisher(place.url, place.names, [place.queue])
    assert not publisher.connected
    assert not publisher.blocked
    with pytest.raises(Unavailable) as raised:
        await publisher.publish(place.queue, job("t-1"))
    assert not isinstance(raised.value, OutcomeUnknown)


async def test_a_job_for_a_queue_that_does_not_exist_is_unroutable_and_harms_no_other(place: Place) -> None:
    async with publishing(place.url, place.names, place.queue) as publisher:
        results = await asyncio.gather(
            *(publisher.publish(place.queue if number % 2 else "nowhere", job(f"t-{number}")) for number in range(20)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [Unroutable, type(None)] * 10
        assert publisher.connected
    assert await place.messages() == 10


async def test_a_work_queue_deleted_under_the_publisher_is_declared_again(place: Place) -> None:
    async with publishing(place.url, place.names, place.queue) as publisher:
        async with beneath(place.url) as channel:
            await channel.queue_delete(place.queue)
        with pytest.raises(Unroutable):
            await publisher.publish(place.queue, job("t-1"))
        await published(publisher, place.queue, job("t-1"))
    assert await place.messages() == 1


async def test_a_deleted_exchange_makes_the_outcome_unknown_and_is_declared_again(place: Place) -> None:
    async with publishing(place.url, place.names, place.queue) as publisher:
        async with beneath(place.url) as channel:
            await channel.exchange_delete(place.names.exchange)
        results = await asyncio.gather(
            *(publisher.publish(place.queue, job(f"t-{number}")) for number in range(20)), return_exceptions=True
        )
        assert {type(result) for result in results} <= {OutcomeUnknown, Unavailable}
        assert type(results[0]) is OutcomeUnknown
        await published(publisher, place.queue, job("t-0"))


async def test_a_window_of_publishes_overlaps_on_one_channel(place: Place) -> None:
    window = [job(f"t-{number}", size=number * 100) for number in range(300)]  # small and large bodies
    async with publishing(place.url, place.names, place.queue) as publisher:
        await asyncio.gather(*(publisher.publish(place.queue, item) for item in window))
        inbox = Inbox(acking=True)
        async with consuming(place.url, place.names, place.queue, on_delivery=inbox, prefetch=100):
            await until(lambda: len(inbox.deliveries) == len(window))
            assert all(await asyncio.gather(*inbox.acks))
    assert sorted(jobs.decode(delivery.body).task_id for delivery in inbox.deliveries) == sorted(
        item.task_id for item in window
    )
    assert await place.messages() == 0


async def test_the_same_job_twice_at_once_is_published_once(place: Place) -> None:
    async with publishing(place.url, place.names, place.queue) as publisher:
        first, second = await asyncio.gather(
            publisher.publish(place.queue, job("t-1")),
            publisher.publish(place.queue, job("t-1")),
            return_exceptions=True,
        )
        assert first is None
        assert isinstance(second, OutcomeUnknown)
        await publisher.publish(place.queue, job("t-1"))  # afterwards it may go again
    assert await place.messages() == 2


async def test_a_delivery_is_settled_once(place: Place) -> None:
    inbox = Inbox()
    async with (
        publishing(place.url, place.names, place.queue) as publisher,
        consuming(place.url, place.names, place.queue, on_delivery=inbox) as consumer,
    ):
        await publisher.publish(place.queue, job("t-1"))
        await until(lambda: inbox.deliveries)
        assert await inbox.deliveries[0].ack()
        assert not await inbox.deliveries[0].ack()
        assert not await inbox.deliveries[0].requeue()
        await publisher.publish(place.queue, job("t-2"))
        await until(lambda: len(inbox.deliveries) == 2)
        assert consumer.consuming  # on the same channel: a second ack would have closed it
        assert await inbox.deliveries[1].ack()


async def test_a_requeued_job_comes_again_and_says_so(place: Place) -> None:
    inbox = Inbox()
    async with publishing(place.url, place.names, place.queue) as publisher:
        await publisher.publish(place.queue, job("t-1"))
    async with consuming(place.url, place.names, place.queue, on_delivery=inbox):
        await until(lambda: inbox.deliveries)
        assert await inbox.deliveries[0].requeue()
        await until(lambda: len(inbox.deliveries) == 2)
        assert [delivery.redelivered for delivery in inbox.deliveries] == [False, True]
        assert await inbox.deliveries[1].ack()


async def test_a_dead_lettered_job_lies_in_the_dead_letter_queue_of_its_queue(place: Place) -> None:
    inbox = Inbox()
    async with publishing(place.url, place.names, place.queue) as publisher:
        await publisher.publish(place.queue, job("t-1"))
    async with consuming(place.url, place.names, place.queue, on_delivery=inbox):
        await until(lambda: inbox.deliveries)
        assert await inbox.deliveries[0].dead_letter()
        async with asyncio.timeout(30):
            while not (await depth(place.url, [place.queue + DEAD_LETTER_SUFFIX])).popitem()[1].messages:
                await asyncio.sleep(0.01)
    assert await place.messages() == 0
    async with beneath(place.url) as channel:
        message = await (await channel.get_queue(place.queue + DEAD_LETTER_SUFFIX)).get(fail=True)
        assert message is not None
        assert message.message_id == "t-1:1"
        assert message.delivery_mode == 2
        await message.ack()


async def test_settling_after_the_connection_was_closed_is_refused_quietly(place: Place) -> None:
    inbox = Inbox()
    async with publishing(place.url, place.names, place.queue) as publisher:
        await publisher.publish(place.queue, job("t-1"))
    async with consuming(place.url, place.names, place.queue, on_delivery=inbox) as consumer:
        await until(lambda: inbox.deliveries)
    assert not consumer.connected
    assert not await inbox.deliveries[0].ack()
    assert await place.messages() == 1


async def test_no_ack_is_lost_when_the_consumer_is_closed_right_after_it(place: Place) -> None:
    inbox = Inbox(acking=True)
    async with publishing(place.url, place.names, place.queue) as publisher:
        await asyncio.gather(*(publisher.publish(place.queue, job(f"t-{number}")) for number in range(200)))
    async with consuming(place.url, place.names, place.queue, on_delivery=inbox, prefetch=200):
        await until(lambda: len(inbox.deliveries) == 200)
        assert all(await asyncio.gather(*inbox.acks))
    assert await place.messages() == 0


async def test_prefetch_limits_what_is_held_of_one_queue(place: Place) -> None:
    inbox = Inbox()
    async with publishing(place.url, place.names, place.queue) as publisher:
        for number in range(5):
            await publisher.publish(place.queue, job(f"t-{number}"))
    async with consuming(place.url, place.names, place.queue, on_delivery=inbox, prefetch=2):
        await until(lambda: len(inbox.deliveries) == 2)
        assert await place.messages() == 3
        assert await inbox.deliveries[0].ack()
        await until(lambda: len(inbox.deliveries) == 3)
        assert await place.messages() == 2


async def test_who_stops_taking_gets_nothing_and_can_still_ack(place: Place) -> None:
    inbox = Inbox()
    async with (
        publishing(place.url, place.names, place.queue) as publisher,
        consuming(place.url, place.names, place.queue, on_delivery=inbox) as consumer,
    ):
        await publisher.publish(place.queue, job("t-1"))
        await until(lambda: inbox.deliveries)
        consumer.stop_taking()
        assert not consumer.consuming
        for number in range(2, 7):
            await publisher.publish(place.queue, job(f"t-{number}"))
        async with asyncio.timeout(30):
            while await place.messages() < 5:
                assert len(inbox.deliveries) == 1
        assert await inbox.deliveries[0].ack()
        consumer.resume()
        await until(lambda: len(inbox.deliveries) == 6)
        assert consumer.consuming
        assert all([await delivery.ack() for delivery in inbox.deliveries[1:]])


async def test_the_consumer_survives_the_deletion_of_its_queue(place: Place) -> None:
    inbox = Inbox(acking=True)  # with a heartbeat too slow for the watchdog to help
    async with (
        publishing(place.url, place.names, place.queue) as publisher,
        consuming(place.url, place.names, place.queue, on_delivery=inbox, heartbeat_seconds=600) as consumer,
    ):
        for number in range(3):
            async with beneath(place.url) as channel:
                await channel.queue_delete(place.queue)
            await published(publisher, place.queue, job(f"t-{number}"))
            await until(lambda wanted=f"t-{number}:1": wanted in inbox.ids)  # type: ignore[misc]
        assert consumer.consuming
        assert all(await asyncio.gather(*inbox.acks))


async def test_a_delivery_that_cannot_be_handed_over_comes_again(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox(acking=True)
    failures = iter([RuntimeError("no room")])

    def on_delivery(delivery: Delivery) -> None:
        for failure in failures:
            raise failure
        inbox(delivery)

    async with publishing(place.url, place.names, place.queue) as publisher:
        await publisher.publish(place.queue, job("t-1"))
    async with consuming(place.url, place.names, place.queue, on_delivery=on_delivery):
        await until(lambda: inbox.deliveries)
        assert inbox.deliveries[0].redelivered
        assert await inbox.acks[0]
    assert "a delivery could not be handed over" in caplog.text


async def test_the_watchdog_notices_that_the_broker_has_no_consumer(place: Place) -> None:
    inbox = Inbox(acking=True)
    async with (
        publishing(place.url, place.names, place.queue) as publisher,
        consuming(place.url, place.names, place.queue, on_delivery=inbox, heartbeat_seconds=1) as consumer,
    ):
        await cancel_behind_its_back(consumer)
        assert consumer.consuming  # as far as it knows
        assert await place.consumers() == 0
        await until(lambda: has_consumer(place))  # though no job waits
        await publisher.publish(place.queue, job("t-1"))
        await until(lambda: inbox.ids == ["t-1:1"])


async def has_consumer(place: Place) -> bool:
    return await place.consumers() > 0


async def test_the_watchdog_notices_that_jobs_wait_and_none_arrives(place: Place) -> None:
    inbox, other = Inbox(acking=True), Inbox()
    async with (
        publishing(place.url, place.names, place.queue) as publisher,
        consuming(place.url, place.names, place.queue, on_delivery=inbox, heartbeat_seconds=1) as consumer,
        consuming(place.url, place.names, place.queue, on_delivery=other, prefetch=1),
    ):
        await cancel_behind_its_back(consumer)
        await publisher.publish(place.queue, job("t-1"))
        await until(lambda: other.deliveries)  # holds it: the broker has a consumer, but one without room
        await publisher.publish(place.queue, job("t-2"))
        await until(lambda: inbox.ids == ["t-2:1"])


async def test_a_queue_of_another_kind_is_a_clear_error_until_somebody_deletes_it(
    brokers_stack: RunningBrokers, caplog: pytest.LogCaptureFixture
) -> None:
    url, names = brokers_stack.endpoints.rabbitmq_url, fresh_names()
    queue = names.queue("task-execution")
    publisher = JobPublisher(url, names, [queue], clock=ImpatientClock())
    async with beneath(url) as channel:
        await channel.declare_queue(queue, durable=True)
        with pytest.raises(ConfigurationError, match=queue):
            await ensure(url, names, [queue])
        await publisher.start()
        with pytest.raises(ConfigurationError, match="rabbitmqctl delete_queue"):
            await publisher.wait_connected()
        await channel.queue_delete(queue)
        await until(lambda: publisher.connected)
        await publisher.publish(queue, job("t-1"))
        await publisher.close()
        for name in (queue, queue + DEAD_LETTER_SUFFIX):
            await channel.queue_delete(name)
    assert caplog.text.count("cannot be used as it is") == 1  # not once for every try


async def test_whoever_makes_a_queue_lets_it_settle_before_the_first_publish(brokers_stack: RunningBrokers) -> None:
    url, names = brokers_stack.endpoints.rabbitmq_url, fresh_names()
    queue = names.queue("task-execution")
    waits = []
    for _ in range(2):
        clock = ImpatientClock()
        publisher = JobPublisher(url, names, [queue], clock=clock)
        await publisher.start()
        await publisher.wait_connected()
        await publisher.close()
        waits.append(clock.waits)
    assert waits == [[SETTLE_SECONDS], []]
    clock = ImpatientClock()
    await ensure(url, names, [queue, names.queue("second")], clock=clock)
    await ensure(url, names, [queue, names.queue("second")], clock=clock)
    assert clock.waits == [SETTLE_SECONDS]
    async with beneath(url) as channel:
        for name in (queue, names.queue("second")):
            await channel.queue_delete(name)
            await channel.queue_delete(name + DEAD_LETTER_SUFFIX)


async def test_a_link_closes_though_its_library_swallows_a_cancellation(brokers_stack: RunningBrokers) -> None:
    serving = asyncio.Event()

    async def serve(connection: AbstractConnection) -> None:
        serving.set()
        with suppress(asyncio.CancelledError):  # as asyncio.wait_for does inside aiormq, now and then
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    link = Link(
        brokers_stack.endpoints.rabbitmq_url,
        serve,
        client_name="test",
        heartbeat_seconds=10,
        clock=ImpatientClock(),
        log=get_log("test"),
    )
    link.start()
    await serving.wait()
    async with asyncio.timeout(30):
        await link.close()


async def test_the_depth_of_queues_can_be_asked_for(place: Place) -> None:
    async with publishing(place.url, place.names, place.queue) as publisher:
        await publisher.publish(place.queue, job("t-1"))
    found = await depth(place.url, [place.queue, "nowhere"])
    assert found == {place.queue: QueueDepth(1, 0), "nowhere": QueueDepth(0, 0, exists=False)}


async def test_nobody_there_is_unavailable() -> None:
    nobody = "amqp://guest:guest@127.0.0.1:1/"
    with pytest.raises(Unavailable):
        await depth(nobody, ["q"])
    with pytest.raises(Unavailable):
        await ensure(nobody, Names(), ["q"])


async def published(publisher: JobPublisher, queue: str, item: Job) -> None:
    """Publish as the pump does: again, until it is confirmed."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await publisher.publish(queue, item)
            except (Unroutable, Unavailable):
                await asyncio.sleep(0.02)


async def cancel_behind_its_back(consumer: object) -> None:
    """As if the broker had lost the consumer: it is gone there, and the client was not told."""
    subscription = consumer._subscription  # type: ignore[attr-defined]
    for tag in list(subscription._consumers):
        await subscription._channel.basic_cancel(tag)
