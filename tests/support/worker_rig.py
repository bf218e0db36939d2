"""Real worker processes on real brokers, and what a test sees of them: marks of handlers, facts in Kafka, the queue."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr
from uuid_utils import uuid7

from streamapp.domain.facts import AnyFact, TaskExecutionCompleted, TaskExecutionFailed, TaskExecutionStarted
from streamapp.guard import Guard
from streamapp.queue import JobPublisher, depth, ensure
from streamapp.settings import KafkaSettings, RabbitSettings, RedisSettings, Settings
from streamapp.wire import facts
from streamapp.wire.jobs import Job
from tests.support.brokers import RunningBrokers

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 45.0


async def eventually(condition: Callable[[], Awaitable[Any] | Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true answer of `condition`, asked again and again until a deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {condition}")
        await asyncio.sleep(0.05)


@dataclass
class WorkerProcess:
    """One `python -m streamapp.worker.service`."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def exit_code(self, seconds: float = PATIENCE_SECONDS) -> int:
        await eventually(lambda: self.process.poll() is not None, seconds)
        return int(self.process.returncode)


@dataclass
class Rig:
    """Names of its own on shared brokers."""

    settings: Settings
    directory: Path
    publisher: JobPublisher
    guard: Guard
    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def queue(self) -> str:
        return self.settings.queues[0]

    def start_worker(self, **environment: str) -> WorkerProcess:
        settings = self.settings
        log_file = self.directory / f"worker-{len(self.workers)}.log"
        values = {
            "NAMESPACE": settings.namespace,
            "INSTANCE": f"w{len(self.workers)}",
            "KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "RABBITMQ__URL": settings.rabbitmq_url,
            "REDIS__URL": settings.redis_url,
            "GUARD__LEASE_SECONDS": "1.5",
            "TASKS__TYPES": '["tests.support.worker_types"]',
            "TASKS__HANDLERS": '["tests.support.worker_handlers"]',
            "LOG__FORMAT": "json",
            **environment,
        }
        plain = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streamapp.worker.service"],
                cwd=ROOT,
                env={**plain, **{f"STREAMAPP_{name}": value for name, value in values.items()}},
                stdout=log,
                stderr=log,
            )
        worker = WorkerProcess(process, log_file)
        self.workers.append(worker)
        return worker

    async def publish(self, task_id: str, type: str = "HOLD", attempt: int = 1, timeout_seconds: float = 60) -> None:
        job = Job(task_id, attempt, type, {"directory": str(self.directory)}, timeout_seconds)
        await self.publisher.publish(self.queue, job)

    def go(self) -> None:
        """Let the handlers end."""
        (self.directory / "go").touch()

    def marks(self, what: str, task_id: str = "") -> list[str]:
        return sorted(path.name for path in self.directory.glob(f"{what}-{task_id}*"))

    async def messages(self) -> int:
        """Jobs on the queue that nobody holds."""
        return (await depth(self.settings.rabbitmq_url, [self.queue]))[self.queue].messages

    async def history(self, task_id: str) -> list[AnyFact]:
        """The task's facts in the topic, in order."""
        return [fact for fact in await self.facts() if fact.task_id == task_id]

    async def facts(self) -> list[AnyFact]:
        topic = self.settings.names.lifecycle_topic
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.bootstrap_servers)
        await consumer.start()
        try:
            partition = TopicPartition(topic, 0)
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            consumer.seek(partition, 0)
            found: list[AnyFact] = []
            while await consumer.position(partition) < end:
                batches = await consumer.getmany(partition, timeout_ms=1000)
                found += [facts.decode(record.key, record.value) for record in batches.get(partition, [])]
            return found
        finally:
            await consumer.stop()

    async def outcome(self, task_id: str) -> TaskExecutionCompleted | TaskExecutionFailed:
        """The first outcome of the task, as soon as there is one."""

        async def look() -> list[TaskExecutionCompleted | TaskExecutionFailed]:
            ended = (TaskExecutionCompleted, TaskExecutionFailed)
            return [fact for fact in await self.history(task_id) if isinstance(fact, ended)]

        ended: list[TaskExecutionCompleted | TaskExecutionFailed] = await eventually(look)
        return ended[0]

    async def starts(self, task_id: str) -> list[TaskExecutionStarted]:
        return [fact for fact in await self.history(task_id) if isinstance(fact, TaskExecutionStarted)]


@asynccontextmanager
async def worker_rig(brokers: RunningBrokers) -> AsyncIterator[Rig]:
    """A topic, a queue and a guard of the test's own; workers that it started are killed afterwards."""
    endpoints = brokers.endpoints
    settings = Settings(
        namespace=f"t{uuid7().hex[-12:]}",
        kafka=KafkaSettings(bootstrap_servers=endpoints.kafka),
        rabbitmq=RabbitSettings(url=SecretStr(endpoints.rabbitmq_url)),
        redis=RedisSettings(url=SecretStr(endpoints.redis_url)),
    )
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamapp-worker-")))
        await _create_topic(settings)
        await ensure(settings.rabbitmq_url, settings.names, settings.queues)
        publisher = JobPublisher(settings.rabbitmq_url, settings.names, settings.queues)
        await publisher.start()
        stack.push_async_callback(publisher.close)
        await publisher.wait_connected()
        guard = _guard(settings)
        stack.push_async_callback(guard.stop)
        await guard.rebuild([], 1)
        rig = Rig(settings, directory, publisher, guard)
        stack.callback(_kill, rig)
        yield rig


def _kill(rig: Rig) -> None:
    for worker in rig.workers:
        if worker.process.poll() is None:
            worker.signal(signal.SIGCONT)
            worker.process.kill()
            worker.process.wait()


def _guard(settings: Settings) -> Guard:
    return Guard(
        settings.redis_url,
        prefix=settings.names.guard_prefix,
        worker="test",
        lease_seconds=5,
        retention_seconds=3600,
        max_deaths=3,
        finished_jobs_kept=100,
        timeout_seconds=5,
    )


async def _create_topic(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        configs = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(settings.names.lifecycle_topic, 1, 1, topic_configs=configs)])
    finally:
        await admin.close()
