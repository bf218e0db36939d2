"""A prepared history, told to two diary processes."""

from collections.abc import AsyncIterator

import pytest

from streamapp.domain.facts import Recorded
from streamapp.domain.policy import Policy
from tests.support.memory_diary import Cluster, SetClock, cluster
from tests.support.story import START, Story

NOW = START + 600_000
"""When the questions are asked: ten minutes after the first fact."""


def lives() -> list[Story]:
    """Tasks that completed, failed, were given up, wait, run, are stuck, contradict themselves, were refused."""
    told = []
    for number in range(40):
        story = Story(f"task-{number}", Policy(max_attempts=2))
        worker = f"w{number % 3}"
        kind = number % 10
        story.accepted({"n": number}, type=["EMAIL", "HOOK"][number % 2])
        if kind == 0:  # waits in the outbox
            told.append(story)
            continue
        story.dispatched()
        if kind == 1:  # waits in the queue
            told.append(story)
            continue
        story.started(worker=worker)
        if kind == 2:  # runs
            told.append(story)
            continue
        if kind in (3, 4):
            story.failed(worker=worker)
            story.retry_scheduled(not_before=NOW + number * 1000)
            if kind == 4:  # failed for good
                story.dispatched(2)
                story.started(2, 2, worker=worker)
                story.failed(2, 2, worker=worker)
                story.failed_permanently(2)
            told.append(story)
            continue
        story.completed(worker=worker, result={"n": number})
        if kind == 5:  # a second worker says otherwise
            story.failed(claim=2, worker="w9")
        if kind == 6:
            story.again(story.facts[0])
        told.append(story)
    refused = Story("refused")
    refused.rejected()
    return [*told, refused]


def history() -> list[Recorded]:
    """Their facts, mixed, a second between the facts of a task."""
    facts = [fact for story in lives() for fact in story.facts]
    return sorted(facts, key=lambda recorded: recorded.at)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
async def pair(clock: SetClock) -> AsyncIterator[Cluster]:
    """Two processes with four partitions that have folded the history."""
    async with cluster(clock) as made:
        await made.tell(history())
        yield made
