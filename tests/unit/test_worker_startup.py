"""Settings with which a worker would not be safe are refused."""

import pytest

from streamapp.domain.errors import ConfigurationError
from streamapp.domain.policy import Policy
from streamapp.settings import KafkaSettings, RabbitSettings, Settings, WorkerSettings
from streamapp.tasktypes import Registry, TaskType
from streamapp.worker.startup import check, queues_of

NO_TYPES = Registry.of([])


def test_defaults_are_safe() -> None:
    check(Settings(), NO_TYPES)


@pytest.mark.parametrize(
    ("timeout", "prefetch", "limit", "safe"),
    [
        # (timeout + grace of 5 s) × ceil(prefetch / 5) + margin of 30 s
        (100, 10, 241, True),
        (100, 10, 240, False),
        (100, 11, 345, False),
        (100, 11, 346, True),
    ],
)
def test_longest_type_times_turns_must_stay_below_the_consumer_timeout(
    timeout: float, prefetch: int, limit: float, safe: bool
) -> None:
    registry = Registry.of([TaskType("LONG", policy=Policy(timeout_seconds=timeout))])
    settings = Settings(
        worker=WorkerSettings(prefetch=prefetch), rabbitmq=RabbitSettings(consumer_timeout_seconds=limit)
    )
    if safe:
        check(settings, registry)
    else:
        with pytest.raises(ConfigurationError, match=r"WORKER__PREFETCH.*RABBITMQ__CONSUMER_TIMEOUT_SECONDS"):
            check(settings, registry)


def test_prefetch_counts_for_every_queue() -> None:
    worker = WorkerSettings(queues=["a", "b"])
    settings = Settings(worker=worker, rabbitmq=RabbitSettings(consumer_timeout_seconds=200), namespace="n")
    assert queues_of(settings) == ("n-a", "n-b")
    with pytest.raises(ConfigurationError, match="20 jobs held"):
        check(settings, NO_TYPES)


def test_result_that_no_record_could_carry() -> None:
    settings = Settings(
        worker=WorkerSettings(max_result_bytes=1_000_000), kafka=KafkaSettings(max_record_bytes=1_048_576)
    )
    with pytest.raises(ConfigurationError, match="WORKER__MAX_RESULT_BYTES"):
        check(settings, NO_TYPES)
