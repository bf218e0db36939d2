"""The names of everything that is shared between processes. A namespace keeps two installations apart."""

from dataclasses import dataclass

DEAD_LETTER_SUFFIX = ".dead-letter"


@dataclass(frozen=True, slots=True)
class Names:
    """Names under `namespace` (empty: the plain names of the documentation)."""

    namespace: str = ""

    def _name(self, name: str) -> str:
        return f"{self.namespace}-{name}" if self.namespace else name

    @property
    def lifecycle_topic(self) -> str:
        """The diary: every fact of every task."""
        return self._name("task-lifecycle")

    @property
    def events_topic(self) -> str:
        """The entrance for events of other producers."""
        return self._name("consume-event")

    @property
    def exchange(self) -> str:
        """The RabbitMQ exchange that jobs are published to, routed by queue name."""
        return self._name("streamapp.jobs")

    @property
    def dead_letter_exchange(self) -> str:
        """Where rejected jobs go: an operational tool, never the record of a failure."""
        return self._name("streamapp.dead-letters")

    def queue(self, queue: str) -> str:
        """A work queue by its short name."""
        return self._name(queue)

    def dead_letter_queue(self, queue: str) -> str:
        """The dead-letter queue of a work queue."""
        return self._name(queue) + DEAD_LETTER_SUFFIX

    @property
    def guard_prefix(self) -> str:
        """Prefix of every Redis key."""
        return self._name("streamapp") + ":"

    def app_id(self, role: str) -> str:
        """Faust app id, and so consumer group and changelog prefix: `all` together is plain `streamapp`."""
        return self._name("streamapp" if role == "all" else f"streamapp-{role}")
