"""The console command as a user meets it: output, documents, exit codes."""

import json
from pathlib import Path

from tests.support.waiting import until
from tests.support.whole import Whole


def test_status_says_that_everything_runs(whole: Whole) -> None:
    document = whole.document("status")

    assert {role["name"] for role in document["roles"]} == {"streams", "api", "worker", "sinks"}
    assert all(role["running"] for role in document["roles"])
    assert document["queues"]["task-execution"]["consumers"] == 1
    assert len(document["workers"]) == 1


def test_up_twice_starts_nothing(whole: Whole) -> None:
    before = {role["name"]: role["pid"] for role in whole.document("status")["roles"]}

    whole.command("up")

    assert {role["name"]: role["pid"] for role in whole.document("status")["roles"]} == before


async def test_a_submitted_task_is_executed_and_shown(whole: Whole) -> None:
    payload = json.dumps({"userId": "u1", "email": "u1@example.com"})
    answer = whole.document("submit", "USER_CREATED", payload, "--idempotency-key", "order-1")
    again = whole.document("submit", "USER_CREATED", payload, "--idempotency-key", "order-1")
    assert answer["taskId"] == again["taskId"]

    def completed() -> bool:
        return "COMPLETED" in whole.command("show", answer["taskId"])

    await until(lambda: whole.says("worker", f"✓ Event processed successfully: {answer['taskId']}"))
    await until(completed)
    text = whole.command("show", answer["taskId"])
    for fact in ("TaskAccepted", "TaskDispatched(1)", "TaskExecutionStarted(1)", "TaskExecutionCompleted(1)"):
        assert fact in text
    assert whole.says("worker", f"→ Processing event: {answer['taskId']}") == 1


def test_a_refused_task_names_its_fields(whole: Whole) -> None:
    said = whole.command("submit", "WEBHOOK_DELIVERY", '{"url": "nowhere"}', code=1)

    assert "/payload/url" in said
    assert "/payload/body" in said


def test_an_unknown_task_is_an_error(whole: Whole) -> None:
    assert "Task unknown" in whole.command("show", "no-such-task", code=1)


async def test_a_file_of_events_is_produced(whole: Whole, tmp_path: Path) -> None:
    lines = [{"eventId": f"file-{n}", "timestamp": n, "type": "ORDER_PLACED", "payload": {"n": n}} for n in range(20)]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")

    assert whole.document("produce", str(file)) == {"produced": 20, "topic": "consume-event"}

    for n in range(20):
        await until(lambda n=n: whole.says("worker", f"✓ Event processed successfully: file-{n}"))


def test_config_shows_effective_values_and_no_secret(whole: Whole) -> None:
    text = whole.command("config")

    assert f"STREAMAPP_API__PORT={whole.api}" in text
    assert "guest:guest@" not in text


def test_an_unknown_setting_is_an_error_of_the_command(whole: Whole) -> None:
    whole.environment["STREAMAPP_KAFKA__BOOTSTRAP"] = "x"
    try:
        assert "unknown setting STREAMAPP_KAFKA__BOOTSTRAP" in whole.command("status", code=2)
    finally:
        del whole.environment["STREAMAPP_KAFKA__BOOTSTRAP"]


def test_a_payload_that_is_no_json_is_an_error_of_the_command(whole: Whole) -> None:
    assert "PAYLOAD is not JSON" in whole.command("submit", "USER_CREATED", "{", code=2)


def test_the_guard_is_rebuilt_from_the_diary_under_a_new_epoch(whole: Whole) -> None:
    first = whole.document("guard", "rebuild")
    second = whole.document("guard", "rebuild")

    assert second["epoch"] >= first["epoch"]
