"""Refuses settings with which a worker would not be safe. Pure: settings and registry in, or an error out."""

import math

from streamapp.domain.errors import ConfigurationError
from streamapp.settings import Settings, variable
from streamapp.tasktypes import Registry

MARGIN_SECONDS = 30.0
"""For claims, facts and acks around the handlers."""

ENVELOPE_BYTES = 65_536
"""Of an outcome fact besides its result; error messages are cut far below it."""


def queues_of(settings: Settings) -> tuple[str, ...]:
    """The queues this worker consumes, with the namespace in them."""
    chosen = settings.worker.queues
    return settings.queues if chosen is None else tuple(settings.names.queue(queue) for queue in chosen)


def check(settings: Settings, registry: Registry) -> None:
    """All rules.

    Raises:
        ConfigurationError: names the settings and what to do.
    """
    check_consumer_timeout(settings, registry)
    check_result_size(settings)


def check_consumer_timeout(settings: Settings, registry: Registry) -> None:
    """RabbitMQ counts consumer_timeout from delivery: a held job waits for those before it (`reliability`, P7)."""
    longest = max(registry.policy_of(name).timeout_seconds for name in ("", *registry.types))
    grace = settings.worker.cancel_grace_seconds
    # RabbitMQ's prefetch counts per consumer, and so per queue.
    held = settings.prefetch * len(queues_of(settings))
    turns = math.ceil(held / settings.worker.concurrency)
    needed = (longest + grace) * turns + MARGIN_SECONDS
    limit = settings.rabbitmq.consumer_timeout_seconds
    if needed >= limit:
        raise ConfigurationError(
            f"{variable('worker', 'prefetch')} is too large for {variable('rabbitmq', 'consumer_timeout_seconds')}: "
            f"{held} jobs held, {settings.worker.concurrency} run at once, the longest type timeout is {longest:g} s, "
            f"so a job may be held for {needed:g} s, and RabbitMQ takes it away after {limit:g} s. Lower the prefetch "
            "or the timeout, or raise the broker's consumer_timeout and this setting with it."
        )


def check_result_size(settings: Settings) -> None:
    """An outcome that no record can carry could never be acked."""
    largest = settings.kafka.max_record_bytes - ENVELOPE_BYTES
    if settings.worker.max_result_bytes > largest:
        raise ConfigurationError(
            f"{variable('worker', 'max_result_bytes')} must be at most {largest}: a record of Kafka carries at most "
            f"{variable('kafka', 'max_record_bytes')} with the envelope. Lower the one or raise the other."
        )
