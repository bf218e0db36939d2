"""All settings of a process, and what follows from several of them at once."""

import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streamapp.settings.groups import (
    ApiSettings,
    BrokerSettings,
    DiarySettings,
    DispatchSettings,
    GuardSettings,
    IngestSettings,
    KafkaSettings,
    LogSettings,
    RabbitSettings,
    RedisSettings,
    SmtpSettings,
    TaskSettings,
    TracingSettings,
    WebhookSettings,
    WorkerSettings,
)
from streamapp.wire.names import Names

PREFIX = "STREAMAPP_"

Role = Literal["all", "ingest", "dispatch", "diary"]


class Settings(BaseSettings):
    """All settings, from the environment and the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    role: Role = Field("all", description="what `faust -A streamapp worker` runs")
    instance: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        default_factory=socket.gethostname, description="name of this process in facts and logs"
    )
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,80}$")] = Field(
        "", description="prefix of every topic, queue, key and group: keeps installations apart"
    )
    data_directory: Path = Field(Path(".streamapp/data"), description="tables of the Faust roles")
    failpoints: str = Field(
        "", description="for fault tests only: gap=action[@n] with the actions kill, stop, block:seconds"
    )
    kafka: KafkaSettings = KafkaSettings()
    rabbitmq: RabbitSettings = RabbitSettings()
    redis: RedisSettings = RedisSettings()
    guard: GuardSettings = GuardSettings()
    api: ApiSettings = ApiSettings()
    ingest: IngestSettings = IngestSettings()
    dispatch: DispatchSettings = DispatchSettings()
    diary: DiarySettings = DiarySettings()
    worker: WorkerSettings = WorkerSettings()
    tasks: TaskSettings = TaskSettings()
    smtp: SmtpSettings = SmtpSettings()
    webhook: WebhookSettings = WebhookSettings()
    brokers: BrokerSettings = BrokerSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()

    @property
    def names(self) -> Names:
        """Names of topics, queues and groups."""
        return Names(self.namespace)

    @property
    def queues(self) -> tuple[str, ...]:
        """Every work queue, the default one first, with the namespace in it."""
        short = dict.fromkeys([self.rabbitmq.queue, *self.rabbitmq.routes.values()])
        return tuple(self.names.queue(queue) for queue in short)

    def queue_of(self, type: str) -> str:
        """The queue of a task type, with the namespace in it."""
        return self.names.queue(self.rabbitmq.routes.get(type, self.rabbitmq.queue))

    @property
    def dashboard_origins(self) -> tuple[str, ...]:
        """Origins of the pages that may call the api: those named, or the ones under which the diary serves them."""
        named = self.api.dashboard_origins
        here = (f"http://{host}:{self.diary.port}" for host in ("127.0.0.1", "localhost"))
        return tuple(here if named is None else named)

    @property
    def prefetch(self) -> int:
        """Jobs a worker holds at once."""
        return self.worker.prefetch or 2 * self.worker.concurrency

    @model_validator(mode="after")
    def _sizes_fit(self) -> "Settings":
        if self.tasks.max_payload_bytes * 2 > self.kafka.max_record_bytes:
            raise ValueError(
                f"{PREFIX}TASKS__MAX_PAYLOAD_BYTES must be at most half of {PREFIX}KAFKA__MAX_RECORD_BYTES, "
                "or a table record with payload and history could not be written"
            )
        return self

    @property
    def api_url(self) -> str:
        """The api as browsers reach it: the one named, or the port of the api on this machine."""
        return self.diary.api_url or f"http://127.0.0.1:{self.api.port}"

    @property
    def bootstrap_servers(self) -> str:
        """Kafka: the one named, or the one that `up` starts."""
        return self.kafka.bootstrap_servers or f"127.0.0.1:{self.brokers.kafka_port}"

    @property
    def rabbitmq_url(self) -> str:
        """RabbitMQ: the one named, or the one that `up` starts. Holds a password: never log it."""
        named = self.rabbitmq.url
        return named.get_secret_value() if named else f"amqp://guest:guest@127.0.0.1:{self.brokers.rabbitmq_port}/"

    @property
    def redis_url(self) -> str:
        """Redis: the one named, or the one that `up` starts. May hold a password: never log it."""
        named = self.redis.url
        return named.get_secret_value() if named else f"redis://127.0.0.1:{self.brokers.redis_port}/0"
