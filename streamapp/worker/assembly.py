"""Puts a worker together from the settings: the one place that knows all its parts.

In: settings and what was opened for it (fact log, handlers' environment). Out: parts ready to start, nothing started.
"""

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from streamapp.clock import Clock, rfc3339
from streamapp.composition import Surroundings
from streamapp.guard import Guard
from streamapp.guard.live import Registration, WaitingJob
from streamapp.handlers import Environment, Handlers
from streamapp.metrics.guard import GuardMetrics
from streamapp.metrics.worker import WorkerMetrics
from streamapp.queue import JobConsumer
from streamapp.settings import Settings
from streamapp.tasktypes import Registry
from streamapp.telemetry import get_log
from streamapp.wire.scribe import Scribe
from streamapp.worker.approach import Approach
from streamapp.worker.call import Caller
from streamapp.worker.patience import Patience
from streamapp.worker.pipeline import Pipeline
from streamapp.worker.slots import Slots
from streamapp.worker.startup import queues_of
from streamapp.worker.traced import traced_caller, traced_pipeline
from streamapp.worker.worker import Worker

DescribeWorker: TypeAlias = Callable[[], tuple[Registration, Sequence[WaitingJob]]]


def new_worker_id(instance: str) -> str:
    """Unique per process start: a worker that comes back is another one, and its predecessor's claims a dead man's."""
    return f"{instance}-{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Parts:
    """A worker and its doors."""

    id: str
    guard: Guard
    consumer: JobConsumer
    worker: Worker
    patience: Patience


def assemble(
    settings: Settings,
    *,
    id: str,
    registry: Registry,
    handlers: Handlers,
    environment: Environment,
    around: Surroundings,
    clock: Clock,
) -> Parts:
    """The parts of the worker `id`."""
    metrics = WorkerMetrics(around.vitals.metrics, registry.types)
    log = get_log("streamapp.worker", worker=id)
    patience = Patience(clock, log)
    slots = Slots(settings.worker.concurrency)
    caller = Caller(
        handlers,
        registry.sealer,
        environment,
        clock,
        settings.worker.cancel_grace_seconds,
        settings.worker.max_result_bytes,
        metrics,
    )
    scribe = Scribe("worker", id, lambda: rfc3339(clock.now_ms()))
    started_ms = clock.now_ms()

    def describe_worker() -> tuple[Registration, Sequence[WaitingJob]]:
        concurrency, queues = settings.worker.concurrency, queues_of(settings)
        host, pid = socket.gethostname(), os.getpid()
        return Registration(host, pid, started_ms, concurrency, queues, slots.taken), worker.waiting

    guard = _guard(settings, id, clock, describe_worker, GuardMetrics(around.vitals.metrics))
    pipeline = Pipeline(
        guard,
        around.facts,
        traced_caller(caller, around.tracing),
        Approach(settings.worker.concurrency, clock),
        slots,
        scribe,
        patience,
        clock,
        id,
        settings.guard.retention_seconds,
        metrics,
    )
    worker = Worker(traced_pipeline(pipeline, around.tracing), clock, log, metrics)
    consumer = JobConsumer(
        settings.rabbitmq_url,
        settings.names,
        queues_of(settings),
        prefetch=settings.prefetch,
        heartbeat_seconds=settings.rabbitmq.heartbeat_seconds,
        on_delivery=worker.on_delivery,
        client_name=id,
        clock=clock,
    )
    metrics.watch(lambda: slots.taken, lambda: worker.held, settings.worker.concurrency)
    around.vitals.connection("rabbitmq", lambda: consumer.connected)
    around.vitals.connection("redis", lambda: guard.answering)
    return Parts(id, guard, consumer, worker, patience)


def _guard(settings: Settings, id: str, clock: Clock, describe_worker: DescribeWorker, metrics: GuardMetrics) -> Guard:
    return Guard(
        settings.redis_url,
        prefix=settings.names.guard_prefix,
        worker=id,
        lease_seconds=settings.guard.lease_seconds,
        retention_seconds=settings.guard.retention_seconds,
        max_deaths=settings.guard.max_deaths,
        finished_jobs_kept=settings.guard.finished_jobs_kept,
        timeout_seconds=settings.redis.timeout_seconds,
        clock=clock,
        describe_worker=describe_worker,
        metrics=metrics,
    )
