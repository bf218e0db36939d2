"""Brokers that go away under the whole system, and what users see meanwhile. Nothing is restarted by hand."""

import time

from tests.support.brokers import RunningBrokers
from tests.support.waiting import until
from tests.support.whole import Whole


async def test_a_task_accepted_while_rabbitmq_is_away_is_executed_when_it_is_back(
    whole: Whole, brokers_stack: RunningBrokers
) -> None:
    payload = '{"email": "late@example.com"}'
    brokers_stack.stack.rabbitmq.stop()
    try:
        answer = whole.document("submit", "USER_CREATED", payload, "--task-id", "while-rabbitmq-is-away")
        assert answer["taskId"] == "while-rabbitmq-is-away"
        await until(lambda: "ACCEPTED" in whole.command("show", "while-rabbitmq-is-away"))
    finally:
        brokers_stack.stack.rabbitmq.start()

    await until(lambda: whole.says("worker", "✓ Event processed successfully: while-rabbitmq-is-away"), 60)
    await until(lambda: whole.document("show", "while-rabbitmq-is-away")["state"] == "COMPLETED")
    assert whole.says("worker", "→ Processing event: while-rabbitmq-is-away") == 1


async def test_a_task_submitted_while_kafka_is_away_is_answered_with_503_within_seconds(
    whole: Whole, brokers_stack: RunningBrokers
) -> None:
    payload = '{"email": "refused@example.com"}'
    whole.document("submit", "USER_CREATED", payload, "--task-id", "before-kafka-went-away")
    await until(lambda: "COMPLETED" in whole.command("show", "before-kafka-went-away"))
    brokers_stack.stack.kafka.stop()
    try:
        started = time.monotonic()
        answer = whole.document("submit", "USER_CREATED", payload, "--task-id", "while-kafka-is-away", code=1)
        assert answer["status"] == 503
        assert answer["outcome"] in ("unknown", "refused")
        assert time.monotonic() - started < 15
        await until(lambda: whole.document("show", "before-kafka-went-away")["stale"])
    finally:
        brokers_stack.stack.kafka.start()

    answer = await until(lambda: _accepted(whole, payload), 60)
    assert answer["taskId"] == "after-kafka-is-back"
    await until(lambda: whole.says("worker", "✓ Event processed successfully: after-kafka-is-back"), 90)


def _accepted(whole: Whole, payload: str) -> dict[str, str] | None:
    try:
        answer: dict[str, str] = whole.document("submit", "USER_CREATED", payload, "--task-id", "after-kafka-is-back")
    except AssertionError:
        return None  # still 503: asked again until the deadline
    return answer
