"""Guards of many workers on one real Redis, under a prefix of their own."""

from typing import Any

from uuid_utils import uuid7

from streamapp.guard import Guard

LEASE_SECONDS = 0.6


class Workers:
    """Guards of many workers on one Redis, under one prefix."""

    def __init__(self, url: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self.url, self.prefix, self.lease_seconds = url, f"test-{uuid7()}:", lease_seconds
        self._guards: list[Guard] = []

    def guard(self, worker: str, **changes: Any) -> Guard:
        """A guard that renews nothing until it is started."""
        terms: dict[str, Any] = {
            "lease_seconds": self.lease_seconds,
            "retention_seconds": 3600,
            "max_deaths": 3,
            "finished_jobs_kept": 100,
            "timeout_seconds": 1,
        }
        guard = Guard(self.url, prefix=self.prefix, worker=worker, **{**terms, **changes})
        self._guards.append(guard)
        return guard

    async def close(self) -> None:
        for guard in self._guards:
            await guard.stop()
