"""The first seed's walk-through, word for word, with a plain Kafka client."""

from typing import Any

from tests.support.waiting import until
from tests.support.whole import Whole

EVENT = (
    b'{"eventId":"evt-test-001","timestamp":1737200000000,"type":"USER_CREATED",'
    b'"payload":{"userId":"u123","email":"test@example.com"}}'
)


async def test_an_event_is_enqueued_and_processed_and_the_same_event_is_not_processed_again(whole: Whole) -> None:
    assert whole.says("streams", "✓ Kafka consumer connected")

    whole.kcat("-t", "consume-event", "-p", "0", stdin=EVENT)
    enqueued = "✓ Kafka event enqueued: evt-test-001 (topic: consume-event, partition: 0, offset: "
    await until(lambda: whole.says("streams", enqueued) == 1, what=enqueued)
    processed = "✓ Event processed successfully: evt-test-001"
    await until(lambda: whole.says("worker", processed), what=processed)

    whole.kcat("-t", "consume-event", "-p", "0", stdin=EVENT)
    await until(lambda: whole.says("streams", enqueued) == 2, what="consumed again")
    view = await until(lambda: _with_duplicate(whole), what="the diary knows of the duplicate")

    assert whole.says("worker", "→ Processing event: evt-test-001") == 1
    assert [fact["fact"] for fact in view["facts"]].count("TaskExecutionStarted") == 1
    assert view["state"] == "COMPLETED"
    assert view["anomalies"] == []


async def test_an_invalid_event_is_logged_with_every_error_and_not_enqueued(whole: Whole) -> None:
    whole.kcat("-t", "consume-event", stdin=b'{"eventId":"evt-bad","timestamp":"soon","type":"","extra":1}')

    await until(lambda: whole.says("streams", "✗ Kafka event invalid, not enqueued"))
    view = await until(lambda: _known(whole, "evt-bad"))

    assert view["state"] == "REJECTED"
    pointers = {error["pointer"] for error in view["facts"][0]["detail"]["errors"]}
    assert pointers == {"/timestamp", "/type", "/payload", "/extra"}


def _known(whole: Whole, task_id: str) -> Any:
    try:
        return whole.document("show", task_id)
    except AssertionError:
        return None  # 404: not folded yet; asked again until the deadline


def _with_duplicate(whole: Whole) -> Any:
    view = _known(whole, "evt-test-001")
    return view if view and view["duplicates"] == 1 else None
