"""Handlers of the fault suite. Each run leaves a line when it begins and a line when its effect is made."""

import asyncio

from streamapp.handlers import Context, PermanentFailure, handles
from tests.faults.load.ledger import note
from tests.faults.load.types import FAILING, FLAKY, OK, REFUSED, SLOW, Payload

SLOW_SECONDS = 2.5


class NotThisTimeError(Exception):
    """A failure that the next attempt may not have."""


@handles(OK)
async def succeed(params: Payload, context: Context) -> dict[str, str]:
    """Make the effect."""
    note(context, "begin")
    await asyncio.sleep(0.005)
    note(context, "end")
    return {"note": params.note}


@handles(FLAKY)
async def fail_first(params: Payload, context: Context) -> dict[str, str]:
    """Fail at the first attempt, make the effect at the second one."""
    note(context, "begin")
    if context.attempt == 1:
        raise NotThisTimeError(params.note)
    note(context, "end")
    return {"note": params.note}


@handles(FAILING)
async def fail(params: Payload, context: Context) -> None:
    """Fail, always."""
    note(context, "begin")
    raise NotThisTimeError(params.note)


@handles(REFUSED)
async def refuse(params: Payload, context: Context) -> None:
    """Fail for good."""
    note(context, "begin")
    raise PermanentFailure(params.note)


@handles(SLOW)
async def dawdle(params: Payload, context: Context) -> dict[str, str]:
    """Take longer than a lease."""
    note(context, "begin")
    await asyncio.sleep(SLOW_SECONDS)
    note(context, "end")
    return {"note": params.note}
