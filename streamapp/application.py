"""What `faust -A streamapp` finds: the app, composed of the agents of the chosen role.

A composition root: the only place that puts doors, tables and agents together. Importing it does no I/O.
"""

from typing import Any

from agents import diary as diary_agent
from agents import dispatch as dispatch_agent
from agents import ingest as ingest_agent
from streamapp.clock import BrokerClock, SystemClock, rfc3339
from streamapp.composition import arm_failpoints, fact_log, registry, tracing
from streamapp.domain.dispatch import Limits
from streamapp.metrics.outbox import OutboxMetrics
from streamapp.metrics.publishing import PublishMetrics
from streamapp.metrics.vitals import Vitals
from streamapp.producer import FactLog
from streamapp.producer.traced import traced
from streamapp.queue import JobPublisher
from streamapp.queue.traced import traced as traced_publisher
from streamapp.settings import Role, Settings, load
from streamapp.stream import topics
from streamapp.stream.creating import create_app
from streamapp.stream.doors import Doors
from streamapp.stream.engine import StreamApp
from streamapp.stream.freshness import Freshness
from streamapp.stream.health import Health
from streamapp.stream.horizon import Gates, Probe
from streamapp.stream.measuring import measure
from streamapp.stream.sole_dispatcher import SoleDispatcher
from streamapp.stream.tables_web import TablesWeb
from streamapp.telemetry import logging_config
from streamapp.tracing import Tracing
from streamapp.wire.scribe import Scribe
from tables import dedup, pending, sources, tasks, totals

AGENTS: dict[Role, tuple[str, ...]] = {
    "all": ("ingest", "dispatch", "diary"),
    "ingest": ("ingest",),
    "dispatch": ("dispatch",),
    "diary": ("diary",),
}

LAG_LOOK_SECONDS = 2.0
"""How often ingest asks Kafka how far it is behind: for a metric only."""


def compose(settings: Settings) -> StreamApp:
    """The app of `settings.role`, with its tables, agents and web views."""
    arm_failpoints(settings)
    agents = AGENTS[settings.role]
    host, port = _web(settings)
    log_to = logging_config(settings.log.format, role=settings.role, instance=settings.instance)
    app = create_app(settings, web_host=host, web_port=port, logging_config=log_to)
    clock, vitals = SystemClock(), Vitals(settings.role)
    measure(app, vitals)
    if "ingest" in agents or "dispatch" in agents:
        log, spans = fact_log(settings, settings.role, vitals.metrics), tracing(settings, settings.role)
        app.residents.append(Doors(spans, log))
        vitals.connection("kafka", lambda: log.available)
        facts = traced(log, spans)
        if "ingest" in agents:
            _add_ingest(app, settings, facts, clock, vitals)
        if "dispatch" in agents:
            _add_dispatch(app, settings, facts, clock, vitals, spans)
    health = Health(app)
    if "diary" in agents:
        _add_diary(app, settings, clock, health, vitals)
    app.routes += [health.add_routes, TablesWeb(app).add_routes]
    return app


def _web(settings: Settings) -> tuple[str, int]:
    """Where the role's web listens: the diary's views, or health and metrics alone."""
    group: Any = {"ingest": settings.ingest, "dispatch": settings.dispatch}.get(settings.role, settings.diary)
    return group.host, group.port


def _scribe(settings: Settings, role: str, clock: SystemClock) -> Scribe:
    return Scribe(role, settings.instance, lambda: rfc3339(clock.now_ms()))


def _limits(settings: Settings) -> Limits:
    """After which dispatch acts on a task that nothing happens to, and the diary shows it as stuck."""
    stuck_margin = settings.guard.lease_seconds + settings.dispatch.stuck_margin_seconds
    return Limits(round(stuck_margin * 1000), round(settings.dispatch.lost_after_seconds * 1000))


def _add_ingest(app: StreamApp, settings: Settings, facts: FactLog, clock: SystemClock, vitals: Vitals) -> None:
    plan = topics.events(settings)
    app.plans.append(topics.lifecycle(settings))
    table = sources.Sources(app.batch_table(sources.NAME, plan.partitions))
    ingest = ingest_agent.Ingest(
        table,
        facts,
        _scribe(settings, "ingest", clock),
        registry(settings),
        allow_unknown_fields=settings.ingest.allow_unknown_fields,
    )
    ingest_agent.register(app, plan, ingest)
    probe, look = Probe(settings.bootstrap_servers), LAG_LOOK_SECONDS
    behind = Freshness(probe, plan.name, table.table, clock, interval_seconds=look, warning=None)
    app.residents.append(behind)
    ingest_agent.measure(ingest, vitals.metrics, behind)


def _add_dispatch(
    app: StreamApp, settings: Settings, facts: FactLog, clock: SystemClock, vitals: Vitals, spans: Tracing
) -> None:
    plan, brokers = topics.lifecycle(settings), BrokerClock(clock)
    outbox = pending.Pending(app.batch_table(pending.NAME, plan.partitions, pending.FORM))
    ended = dedup.Dedup(app.batch_table(dedup.NAME, plan.partitions, dedup.FORM))
    publisher = JobPublisher(
        settings.rabbitmq_url,
        settings.names,
        settings.queues,
        heartbeat_seconds=settings.rabbitmq.heartbeat_seconds,
        publish_timeout_seconds=settings.rabbitmq.publish_timeout_seconds,
        client_name=f"streamapp-dispatch-{settings.instance}",
        clock=brokers,
        metrics=PublishMetrics(vitals.metrics),
    )
    vitals.connection("rabbitmq", lambda: publisher.connected)
    numbers = OutboxMetrics(vitals.metrics)
    pump = dispatch_agent.Pump(
        outbox,
        traced_publisher(publisher, spans),
        facts,
        _scribe(settings, "dispatch", clock),
        brokers,
        settings.queue_of,
        _limits(settings),
        window=settings.dispatch.window,
        reconcile_seconds=settings.dispatch.reconcile_seconds,
        settle_seconds=settings.dispatch.settle_seconds,
        metrics=numbers,
    )
    probe = Probe(settings.bootstrap_servers)
    app.residents.append(SoleDispatcher(settings))
    dispatch = dispatch_agent.Dispatch(plan.name, outbox, ended, Gates(), probe, pump)
    dispatch_agent.register(app, plan, dispatch)
    dispatch_agent.measure(dispatch, pump, numbers)


def _add_diary(app: StreamApp, settings: Settings, clock: SystemClock, health: Health, vitals: Vitals) -> None:
    plan = topics.lifecycle(settings)
    known = tasks.Tasks(app.batch_table(tasks.NAME, plan.partitions, tasks.FORM))
    sums = totals.PartitionTotals(app.batch_table(totals.NAME, plan.partitions))
    diary = diary_agent.Diary(
        plan.name, known, sums, _limits(settings), indexed=settings.diary.indexed_tasks, clock=clock
    )
    diary_agent.register(app, plan, diary)
    freshness = Freshness(Probe(settings.bootstrap_servers), plan.name, known.table, clock)
    health.watch(freshness)
    vitals.connection("kafka", lambda: not freshness.stale)
    diary_agent.measure(diary, vitals.metrics, freshness, registry(settings).types, clock)
    web = diary_agent.DiaryWeb(
        app,
        diary,
        freshness,
        clock,
        servers=settings.bootstrap_servers,
        own_url=f"http://{settings.diary.advertised_host}:{settings.diary.port}",
        timeout_seconds=settings.diary.forward_timeout_seconds,
    )
    app.residents += [freshness, web.owners]
    app.routes.append(web.add_routes)
    app.routes.append(lambda router: diary_agent.Dashboard(settings.api_url).add_routes(router))


app = compose(load())
