"""What RabbitMQ and Redis say of workers at this moment. No fact tells it, so no view has it.

In: settings. Out: queues with their consumers, workers that have registered themselves, and who did not answer.
"""

from typing import Any, NamedTuple

from streamapp.cli.setup import workers
from streamapp.domain.errors import Unavailable
from streamapp.queue import depth
from streamapp.settings import Settings


class Live(NamedTuple):
    """Queues by name with `messages` and `consumers`; registered workers; a line for each broker that is silent."""

    queues: dict[str, dict[str, int]]
    registered: list[dict[str, Any]]
    problems: list[str]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"registered": self.registered, "queues": self.queues, "problems": self.problems}


async def live(settings: Settings) -> Live:
    """Ask both. Who does not answer is named in `problems`."""
    told = Live({}, [], [])
    try:
        found = await depth(settings.rabbitmq_url, settings.queues)
        told.queues.update(
            {name: {"messages": item.messages, "consumers": item.consumers} for name, item in found.items()}
        )
    except Unavailable as error:
        told.problems.append(str(error))
    try:
        told.registered.extend(await workers(settings))
    except Unavailable as error:
        told.problems.append(str(error))
    return told
