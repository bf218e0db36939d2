"""Task types of the fault suite: every way in which a task may go, in the mix that the clients send.

Handlers are in `handlers`; they write what they do into a ledger outside the system.
"""

from collections.abc import Mapping

from pydantic import BaseModel

from streamapp.domain.policy import Policy
from streamapp.tasktypes import TaskType

FAST = Policy(max_attempts=3, delay_seconds=0.2, timeout_seconds=20)


class Payload(BaseModel):
    """`note` makes payloads differ."""

    note: str


OK = TaskType("FAULT_OK", Payload, FAST)
FLAKY = TaskType("FAULT_FLAKY", Payload, FAST, description="fails the first time")
FAILING = TaskType("FAULT_FAILING", Payload, FAST, description="fails every time")
REFUSED = TaskType("FAULT_REFUSED", Payload, FAST, description="fails once and is not to be tried again")
SLOW = TaskType("FAULT_SLOW", Payload, FAST, description="runs for longer than a lease")
DEADLY = TaskType("FAULT_DEADLY", Payload, FAST, description="kills its worker, every time")

TYPES = (OK, FLAKY, FAILING, REFUSED, SLOW, DEADLY)
"""What `STREAMAPP_TASKS__TYPES` asks for."""

MIX: Mapping[str, float] = {OK.name: 73, FLAKY.name: 15, FAILING.name: 5, REFUSED.name: 5, SLOW.name: 2}
"""Type → share of the load. Deadly tasks come in ones, from the test that wants them."""
