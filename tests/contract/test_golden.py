"""The golden corpus: records as the diary holds them. They must mean the same for ever.

A file here is never changed. A fact that gains a field gets another file beside the old one, which stays.
"""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from streamapp.domain.facts import FACTS
from streamapp.wire.facts import Undecodable, decode, encode
from tests.contract.golden_facts import GOLDEN

FOLDER = Path(__file__).with_name("golden")
FILES = sorted(path.stem for path in FOLDER.glob("*.json"))

NEVER = {
    "TaskAccepted": {"result", "secret", "secrets"},
    "TaskRejected": {"payload", "value", "values", "input", "result", "parameters"},
    "TaskDispatched": {"payload", "parameters", "taskType", "type", "result", "policy"},
    "TaskExecutionStarted": {"result", "payload", "parameters"},
    "TaskExecutionCompleted": {"payload", "parameters", "secret", "secrets"},
    "TaskExecutionFailed": {"payload", "parameters", "result", "traceback", "stack", "stacktrace", "exception"},
    "TaskRetryScheduled": {"payload", "parameters", "result"},
    "TaskFailedPermanently": {"payload", "parameters", "result"},
    "TaskRequeued": {"payload", "parameters", "result", "attempt", "policy"},
}
"""What the table of facts in the design forbids, by the names it would have."""


def _load(name: str) -> tuple[bytes, bytes, dict]:
    record = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return record["key"].encode(), json.dumps(record["value"]).encode(), record["value"]


def _members(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in _members(item)}
    return {name for item in value for name in _members(item)} if isinstance(value, list) else set()


def test_there_is_a_record_of_every_fact_and_a_meaning_of_every_record():
    assert {type(fact) for fact in GOLDEN.values()} == set(FACTS)
    assert sorted(GOLDEN) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_record_means_what_it_meant_when_it_was_written(name):
    key, value, _ = _load(name)
    assert decode(key, value) == GOLDEN[name]


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_today_is_read_by_the_readers_of_then(name):
    """The members of then are all still written, with the same values; new ones may stand beside them."""
    key, value, then = _load(name)
    written_key, written = encode(decode(key, value))
    assert written_key == key
    assert _keeps(json.loads(written), then)


def _keeps(now: object, then: object) -> bool:
    if isinstance(now, dict) and isinstance(then, dict):
        return all(name in now and _keeps(now[name], value) for name, value in then.items())
    return now == then


@pytest.mark.parametrize("name", FILES)
def test_a_record_is_a_cloud_event(name):
    """CloudEvents 1.0.2, section 3: required attributes are not empty, source is a URI-reference, time RFC 3339."""
    _, _, event = _load(name)
    assert event["specversion"] == "1.0"
    for attribute in ("id", "source", "type", "subject"):
        assert isinstance(event[attribute], str)
        assert event[attribute]
    assert re.fullmatch(r"/streamapp/(api|ingest|dispatch|worker)/[^\s/]+", event["source"])
    assert event["datacontenttype"] == "application/json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["time"])
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", attribute) for attribute in event)


@pytest.mark.parametrize("name", FILES)
def test_a_record_is_keyed_by_its_task(name):
    key, _, event = _load(name)
    assert key.decode() == event["subject"] == event["data"]["taskId"]


@pytest.mark.parametrize("name", FILES)
def test_a_fact_never_carries_what_is_not_its_own(name):
    _, _, event = _load(name)
    data = event["data"]
    own = set(data) if event["type"] == "TaskAccepted" else _members(data)
    if event["type"] == "TaskExecutionCompleted":
        own = set(data)
    assert not own & NEVER[event["type"]]
    assert ("payload" in data) == (event["type"] == "TaskAccepted")
    assert ("result" in data) == (event["type"] == "TaskExecutionCompleted")


@pytest.mark.parametrize("name", FILES)
def test_no_member_of_a_record_may_be_missing_but_those_added_later(name):
    key, _, event = _load(name)
    later = {"traceparent", "counted"}
    for place in (event, event["data"]):
        for member in sorted(set(place) - later):
            kept = place.pop(member)
            with pytest.raises(Undecodable):
                decode(key, json.dumps(event).encode())
            place[member] = kept
