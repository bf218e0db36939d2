"""What a fetch brought is folded partition by partition at the same time, and is done when every agent is done."""

import asyncio

from streamapp.stream.batch import Fetch, RecordBatch
from streamapp.stream.folding import fold_all

BATCHES = [RecordBatch("topic", partition, 0, 1, []) for partition in range(3)]


async def test_partition_that_waits_holds_up_no_other_one() -> None:
    gate, seen = asyncio.Event(), list[int]()

    async def handle(batch: RecordBatch) -> None:
        if batch.partition == 0:
            await gate.wait()
        seen.append(batch.partition)

    async def folded() -> None:
        return

    folding = asyncio.create_task(fold_all("agent", Fetch(BATCHES, 1), handle, [], folded))
    await asyncio.sleep(0.01)
    assert seen == [1, 2]
    gate.set()
    await folding
    assert seen == [1, 2, 0]


def test_fetch_is_done_when_every_agent_is_done() -> None:
    fetch = Fetch(BATCHES, 2)
    fetch.folded()
    assert not fetch.done
    fetch.folded()
    assert fetch.done
    assert fetch.has("topic", 2)
    assert not fetch.has("topic", 3)
    assert not fetch.has("other", 2)
