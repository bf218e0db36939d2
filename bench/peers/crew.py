"""The processes of one peer together: started, warmed up, measured over a run of tasks, ended, and cleaned up after.

One of them is the producer: it publishes on command and deletes in the end what the run has left in the brokers. One
of them, the same or another, is the finisher: it says when the last task is done. Times are of the machine's monotonic
clock, which all processes share.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.peers.child import Child, Usage, all_stopped
from bench.peers.environment import ROOT
from bench.peers.peer import Endpoints, Measured, PeerFailed, quantiles

READY_SECONDS = 90.0
FORGET_SECONDS = 60.0
LEAST_TASKS_PER_SECOND = 50
"""A run that is slower than this is given up."""

WARM_TASKS = 100
"""Run before anything is measured: connections are open then, and what is compiled or imported late has been."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process: the part it plays, and its command."""

    name: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True)
class Crew:
    """What a peer runs as.

    Attributes:
        folder: the peer's.
        parts: in the order in which they are started; the last one is the producer.
        finisher: name of the part that says when all is done.
        settings: handed to every part, besides the brokers' addresses and the name of the run.
        preloaded: publish everything first, and only then let the part that is called `gate` begin.
        gate: the part that waits for the word to begin; by default there is none.
    """

    folder: Path
    parts: Sequence[Part]
    finisher: str
    settings: dict[str, object] = field(default_factory=dict)
    preloaded: bool = False
    gate: str | None = None

    def end_to_end(self, endpoints: Endpoints, tasks: int) -> Measured:
        """Run `tasks` no-op tasks. Raises PeerFailed."""
        with self._running(endpoints) as children:
            before = {name: child.usage() for name, child in children.items()}
            published, done = self._work(children, tasks, {"do": "publish", "tasks": tasks})
            after = {name: child.usage() for name, child in children.items()}
        first = float(done["first_at"] if self.preloaded else published["first_at"])
        return _measured(before, after, tasks, first, published, done)

    def latency(self, endpoints: Endpoints, per_second: int, seconds: int) -> dict[str, float]:
        """Publish at a fixed rate whatever comes back, and take every task's time until its handler began.

        The time runs from the instant that the schedule names, so that a producer that falls behind is not flattered;
        a timer's millisecond is forgiven. Raises PeerFailed.
        """
        tasks = per_second * seconds
        with self._running(endpoints) as children:
            command = {"do": "pace", "per_second": per_second, "seconds": seconds, "tasks": tasks}
            published, done = self._work(children, tasks, command, extra=seconds)
        late = quantiles([1000 * value for value in published["late"]])
        found = quantiles([1000 * value for value in done["latencies"]])
        return {**found, "tasks": float(len(done["latencies"])), "late_p99_ms": late["p99_ms"]}

    def _work(
        self, children: dict[str, Child], tasks: int, command: dict[str, Any], extra: float = 0.0
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        seconds = 30.0 + extra + tasks / LEAST_TASKS_PER_SECOND
        producer, finisher = list(children.values())[-1], children[self.finisher]
        if finisher is not producer:
            finisher.tell(do="count", tasks=tasks)
            finisher.expect("counting", READY_SECONDS)
        if self.gate is not None and not self.preloaded:
            self._open(children)
        producer.tell(**command)
        published = producer.expect("published", seconds)
        opened = self._open(children) if self.gate is not None and self.preloaded else None
        done = finisher.expect("done", seconds)
        return published, done if opened is None else {**done, "first_at": opened["at"]}

    def _open(self, children: dict[str, Child]) -> dict[str, Any]:
        assert self.gate is not None
        children[self.gate].tell(do="begin")
        return children[self.gate].expect("begun", READY_SECONDS)

    @contextmanager
    def _running(self, endpoints: Endpoints) -> Iterator[dict[str, Child]]:
        """The parts, ready and warm."""
        settings = {
            "run": f"bench-{secrets.token_hex(6)}",
            "kafka": endpoints.kafka,
            "rabbitmq_url": endpoints.rabbitmq_url,
            "redis_url": endpoints.redis_url,
            "topic_settings": {"flush.messages": str(endpoints.flush_messages)} if endpoints.flush_messages else {},
            **self.settings,
        }
        children: dict[str, Child] = {}
        broken = True
        environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            for part in self.parts:
                children[part.name] = Child(part.name, part.command, settings, self.folder, environment)
            for child in children.values():
                child.expect("ready", READY_SECONDS)
            if not self.preloaded:
                self._work(children, WARM_TASKS, {"do": "publish", "tasks": WARM_TASKS})
            yield children
            broken = False
        finally:
            # What broke it is to be seen, not what else could not be done then.
            with suppress(PeerFailed) if broken else nullcontext():
                _end(list(children.values()))


def _end(children: list[Child]) -> None:
    """Stop all, the producer last: it deletes what the run has left once nobody uses it any more."""
    if not children:
        return
    *others, producer = children
    with all_stopped([producer]):
        with all_stopped(others):
            pass
        producer.tell(do="forget")
        producer.expect("forgotten", FORGET_SECONDS)


def _measured(
    before: dict[str, Usage],
    after: dict[str, Usage],
    tasks: int,
    first_at: float,
    published: dict[str, Any],
    done: dict[str, Any],
) -> Measured:
    seconds = float(done["last_at"]) - first_at
    if seconds <= 0:
        raise PeerFailed(f"the last task was done {seconds:.3f} s after the first was enqueued: no such thing")
    details = {"tasks": float(tasks), "seconds": seconds}
    details["published_seconds"] = float(published["last_at"]) - float(published["first_at"])
    cpu = rss = 0.0
    for name, usage in after.items():
        used = usage.cpu_seconds - before[name].cpu_seconds
        details[f"{name}_cpu_seconds_per_1000"] = used * 1000 / tasks
        details[f"{name}_peak_rss_mib"] = usage.rss_mib
        cpu, rss = cpu + used, rss + usage.rss_mib
    return Measured(tasks / seconds, cpu * 1000 / tasks, rss, details)
