"""The settings by group: names, defaults, bounds and what each one means.

Values only; whoever wants the effective ones calls `load`. Nothing here reads the environment.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from streamapp.domain.policy import BOUNDS, Policy

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0.001, le=86_400 * 365)]
Positive = Annotated[int, Field(ge=1)]
Attempts = Annotated[int, Field(ge=BOUNDS["max_attempts"][0], le=BOUNDS["max_attempts"][1])]
Delay = Annotated[float, Field(ge=BOUNDS["delay_seconds"][0], le=BOUNDS["delay_seconds"][1])]
Multiplier = Annotated[float, Field(ge=BOUNDS["multiplier"][0], le=BOUNDS["multiplier"][1])]

BASE_URL = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"
"""A URL without user, query or fragment: it becomes part of a Content-Security-Policy."""


Origin = Annotated[str, Field(pattern=r"^https?://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?$")]
"""An origin as a browser writes it: scheme, host, and the port where it is not the scheme's own."""


class Group(BaseModel):
    """Settings that share the first half of their names. Unknown names are refused, values never quoted."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class KafkaSettings(Group):
    """Kafka, the diary."""

    bootstrap_servers: str | None = Field(
        None, description="host:port of running brokers, separated by commas; default: the Kafka that `up` starts"
    )
    lifecycle_partitions: Positive = Field(8, description="partitions of task-lifecycle; never change it afterwards")
    event_partitions: Positive = Field(8, description="partitions of consume-event")
    replication_factor: Positive = Field(1, description="replicas of every topic streamapp creates")
    min_insync_replicas: Positive | None = Field(None, description="default: 2 with three replicas or more, else 1")
    flush_messages: Annotated[int, Field(ge=0)] | None = Field(
        None, description="flush.messages of both topics; default: 1 on a single replica, 0 leaves it to Kafka"
    )
    request_timeout_seconds: Seconds = Field(10, description="one request to a broker")
    session_timeout_seconds: Seconds = Field(8, description="a consumer that is silent for so long has left the group")
    max_record_bytes: Positive = Field(1_048_576, description="largest record written; above payload plus envelope")


class RabbitSettings(Group):
    """RabbitMQ, the work queue."""

    url: SecretStr | None = Field(None, description="AMQP URL; default: the RabbitMQ that `up` starts")
    queue: str = Field("task-execution", description="the queue of every type without a route")
    routes: dict[str, str] = Field(default_factory=dict, description="task type → queue of its own")
    heartbeat_seconds: Positive = Field(10, description="AMQP heartbeat")
    publish_timeout_seconds: Seconds = Field(10, description="a publish not confirmed by then is published again")
    consumer_timeout_seconds: Seconds = Field(1800, description="the broker's consumer_timeout, counted from delivery")


class RedisSettings(Group):
    """Redis, the guard's memory."""

    url: SecretStr | None = Field(None, description="Redis URL; default: the Redis that `up` starts")
    timeout_seconds: Seconds = Field(5, description="one command")


class GuardSettings(Group):
    """The guard: a piece of work takes effect once."""

    lease_seconds: Seconds = Field(10, description="a worker silent for so long has lost its claim")
    retention_seconds: Seconds = Field(7 * 86_400, description="claims are kept so long after the end")
    max_deaths: Positive = Field(3, description="workers that may die running one job alone before it is given up")
    finished_jobs_kept: Positive = Field(1000, description="completed and failed jobs listed in the live job state")


class ApiSettings(Group):
    """The HTTP entrance."""

    host: str = Field("127.0.0.1", description="address the api listens on")
    port: Port = Field(8000, description="port of the api")
    max_batch: Positive = Field(1000, description="tasks in one POST /v1/tasks:batch")
    max_body_bytes: Positive = Field(33_554_432, description="largest request body (a batch)")
    read_timeout_seconds: Seconds = Field(15, description="a request body must have arrived by then: 408")
    append_timeout_seconds: Seconds = Field(3, description="after that without Kafka's ack the outcome is unknown: 503")
    retry_after_seconds: Positive = Field(2, description="Retry-After of a 503")
    allow_unregistered_types: bool = Field(False, description="accept types that no registry knows")
    dashboard_origins: list[Origin] | None = Field(
        None, description="pages that may call the api; default: http://127.0.0.1 and http://localhost, diary's port"
    )


class IngestSettings(Group):
    """The entrance for events."""

    host: str = Field("127.0.0.1", description="address that an ingest that runs alone listens on")
    port: Port = Field(6067, description="health and metrics of an ingest that runs alone")
    allow_unknown_fields: bool = Field(False, description="ignore fields that the event schema does not have")


class DispatchSettings(Group):
    """The outbox and its pump."""

    host: str = Field("127.0.0.1", description="address that a dispatch that runs alone listens on")
    port: Port = Field(6068, description="health and metrics of a dispatch that runs alone")
    window: Positive = Field(200, description="jobs published and confirmed together")
    reconcile_seconds: Seconds = Field(30, description="the outbox is looked through at least so often")
    stuck_margin_seconds: Seconds = Field(20, description="added to timeout and lease before a start counts as lost")
    lost_after_seconds: Seconds = Field(
        120, description="a job is lost if one dispatched so much later to its queue has started"
    )
    settle_seconds: Seconds = Field(10, description="on revocation, how long publishes in flight may take to settle")


class DiarySettings(Group):
    """The diary's web views (Faust's web server)."""

    host: str = Field("127.0.0.1", description="address the views listen on")
    port: Port = Field(6066, description="port of the views")
    advertised_host: str = Field("127.0.0.1", description="under which the other diary processes reach this one")
    forward_timeout_seconds: Seconds = Field(5, description="asking the owner of a task")
    indexed_tasks: Positive = Field(100_000, description="ended tasks of one process that lists reach back to")
    api_url: Annotated[str, Field(pattern=BASE_URL)] | None = Field(
        None, description="the api as browsers reach it, where the dashboard sends requeues; default: its port, here"
    )


class WorkerSettings(Group):
    """The worker."""

    concurrency: Positive = Field(5, description="handlers that run at once")
    prefetch: Positive | None = Field(None, description="jobs held at once; default: twice the concurrency")
    queues: list[str] | None = Field(None, description="queues consumed; default: every queue there is")
    shutdown_grace_seconds: Seconds = Field(30, description="running handlers may take so long to end on SIGTERM")
    cancel_grace_seconds: Seconds = Field(5, description="a handler may take so long to end after its timeout")
    max_result_bytes: Positive = Field(65_536, description="larger results are replaced by size and digest")
    metrics_host: str = Field("127.0.0.1", description="address that the metrics are served on, if they are")
    metrics_port: Port | None = Field(None, description="serves /metrics there; default: the worker has no port")


class TypeOverride(Group):
    """Settings of one task type that replace what its code says."""

    timeout_seconds: Seconds | None = None
    max_attempts: Attempts | None = None
    delay_seconds: Delay | None = None
    multiplier: Multiplier | None = None
    max_delay_seconds: Delay | None = None


class TaskSettings(Group):
    """Task types, their policies, and the modules that define types and handlers."""

    max_payload_bytes: Positive = Field(262_144, description="largest payload, through the whole chain")
    types: list[str] = Field(default_factory=list, description="modules with a TYPES sequence of your own")
    handlers: list[str] = Field(default_factory=list, description="modules with handlers of your own")
    overrides: dict[str, TypeOverride] = Field(default_factory=dict, description="task type → settings of it")
    default_max_attempts: Attempts = Field(3, description="attempts of a type that says nothing else")
    default_delay_seconds: Delay = Field(1.0, description="between the first failure and the second attempt")
    default_multiplier: Multiplier = Field(2.0, description="by which the delay grows with every failure")
    default_max_delay_seconds: Delay = Field(3600, description="the delay grows no further")
    default_timeout_seconds: Seconds = Field(60, description="one run of a handler")
    sealing_key: SecretStr | None = Field(None, description="64 bytes in hex: seals the sensitive fields of payloads")

    @property
    def default_policy(self) -> Policy:
        """The policy of a type that has none of its own."""
        return Policy(
            self.default_max_attempts,
            self.default_delay_seconds,
            self.default_multiplier,
            self.default_max_delay_seconds,
            self.default_timeout_seconds,
        )


class SmtpSettings(Group):
    """The mail server that USER_CREATED hands its welcome e-mail to."""

    host: str = Field("127.0.0.1", description="host of the mail server")
    port: Port = Field(1025, description="port of the mail server")
    sender: str = Field("welcome@streamapp.example", description="address that mails come from")
    username: str | None = Field(None, description="default: no login")
    password: SecretStr | None = Field(None, description="password of the mail server")
    use_tls: bool = Field(False, description="TLS from the first byte; without it STARTTLS is used where offered")
    timeout_seconds: Seconds = Field(10, description="one conversation with the mail server")


class WebhookSettings(Group):
    """WEBHOOK_DELIVERY."""

    signing_secret: SecretStr | None = Field(None, description="HMAC-SHA256 key of the signature header")
    timeout_seconds: Seconds = Field(10, description="one delivery, from connecting to the end of the answer")
    allowed_hosts: list[str] = Field(default_factory=list, description="hosts posted to; default: any")


class BrokerSettings(Group):
    """The brokers that `streamapp up` starts on this machine where no setting names running ones."""

    directory: Path = Field(Path(".streamapp/brokers"), description="data, logs and configuration of the brokers")
    profile: Literal["durable", "fast"] = Field("durable", description="fast: nothing is flushed; for throw-away runs")
    kafka_port: Port = Field(9092, description="port of Kafka")
    kafka_controller_port: Port = Field(9093, description="port of the Kafka controller")
    rabbitmq_port: Port = Field(5672, description="AMQP port of RabbitMQ")
    rabbitmq_distribution_port: Port = Field(25672, description="port of the Erlang distribution")
    epmd_port: Port = Field(4370, description="port of the Erlang port mapper")
    redis_port: Port = Field(6379, description="port of Redis")


class TracingSettings(Group):
    """OpenTelemetry: one trace for each task. Needs the extra `streamapp[tracing]`."""

    endpoint: str | None = Field(
        None, description="OTLP/HTTP collector, for example http://127.0.0.1:4318; default: nothing is traced"
    )
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="share of the traces kept that begin here; a caller's own decision is followed"
    )


class LogSettings(Group):
    """Logs. `auto` is readable text on a terminal and one JSON object a line elsewhere."""

    format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, JSON elsewhere")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least severe lines that are written"
    )

    @property
    def faust_level(self) -> str:
        """`level` as `faust worker -l` wants it."""
        return "warn" if self.level == "WARNING" else self.level.lower()
