"""Names of the guard's Redis keys, all under one prefix."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys under `prefix`, which ends with a separator."""

    prefix: str

    @property
    def epoch(self) -> str:
        """Counts rebuilds. Missing: this Redis has forgotten, and nothing may run."""
        return f"{self.prefix}epoch"

    @property
    def highest_epoch(self) -> str:
        """The highest epoch that was ever set here; stays while the epoch itself is missing."""
        return f"{self.prefix}epoch:highest"

    @property
    def rebuilds(self) -> str:
        """Sorted set of the rebuilds under way by the time in milliseconds at which they began."""
        return f"{self.prefix}rebuilds"

    def task(self, task_id: str) -> str:
        """Hash: the last claim of a task and what became of it."""
        return f"{self.prefix}task:{task_id}"

    def jobs(self, state: str) -> str:
        """Sorted set of `taskId:attempt` by time in milliseconds: one live job state."""
        return f"{self.prefix}jobs:{state}"

    @property
    def workers(self) -> str:
        """Sorted set of worker ids by the time in milliseconds at which their registration lapses."""
        return f"{self.prefix}workers"

    def worker(self, worker: str) -> str:
        """Hash: one worker's registration."""
        return f"{self.prefix}worker:{worker}"
