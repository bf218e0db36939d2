"""Exchange, work queues and dead-letter queues as streamapp needs them, declared idempotently.

In: a connection, names, work queues. Out: the same topology every time, or a ConfigurationError where something of the
same name is different. Never deletes or purges anything.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from streamapp.clock import Clock, SystemClock
from streamapp.domain.errors import ConfigurationError, Unavailable
from streamapp.queue.link import close_connection, open_connection
from streamapp.queue.loss import loss_is_an_error
from streamapp.telemetry import describe
from streamapp.wire.names import DEAD_LETTER_SUFFIX, Names

SETTLE_SECONDS = 2.0
"""A younger quorum queue can vanish with all its messages on kill -9 of a fresh node (`reliability.md`, QN)."""

DECLARE_SECONDS = 20.0
"""Longest time for the whole topology."""


async def declare(connection: AbstractConnection, names: Names, queues: Sequence[str]) -> frozenset[str]:
    """Declare the exchanges, and each of `queues` (namespace included) with its dead-letter queue.

    Returns:
        The work queues that did not exist before. Race: two processes may both find a queue missing, or one may find it
        an instant after the other made it; whoever made it waits SETTLE_SECONDS before its first publish.

    Raises:
        ConfigurationError: something of the same name exists with other properties; names it and says what to do.
        TimeoutError, AMQPError and whatever else aiormq raises: the broker did not do it.
    """
    with loss_is_an_error():
        async with asyncio.timeout(DECLARE_SECONDS):
            missing = frozenset([queue for queue in queues if not await _exists(connection, queue)])
            channel = await connection.channel(publisher_confirms=False)
            for exchange in (names.exchange, names.dead_letter_exchange):
                await _declare_exchange(channel, exchange)
            basic = arguments(connection)
            for queue in queues:
                dead = queue + DEAD_LETTER_SUFFIX
                await _declare_queue(channel, dead, basic, names.dead_letter_exchange, queue)
                await _declare_queue(channel, queue, basic | _dead_lettering(names, queue), names.exchange, queue)
            await channel.close()
            return missing


async def ensure(rabbitmq_url: str, names: Names, queues: Sequence[str], *, clock: Clock | None = None) -> None:
    """Connect, declare, wait until queues that are new are SETTLE_SECONDS old, and close. For `streamapp setup`.

    Raises:
        ConfigurationError: see `declare`.
        Unavailable: RabbitMQ cannot be reached or did not answer.
    """
    try:
        connection = await open_connection(rabbitmq_url, client_name="streamapp-setup")
        try:
            if await declare(connection, names, queues):
                await (clock or SystemClock()).sleep(SETTLE_SECONDS)
        finally:
            await close_connection(connection)
    except ConfigurationError:
        raise
    except Exception as error:  # aiormq rejects its futures with anything, bare Exception included
        raise Unavailable(f"RabbitMQ did not declare the queues: {describe(error)}") from error


def arguments(connection: AbstractConnection) -> dict[str, Any]:
    """Arguments of every queue: quorum, no delivery limit.

    From RabbitMQ 4.0 on the limit is 20 unless the queue says -1; before, there is none and -1 would mean 0
    (https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling). A limit dead-letters innocent prefetched
    jobs together with the one that kills workers (`reliability.md`, E4).
    """
    quorum: dict[str, Any] = {"x-queue-type": "quorum"}
    return {**quorum, "x-delivery-limit": -1} if _major_version(connection) >= 4 else quorum


def _dead_lettering(names: Names, queue: str) -> dict[str, Any]:
    """At-least-once dead-lettering, which RabbitMQ grants to quorum queues that refuse rather than drop."""
    return {
        "x-dead-letter-exchange": names.dead_letter_exchange,
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _major_version(connection: AbstractConnection) -> int:
    transport = connection.transport
    version = str(transport.connection.server_properties.get("version", "")) if transport else ""
    major = version.partition(".")[0]
    return int(major) if major.isdigit() else 0


async def _exists(connection: AbstractConnection, queue: str) -> bool:
    """On a channel of its own: the broker closes a channel that asks for what is not there."""
    channel = await connection.channel(publisher_confirms=False)
    try:
        await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def _declare_exchange(channel: AbstractChannel, name: str) -> None:
    try:
        await channel.declare_exchange(name, ExchangeType.DIRECT, durable=True)
    except ChannelPreconditionFailed as error:
        raise _different("exchange", name, error) from error


async def _declare_queue(
    channel: AbstractChannel, name: str, arguments: dict[str, Any], exchange: str, routing_key: str
) -> None:
    try:
        queue = await channel.declare_queue(name, durable=True, arguments=arguments)
    except ChannelPreconditionFailed as error:
        raise _different("queue", name, error) from error
    await queue.bind(exchange, routing_key)


def _different(kind: str, name: str, error: Exception) -> ConfigurationError:
    deletion = f"delete it (rabbitmqctl delete_queue {name})" if kind == "queue" else "delete it"
    return ConfigurationError(
        f"RabbitMQ already has another {kind} named {name!r} ({error}). Use another STREAMAPP_NAMESPACE; or, if "
        f"nothing in it is needed, {deletion} and start again."
    )
