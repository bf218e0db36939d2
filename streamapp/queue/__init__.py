"""The only door to RabbitMQ; nothing else imports aio_pika or aiormq.

In: jobs to hand out, deliveries to settle. Out: confirmed publishes and deliveries. Never touches Kafka or Redis and
never decides about a task. Publishing and consuming use connections of their own, because an alarm of the broker blocks
whatever connection publishes, and acks on it too (https://www.rabbitmq.com/docs/alarms).
"""

from streamapp.queue.consumer import JobConsumer
from streamapp.queue.delivery import Delivery
from streamapp.queue.inspection import QueueDepth, depth
from streamapp.queue.publisher import JobPublisher, Publisher, Unroutable
from streamapp.queue.topology import declare, ensure

__all__ = [
    "Delivery",
    "JobConsumer",
    "JobPublisher",
    "Publisher",
    "QueueDepth",
    "Unroutable",
    "declare",
    "depth",
    "ensure",
]
