"""Jobs with properties that nobody can read: each is delivered like any other, and so are its neighbours."""

from collections.abc import Mapping

from streamapp.queue import depth, ensure
from streamapp.wire import jobs
from tests.faults.poison.strange_properties import ODD, UNREADABLE, properties
from tests.support.brokers import RunningBrokers
from tests.support.rabbitmq import ImpatientClock, Inbox, beneath, consuming, fresh_names, job
from tests.support.waiting import until

STRANGE: Mapping[str, dict[str, bytes]] = {"none": {}, **UNREADABLE, **ODD, "none again": {}}


async def test_jobs_with_strange_properties_are_delivered_and_so_are_their_neighbours(
    brokers_stack: RunningBrokers,
) -> None:
    """One that ends the connection comes again on the next one, for ever, and no other is ever delivered."""
    url, names = brokers_stack.endpoints.rabbitmq_url, fresh_names()
    queue = names.queue("task-execution")
    await ensure(url, names, [queue], clock=ImpatientClock())
    inbox = Inbox(acking=True)
    async with beneath(url) as channel:
        publisher = await channel.get_underlay_channel()
        for name, encoded in STRANGE.items():
            await publisher.basic_publish(jobs.encode(job(name)), routing_key=queue, properties=properties(encoded))
        async with consuming(url, names, queue, on_delivery=inbox, prefetch=2):
            await until(lambda: len(inbox.deliveries) >= len(STRANGE), 10, "all are delivered")
            assert all([await ack for ack in inbox.acks])
        assert [jobs.decode(delivery.body).task_id for delivery in inbox.deliveries] == list(STRANGE)
        assert not any(delivery.redelivered for delivery in inbox.deliveries)
        assert (await depth(url, [queue]))[queue].messages == 0
        for rest in (queue, names.dead_letter_queue("task-execution")):
            await channel.queue_delete(rest)
