"""What the roles share, made from the settings: the registry of task types, the fact log, vitals and tracing.

Comes in: settings. Goes out: values ready for use. Never touches faust, RabbitMQ or Redis: every role may use it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from streamapp import failpoints
from streamapp import tracing as traces
from streamapp.metrics import Metrics
from streamapp.metrics.facts import FactMetrics
from streamapp.metrics.vitals import Vitals
from streamapp.producer import FactLog
from streamapp.producer.kafka import KafkaFactLog
from streamapp.producer.session import SHORT_TURN_SECONDS, TURN_SECONDS
from streamapp.producer.traced import traced
from streamapp.settings import Settings
from streamapp.tasktypes import Registry
from streamapp.tasktypes.loading import load_types
from streamapp.tasktypes.shipped import TYPES
from streamapp.telemetry import get_log
from streamapp.tracing import Tracing
from streamapp.wire.sealing import Sealer

log = get_log(__name__)


def arm_failpoints(settings: Settings) -> None:
    """Arm the gaps of the settings: none, unless somebody tests faults.

    Raises:
        ConfigurationError: an unknown gap or action.
    """
    if armed := failpoints.arm(settings.failpoints):
        log.warning("failpoints are armed: this process will end in the middle of its work", gaps=list(armed))


def registry(settings: Settings) -> Registry:
    """The task types of this installation: those that come with streamapp and those of the modules in the settings.

    Raises:
        ConfigurationError: a module that cannot be imported, a name used twice, an override of an unknown type, or a
            sealing key that is missing or malformed.
    """
    tasks = settings.tasks
    key = tasks.sealing_key
    return Registry.of(
        [*TYPES, *load_types(tasks.types, "STREAMAPP_TASKS__TYPES")],
        default_policy=tasks.default_policy,
        overrides={name: override.model_dump(exclude_none=True) for name, override in tasks.overrides.items()},
        sealer=Sealer(key.get_secret_value()) if key else None,
        max_payload_bytes=tasks.max_payload_bytes,
    )


def tracing(settings: Settings, role: str) -> Tracing:
    """The tracing of a process of `role`: off unless the settings name a collector. Start it before use.

    Raises:
        ConfigurationError: it is wanted, and not installed; or the address is no URL.
    """
    return traces.tracing(
        settings.tracing.endpoint,
        sample_ratio=settings.tracing.sample_ratio,
        role=role,
        instance=settings.instance,
        namespace=settings.namespace,
        version=version("streamapp"),
    )


def fact_log(settings: Settings, role: str, metrics: Metrics | None = None) -> KafkaFactLog:
    """The diary's door for a process of `role`. Start it before use, or enter it with `async with`."""
    return KafkaFactLog(
        settings.bootstrap_servers,
        settings.names.lifecycle_topic,
        client_id=f"streamapp-{role}-{settings.instance}",
        request_timeout_seconds=settings.kafka.request_timeout_seconds,
        max_record_bytes=settings.kafka.max_record_bytes,
        longest_turn_seconds=SHORT_TURN_SECONDS if role == "api" else TURN_SECONDS,
        metrics=FactMetrics(metrics),
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a role without Faust lives in."""

    facts: FactLog
    vitals: Vitals
    tracing: Tracing


@asynccontextmanager
async def surroundings(settings: Settings, role: str) -> AsyncIterator[Surroundings]:
    """Open fact log, vitals and tracing of a process of `role`, and close them, the last one opened first.

    Raises:
        ConfigurationError: see `tracing`.
    """
    vitals, spans = Vitals(role), tracing(settings, role)
    await spans.start()
    try:
        async with fact_log(settings, role, vitals.metrics) as facts:
            vitals.connection("kafka", lambda: facts.available)
            await vitals.start()
            try:
                yield Surroundings(traced(facts, spans), vitals, spans)
            finally:
                await vitals.stop()
    finally:
        await spans.stop()
