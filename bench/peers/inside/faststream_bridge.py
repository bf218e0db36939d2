"""The bridge of the FastStream peer: a batch of events is checked, published with confirms, and only then committed."""

import asyncio
import signal
from typing import Any

import uvloop
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.rabbit import RabbitBroker

from bench.peers.inside import talk
from bench.peers.inside.faststream_names import BATCH, PARTITIONS, Event, group, queue, topic


async def create_topic(settings: dict[str, Any]) -> None:
    """Make the topic of the run."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings["kafka"])
    await admin.start()
    try:
        name, config = topic(settings["run"]), settings["topic_settings"]
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=config)])
    finally:
        await admin.close()


async def work(settings: dict[str, Any]) -> None:
    """Carry events over until told to stop."""
    await create_topic(settings)
    run = settings["run"]
    kafka, rabbit = KafkaBroker(settings["kafka"], logger=None), RabbitBroker(settings["rabbitmq_url"], logger=None)

    @kafka.subscriber(
        topic(run),
        batch=True,
        max_records=BATCH,
        batch_timeout_ms=10,
        group_id=group(run),
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def carry(events: list[Event]) -> None:
        await asyncio.gather(*[rabbit.publish(event, queue=queue(run), persist=True) for event in events])

    await rabbit.start()
    await rabbit.declare_queue(queue(run))
    await kafka.start()
    talk.say("ready")
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
    await kafka.stop()
    await rabbit.stop()


def main() -> None:
    """Work until told to stop."""
    settings = talk.settings()
    talk.end_with_starter()
    uvloop.run(work(settings))


if __name__ == "__main__":
    main()
