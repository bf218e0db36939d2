"""What the facts say of a worker: since when it is known, how much it has done, and how it ended."""

from dataclasses import dataclass, field

MAX_WORKERS = 1000
"""So many workers are kept for each partition: those that were seen last."""

RECENT_MINUTES = 10


@dataclass(slots=True)
class Worker:
    """One worker process. Times are the broker's; `offset` is that of the last fact it is named in.

    `recent` counts attempts that ended, by minute, for the last `RECENT_MINUTES` minutes in which it was active.
    """

    worker: str
    first_seen_at: int
    last_seen_at: int
    offset: int
    last_started_at: int | None = None
    started: int = 0
    completed: int = 0
    failed: int = 0
    recent: dict[int, int] = field(default_factory=dict)

    def ended(self, minute: int) -> None:
        """Count an attempt that ended in `minute`."""
        recent = self.recent
        if minute in recent:
            recent[minute] += 1
            return
        recent[minute] = 1
        for old in [known for known in recent if known <= minute - RECENT_MINUTES]:
            del recent[old]

    def join(self, other: "Worker") -> None:
        """Add what the facts of another partition say of the same worker."""
        self.first_seen_at = min(self.first_seen_at, other.first_seen_at)
        self.last_seen_at = max(self.last_seen_at, other.last_seen_at)
        if other.last_started_at is not None:
            self.last_started_at = max(self.last_started_at or 0, other.last_started_at)
        self.started += other.started
        self.completed += other.completed
        self.failed += other.failed
        for minute, number in other.recent.items():
            self.recent[minute] = self.recent.get(minute, 0) + number

    @property
    def failure_rate(self) -> float | None:
        """The share of its attempts that failed; None if none has ended."""
        ended = self.completed + self.failed
        return self.failed / ended if ended else None


def copied(worker: Worker) -> Worker:
    """An independent copy."""
    return Worker(
        worker.worker,
        worker.first_seen_at,
        worker.last_seen_at,
        worker.offset,
        worker.last_started_at,
        worker.started,
        worker.completed,
        worker.failed,
        dict(worker.recent),
    )
