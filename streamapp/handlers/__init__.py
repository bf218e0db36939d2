"""What tasks do: handlers bound to task types, run by the worker only.

In: a task's parameters and a Context. Out: a JSON result, or a PermanentFailure or RetryableFailure. Never touches
Kafka, RabbitMQ or Redis. A handler is executed at least once per task; its effect is applied once where the other side
honours `context.idempotency_key`.

    @handles(INVOICE_DUE)
    async def send_invoice(params: InvoiceDue, context: Context) -> Json: ...
"""

from streamapp.domain.errors import PermanentFailure, RetryableFailure
from streamapp.handlers.bind import Handlers, handles
from streamapp.handlers.context import Context, Environment
from streamapp.handlers.environment import open_environment
from streamapp.handlers.handler import Handler

__all__ = [
    "Context",
    "Environment",
    "Handler",
    "Handlers",
    "PermanentFailure",
    "RetryableFailure",
    "handles",
    "open_environment",
]
