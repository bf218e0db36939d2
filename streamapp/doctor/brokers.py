"""RabbitMQ and Redis by themselves: queues and their consumers, Redis's settings, the guard's epoch, the workers.

In: what each broker said. Out: a check each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamapp.doctor.verdicts import Check, Finding, Silent, Verdict, unjudged, verdict_of


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue: messages ready, consumers. `exists` is false for one that nobody has declared."""

    messages: int
    consumers: int
    exists: bool = True


@dataclass(frozen=True, slots=True)
class RedisSays:
    """What Redis said of itself. `faults`: settings that make claims unsafe; `shown`: whether it shows its settings."""

    faults: tuple[str, ...] = ()
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Registered:
    """A worker that was alive a moment ago."""

    worker: str
    running: int
    concurrency: int


def queues(work: Mapping[str, Depth] | Silent, dead_letters: Mapping[str, Depth]) -> Check:
    """Every queue exists and every work queue is consumed; dead letters are worth a look."""
    if isinstance(work, Silent):
        return unjudged("queues", work, "see that RabbitMQ runs and STREAMAPP_RABBITMQ__URL is right")
    found = [
        Finding(f"queue {name} does not exist: run `streamapp setup`; dispatch declares it anew with its next job")
        for name, depth in {**work, **dead_letters}.items()
        if not depth.exists
    ]
    found += [
        Finding(f"no worker takes jobs from {name}")
        for name, depth in work.items()
        if depth.exists and not depth.consumers
    ]
    found += [
        Finding(f"{depth.messages} messages in {name} were no jobs: look at them, then purge it", explained=True)
        for name, depth in dead_letters.items()
        if depth.messages
    ]
    said = [f"{name}: {depth.messages} wait, {depth.consumers} consumers" for name, depth in work.items()]
    return Check("queues", verdict_of(found), "; ".join(said), "do what each line says" if found else "", tuple(found))


def redis(answer: RedisSays | Silent) -> Check:
    """Redis neither evicts nor forgets."""
    if isinstance(answer, Silent):
        return unjudged("redis", answer, "see that Redis runs and STREAMAPP_REDIS__URL is right; workers take nothing")
    if not answer.shown:
        says = "Redis does not show its settings"
        do = "make sure yourself that it runs with maxmemory-policy noeviction and appendonly yes"
        return Check("redis", Verdict.WARNING, says, do)
    found = tuple(Finding(fault) for fault in answer.faults)
    says = "claims are unsafe in it" if found else "it answers, and neither evicts nor forgets"
    return Check("redis", verdict_of(found), says, "set what each line says" if found else "", found)


def epoch(guards: int | Silent | None, newest: int | Silent | None) -> Check:
    """The guard's epoch is there, and not below that of the newest starts, `newest`; None: nothing has started."""
    rebuild = "run `streamapp guard rebuild`: it writes the claims again from the diary"
    if isinstance(guards, Silent):
        return unjudged("epoch", guards)
    if guards is None:
        says = "the guard has no epoch: Redis was flushed or started empty, and no worker runs anything"
        return Check("epoch", Verdict.WRONG, says, rebuild)
    if isinstance(newest, Silent):
        return unjudged("epoch", Silent(f"the guard is in epoch {guards}; {newest.says}"))
    if newest is None:
        return Check("epoch", Verdict.OK, f"{guards}; nothing has started yet")
    if newest > guards:
        says = f"the guard is in epoch {guards}, and tasks have started under {newest}: Redis runs with an old copy"
        return Check("epoch", Verdict.WRONG, says, rebuild)
    then = "that of the newest starts" if newest == guards else f"nothing has started under it yet, only under {newest}"
    return Check("epoch", Verdict.OK, f"{guards}; {then}")


def workers(registered: Sequence[Registered] | Silent) -> Check:
    """At least one worker is registered."""
    if isinstance(registered, Silent):
        return unjudged("workers", registered)
    if not registered:
        return Check("workers", Verdict.WRONG, "no worker is registered: nothing runs", "start one: `streamapp up`")
    busy = sum(worker.running for worker in registered)
    slots = sum(worker.concurrency for worker in registered)
    return Check("workers", Verdict.OK, f"{len(registered)} registered, {busy} of {slots} handlers run")
