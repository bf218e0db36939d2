"""Refuses to dispatch beside another dispatch group on the same diary.

Roles may run together or apart, each way under an app id of its own. Two of them dispatching at once would publish
everything twice; the guard makes that harmless, but it is a mistake and is refused with an error.
"""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp.domain.errors import ConfigurationError
from streamapp.settings import Role, Settings
from streamapp.stream.resident import Resident
from streamapp.telemetry import describe, get_log

log = get_log(__name__)

PAUSE_SECONDS = 0.5
DISPATCHING: tuple[Role, ...] = ("all", "dispatch")


class SoleDispatcher(Resident):
    """Checks once, when the app starts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._others = [settings.names.app_id(role) for role in DISPATCHING if role != settings.role]

    async def start(self) -> None:
        """Wait for a former dispatcher's session to end, and refuse if it does not.

        Raises:
            ConfigurationError: another dispatch group has members.
        """
        patience = round((self._settings.kafka.session_timeout_seconds + 5) / PAUSE_SECONDS)
        while (busy := await self._busy()) is None or (busy and patience > 0):
            if busy:
                patience -= 1
                log.warning("another dispatch group has members, waiting for it to leave", groups=busy)
            await asyncio.sleep(PAUSE_SECONDS)
        if not busy:
            return
        raise ConfigurationError(
            f"the consumer group {', '.join(busy)} dispatches from this diary already: stop it first, "
            f"or run this process with another STREAMAPP_ROLE"
        )

    async def _busy(self) -> list[str] | None:
        """The other groups that have members; None if Kafka does not say."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.bootstrap_servers)
        try:
            await admin.start()
            responses = await admin.describe_consumer_groups(self._others)
        except (KafkaError, OSError) as error:
            log.warning("consumer groups cannot be described yet", error=describe(error))
            return None
        finally:
            await admin.close()
        return [group[1] for response in responses for group in response.groups if group[5]]
