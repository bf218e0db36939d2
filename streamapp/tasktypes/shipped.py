"""The task types that come with streamapp."""

from typing import Annotated, Any

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field

from streamapp.domain.policy import Policy
from streamapp.tasktypes.registry import TaskType


class UserCreated(BaseModel):
    """Payload of USER_CREATED. A missing address is no error here: the task fails for good, and says so."""

    model_config = ConfigDict(extra="allow")

    userId: str | None = None  # noqa: N815 - the name in the payload
    email: Annotated[str, Field(max_length=320)] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None


class WebhookDelivery(BaseModel):
    """Payload of WEBHOOK_DELIVERY: `body` is posted to `url` as signed JSON."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[AnyHttpUrl, Field(description="http or https")]
    body: dict[str, Any]
    event: Annotated[str, Field(max_length=100)] = "task"


USER_CREATED = TaskType(
    "USER_CREATED", UserCreated, Policy(timeout_seconds=30), description="sends a welcome e-mail to payload.email"
)
WEBHOOK_DELIVERY = TaskType(
    "WEBHOOK_DELIVERY", WebhookDelivery, Policy(timeout_seconds=15), description="posts payload.body to payload.url"
)

TYPES = (USER_CREATED, WEBHOOK_DELIVERY)
