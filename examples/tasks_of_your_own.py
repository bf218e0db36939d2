"""A task type and a handler of your own.

    export PYTHONPATH=.
    export STREAMAPP_TASKS__TYPES='["examples.tasks_of_your_own"]'
    export STREAMAPP_TASKS__HANDLERS='["examples.tasks_of_your_own"]'
    streamapp submit INVOICE_DUE '{"invoice": "2025-17", "cents": 4200}'

Type and handler share a module here because they are small. In a larger project keep them apart: api and ingest import
the types only.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Annotated

from pydantic import BaseModel, Field

from streamapp.domain.policy import Policy
from streamapp.handlers import Context, Environment, PermanentFailure, handles
from streamapp.tasktypes import TaskType


class InvoiceDue(BaseModel):
    """Parameters: checked when the task is submitted, and again before the handler sees them."""

    invoice: Annotated[str, Field(min_length=1, max_length=40)]
    cents: int


INVOICE_DUE = TaskType("INVOICE_DUE", InvoiceDue, Policy(max_attempts=5, delay_seconds=2, timeout_seconds=20))
TYPES = (INVOICE_DUE,)


@asynccontextmanager
async def lifespan(environment: Environment) -> AsyncIterator[sqlite3.Connection]:
    """Opened once per worker, closed when it stops; handlers find it as `context.resource`."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)) as ledger:
        ledger.execute("create table due (task text primary key, invoice text, cents integer)")
        yield ledger


@handles(INVOICE_DUE)
async def book(params: InvoiceDue, context: Context) -> dict[str, str]:
    """The key makes the effect happen once, though the handler may run twice."""
    if params.cents <= 0:
        raise PermanentFailure("an invoice must be over more than nothing", error_type="NothingDue")
    row = (context.idempotency_key, params.invoice, params.cents)
    context.resource.execute("insert or ignore into due values (?, ?, ?)", row)
    return {"booked": params.invoice}
