"""What a handler is told besides its parameters, and what it may use. Values only; nothing here acts."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession

from streamapp.clock import Clock
from streamapp.settings import SmtpSettings, WebhookSettings
from streamapp.telemetry import Log


@dataclass(frozen=True, slots=True)
class Environment:
    """What is opened once per worker and shared by all its handlers.

    Attributes:
        smtp: the mail server.
        webhook: how webhooks are signed.
        http: a client session; use it rather than opening one per task.
        threads: where handlers that are plain functions run.
        clock: the time.
        resources: what each handler module's `lifespan` yielded, by module name.
    """

    smtp: SmtpSettings
    webhook: WebhookSettings
    http: ClientSession
    threads: Executor
    clock: Clock
    resources: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """One attempt of one task, as its handler sees it.

    Attributes:
        task_id: the task.
        attempt: 1 for the first; another worker may be given the same attempt again after a crash.
        type: the task's type.
        idempotency_key: the same for every attempt of the task: hand it to whatever the handler changes, so that the
            effect is applied once though the handler is executed at least once.
        redelivered: the broker has handed this job out before; the effect may have happened.
        log: writes lines that carry the task's id and attempt. Payloads do not belong there.
        environment: what the worker has opened for its handlers.
        resource: what the `lifespan` of the handler's own module yielded; None without one.
    """

    task_id: str
    attempt: int
    type: str
    idempotency_key: str
    redelivered: bool
    log: Log
    environment: Environment
    resource: Any = None
