"""Waiting for something to become true, always with a deadline and never by a bare sleep."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(
    condition: Callable[[], Awaitable[T]], seconds: float = 30.0, what: str = "", every: float = 0.05
) -> T: ...


@overload
async def until(condition: Callable[[], T], seconds: float = 30.0, what: str = "", every: float = 0.05) -> T: ...


async def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "", every: float = 0.05) -> Any:
    """Ask until the answer is true, and return it.

    Raises:
        AssertionError: it was not within `seconds`; says what was waited for and the last answer.
    """
    answer: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                asked = condition()
                answer = await asked if inspect.isawaitable(asked) else asked
                if answer:
                    return answer
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what or condition}; last answer: {answer!r}") from None
