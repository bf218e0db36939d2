"""Recovery while Kafka is slow or away: it waits, and neither ends the process nor falls silent."""

import asyncio
from collections import Counter
from pathlib import Path

from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from streamapp.settings import Settings
from streamapp.stream.creating import create_app
from streamapp.stream.engine import StreamApp


def _app(folder: Path) -> StreamApp:
    settings = Settings(data_directory=folder, namespace="recovery")
    return create_app(settings, web_host="127.0.0.1", web_port=6066, logging_config={"version": 1})


async def test_an_answer_that_takes_longer_than_a_request_may_is_waited_for(tmp_path: Path) -> None:
    answered = asyncio.Event()

    async def answer() -> None:
        await asyncio.sleep(0.2)
        answered.set()

    await _app(tmp_path).tables.recovery._wait(answer(), timeout=0.01)
    assert answered.is_set()


async def test_kafka_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    class Consumer:
        asked = 0

        async def highwaters(self, *tps: TP) -> dict[TP, int]:
            self.asked += 1
            if self.asked == 1:
                raise KafkaTimeoutError("no answer")
            return dict.fromkeys(tps, 7)

    found: Counter[TP] = Counter()
    tp = TP("changelog", 0)
    await _app(tmp_path).tables.recovery._build_highwaters(Consumer(), {tp}, found, "active")
    assert found == {tp: 6}
