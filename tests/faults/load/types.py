"""Task types of the fault suite: every way in which a task may go, in the mix that the clients send.

Handlers are in `handlers` and `misbehaving`; they write what they do into a ledger outside the system.
"""

from collections.abc import Mapping

from pydantic import BaseModel

from streamapp.domain.policy import Policy
from streamapp.tasktypes import TaskType

FAST = Policy(max_attempts=3, delay_seconds=0.2, timeout_seconds=20)
ONCE = Policy(max_attempts=1, timeout_seconds=2)
"""One attempt, and not long."""


class Payload(BaseModel):
    """`note` makes payloads differ."""

    note: str


OK = TaskType("FAULT_OK", Payload, FAST)
FLAKY = TaskType("FAULT_FLAKY", Payload, FAST, description="fails the first time")
FAILING = TaskType("FAULT_FAILING", Payload, FAST, description="fails every time")
REFUSED = TaskType("FAULT_REFUSED", Payload, FAST, description="fails once and is not to be tried again")
SLOW = TaskType("FAULT_SLOW", Payload, FAST, description="runs for longer than a lease")

DEADLY = TaskType("FAULT_DEADLY", Payload, FAST, description="kills its worker, every time")
DEADLY_ONCE = TaskType("FAULT_DEADLY_ONCE", Payload, FAST, description="ends its worker's process, the first time")
LEAVING = TaskType("FAULT_LEAVING", Payload, ONCE, description="raises SystemExit")
GREEDY = TaskType("FAULT_GREEDY", Payload, ONCE, description="eats memory until there is none")
LATE = TaskType("FAULT_LATE", Payload, ONCE, description="runs past its timeout")
STUBBORN = TaskType("FAULT_STUBBORN", Payload, ONCE, description="ignores its cancellation for a while")
BLOCKING = TaskType("FAULT_BLOCKING", Payload, ONCE, description="blocks the event loop past its timeout and its lease")
LOUD = TaskType("FAULT_LOUD", Payload, ONCE, description="raises something unpicklable with a message of 1 MB")

MISBEHAVING = (DEADLY, DEADLY_ONCE, LEAVING, GREEDY, LATE, STUBBORN, BLOCKING, LOUD)
TYPES = (OK, FLAKY, FAILING, REFUSED, SLOW, *MISBEHAVING)
"""What `STREAMAPP_TASKS__TYPES` asks for."""

MIX: Mapping[str, float] = {OK.name: 73, FLAKY.name: 15, FAILING.name: 5, REFUSED.name: 5, SLOW.name: 2}
"""Type → share of the load. Misbehaving tasks come in ones, from the test that wants them."""
