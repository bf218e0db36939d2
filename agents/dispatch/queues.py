"""How far each queue has moved on, by the broker's time: what tells that a job must have been lost on its way."""

from collections.abc import Iterable

CLOCK_MS = 1_000
"""What is dispatched this much later than now was dispatched by a clock that has been set back since."""


class Queues:
    """By queue, the latest dispatch of a job that is known to have started."""

    def __init__(self) -> None:
        self._started_up_to: dict[str, int] = {}

    def started(self, started: Iterable[tuple[str, int]], now_ms: int) -> None:
        """Jobs have started: (queue, broker's time of their dispatch). `now_ms` is the broker's time too.

        Race: the broker's clock may have been set back since a job was dispatched. Its time lies ahead then, and would
        make everything that is dispatched from now on seem to have been overtaken.
        """
        for queue, dispatched_at in started:
            if dispatched_at <= now_ms + CLOCK_MS:
                self._started_up_to[queue] = max(dispatched_at, self.started_up_to(queue))

    def started_up_to(self, queue: str | None) -> int:
        """The broker's time of that dispatch; 0 if none is known."""
        return self._started_up_to.get(queue or "", 0)

    def forget(self) -> None:
        """The clock was wrong: what was heard until now cannot be compared with what comes."""
        self._started_up_to.clear()
