"""Broken messages in the work queue under load: dead-lettered, never fatal, and their neighbours notice nothing."""

from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest

from streamapp.domain.facts import TaskExecutionStarted
from streamapp.domain.progress import State
from streamapp.queue import depth
from streamapp.wire import jobs
from streamapp.wire.jobs import Job
from tests.faults.arena import Arena
from tests.faults.judge import judge
from tests.faults.poison.broken_jobs import STRANGE, broken_messages
from tests.faults.poison.broken_json import CANARY
from tests.faults.poison.foreign_client import digest, publish, taken_out
from tests.faults.poison.reporting import count_families
from tests.support.waiting import until

SEED = 20_261_124
COUNT, HEAVY, COPIES = 2_000, 3, 100
FAULT = "broken messages in the work queue"
DEAD_LETTERED = "not a job: dead-lettered"


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_broken_messages_in_the_work_queue(ring: Arena) -> None:
    url, names = ring.brokers.endpoints.rabbitmq_url, ring.made.names
    queue, dead = names.queue("task-execution"), names.dead_letter_queue("task-execution")
    chance = Random(SEED)
    messages = broken_messages(chance, "broken", COUNT, HEAVY)
    await ring.busy(completions=COPIES)
    copies = _copies(ring, chance)
    mixed = [*((message.body, message.properties) for message in messages), *copies]
    chance.shuffle(mixed)

    async def dead_lettered() -> bool:
        return (await depth(url, [dead]))[dead].messages >= COUNT

    async with ring.fault(FAULT, "poison") as incident:
        await publish(url, queue, mixed)
        await until(dead_lettered, 60, "every broken message is dead-lettered", every=0.3)
        incident.injected = len(mixed)
    families = Counter(message.family for message in messages)
    count_families(ring, FAULT, families + Counter({"a copy of a job that is done": len(copies)}))
    verdict = await judge(ring)
    assert verdict.findings == []
    assert await taken_out(url, dead) == Counter(digest(message.body) for message in messages)
    assert (await depth(url, [queue]))[queue].messages == 0
    workers = [member.process for member in ring.members.of("worker")]
    assert sum(len(process.lines(DEAD_LETTERED)) for process in workers) == COUNT
    assert not [fact.task_id for fact in ring.witness.facts_of(TaskExecutionStarted) if fact.redelivered]
    assert "runs beyond the first of an attempt" not in verdict.counts
    assert ring.members.deaths.total() == 0
    troubles = {name: member.process.troubles(DEAD_LETTERED) for name, member in ring.members.by_name.items()}
    assert troubles == {name: [] for name in troubles}
    assert not [process.name for process in workers if CANARY in process.text()]


def _copies(ring: Arena, chance: Random) -> list[tuple[bytes, Mapping[str, bytes]]]:
    """Jobs of tasks that have ended, once more, with properties that nobody can read: they are acked and not run."""
    ended = [task for task in ring.witness.tasks.values() if task.state is State.COMPLETED][:COPIES]
    found: list[tuple[bytes, Mapping[str, bytes]]] = []
    for task in ended:
        job = Job(task.task_id, task.progress.attempt, str(task.type), task.payload, 20.0)
        found.append((jobs.encode(job), chance.choice(list(STRANGE.values()))))
    return found
