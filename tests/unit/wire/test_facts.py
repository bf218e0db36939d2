"""Facts to bytes and back, and every kind of record that is no fact."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain.facts import FACTS
from streamapp.wire import facts as wire
from streamapp.wire.facts import Undecodable, decode, encode
from tests.support.story import Story
from tests.support.wire import facts

CANARY = "s3cr3t-canary"
DEEP = 100_000


@given(facts)
def test_decoding_is_the_inverse_of_encoding(fact):
    key, value = encode(fact)
    assert key == fact.task_id.encode()
    assert decode(key, value) == fact
    assert encode(decode(key, value)) == (key, value)


@given(facts, st.randoms(use_true_random=False))
def test_a_record_says_the_same_in_any_order(fact, random):
    """What streamapp has written is read in one go, what others have in two steps."""
    key, value = encode(fact)
    fields = list(json.loads(value).items())
    random.shuffle(fields)
    assert decode(key, json.dumps(dict(fields)).encode()) == fact
    spaced = json.dumps(dict(fields), indent=1).encode()
    assert decode(key, spaced) == fact


@pytest.mark.parametrize("name", [kind.NAME for kind in FACTS])
def test_a_type_that_stands_in_the_content_is_not_taken_for_that_of_the_record(name):
    key, value = encode(Story().accepted().fact)
    document = json.loads(value)
    document["data"]["payload"] = {"type": name}
    first = {"data": document.pop("data"), **document}
    assert decode(key, json.dumps(first, separators=(",", ":")).encode()).payload == {"type": name}


@given(facts)
def test_every_record_is_one_line_of_json_that_anybody_can_read(fact):
    _, value = encode(fact)
    assert b"\n" not in value
    document = json.loads(value)
    assert (document["specversion"], document["type"], document["subject"]) == ("1.0", fact.NAME, fact.task_id)


@given(facts, st.data())
def test_a_truncated_record_is_undecodable(fact, data):
    key, value = encode(fact)
    with pytest.raises(Undecodable):
        decode(key, value[: data.draw(st.integers(0, len(value) - 1))])


@given(st.binary(max_size=60), st.none() | st.binary(max_size=60))
def test_any_bytes_are_decoded_or_undecodable(key, value):
    with pytest.raises(Undecodable):
        decode(key, value)


@given(facts, st.integers(0, 255), st.data())
def test_a_damaged_record_is_a_fact_or_undecodable(fact, byte, data):
    key, value = encode(fact)
    place = data.draw(st.integers(0, len(value) - 1))
    try:
        read = decode(key, value[:place] + bytes([byte]) + value[place + 1 :])
    except Undecodable:
        return
    assert isinstance(read, FACTS)


def _accepted() -> tuple[bytes, dict]:
    key, value = encode(Story().accepted({"email": CANARY}).fact)
    return key, json.loads(value)


def _with(**changes) -> tuple[bytes, bytes]:
    """An accepted task with fields of the envelope, or of data (`data__…`), replaced; `...` leaves a field out."""
    key, document = _accepted()
    for path, value in changes.items():
        *parents, name = path.split("__")
        place = document
        for parent in parents:
            place = place[parent]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return key, json.dumps(document).encode()


def _in(name: str, attempt: object) -> tuple[bytes, bytes]:
    """A fact with another attempt."""
    story = Story()
    key, value = encode(getattr(story, name)().fact)
    document = json.loads(value)
    document["data"]["attempt"] = attempt
    return key, json.dumps(document).encode()


def _raw(payload: bytes) -> tuple[bytes, bytes]:
    """An accepted task with a payload of these bytes."""
    key, value = encode(Story().accepted({"x": 0}).fact)
    return key, value.replace(b'{"x":0}', payload)


def _subject(task_id: str) -> tuple[bytes, bytes]:
    _, value = _with(subject=task_id, data__taskId=task_id)
    return task_id.encode("utf-8", "surrogatepass"), value


UNDECODABLE = {
    "no value": (b"task-1", None),
    "empty": (b"task-1", b""),
    "not JSON": (b"task-1", f"{CANARY} is not JSON".encode()),
    "not an object": (b"task-1", b"[1,2]"),
    "not UTF-8": (b"task-1", b'{"specversion":"\xff"}'),
    "byte order mark": (b"task-1", b"\xef\xbb\xbf" + _with()[1]),
    "two documents": (b"task-1", _with()[1] * 2),
    "single quotes": (b"task-1", b"{'specversion':'1.0'}"),
    "no key": (None, _with()[1]),
    "empty key": (b"", _with()[1]),
    "another task's key": (b"task-2", _with()[1]),
    "non-UTF-8 key": (b"\xff\xfe", _with()[1]),
    "another specversion": _with(specversion="0.3"),
    "no specversion": _with(specversion=...),
    "unknown type": _with(type="TaskCancelled"),
    "type of another case": _with(type="taskaccepted"),
    "no id": _with(id=...),
    "empty id": _with(id=""),
    "id too long": _with(id="x" * 201),
    "id of another type": _with(id=7),
    "no subject": _with(subject=...),
    "empty subject": _subject(""),
    "task id too long": _subject("x" * 201),
    "task id too long in bytes": _subject("é" * 101),
    "task id of a lone surrogate": _subject("\ud800x"),
    "data of another task": _with(data__taskId="task-2"),
    "no time": _with(time=...),
    "no data": _with(data=...),
    "data is null": _with(data=None),
    "data is text": _with(data=CANARY),
    "data is empty": _with(data={}),
    "no payload": _with(data__payload=...),
    "no task type": _with(data__taskType=...),
    "empty task type": _with(data__taskType=""),
    "task type too long in bytes": _with(data__taskType="é" * 101),
    "task type of another type": _with(data__taskType=[CANARY]),
    "no policy": _with(data__policy=...),
    "policy is text": _with(data__policy=CANARY),
    "no attempts allowed": _with(data__policy__maxAttempts=0),
    "negative delay": _with(data__policy__delaySeconds=-1),
    "shrinking delay": _with(data__policy__multiplier=0.5),
    "growing beyond all bounds": _with(data__policy__multiplier=1e300),
    "no time to run": _with(data__policy__timeoutSeconds=0),
    "no origin": _with(data__origin=...),
    "unknown origin": _with(data__origin__kind=CANARY),
    "attempt 0": _in("dispatched", 0),
    "attempt -1": _in("started", -1),
    "attempt too large": _in("dispatched", 1_000_001),
    "attempt huge": _in("completed", 10**30),
    "attempt is a fraction": _in("failed", 1.5),
    "attempt is text": _in("retry_scheduled", CANARY),
    "attempt is true": _in("failed_permanently", True),
    "attempt is null": _in("dispatched", None),
    "number out of range": _raw(b"1e400"),
    "not a number": _raw(b"NaN"),
    "lone high surrogate": _raw(b'"\\ud800 and more text"'),
    "lone low surrogate": _raw(b'{"\\udc00 and more text":1}'),
    "payload not UTF-8": _raw(b'"\xc3\x28"'),
    "overlong UTF-8": _raw(b'"\xc0\xaf"'),
    "surrogate in UTF-8": _raw(b'"\xed\xa0\x80"'),
    "100,000 lists deep": _raw(b"[" * DEEP + b"]" * DEEP),
    "100,000 objects deep": _raw(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "100,000 deep and cut off": (b"task-1", b"[" * DEEP),
    "65 deep": _raw(b"[" * 65 + b"]" * 65),
    "deep in an unknown field": (b"task-1", b'{"unknown":' + b"[" * DEEP + b"]" * DEEP + b"," + _with()[1][1:]),
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_what_is_no_fact_is_undecodable_with_a_reason_that_quotes_nothing(name):
    with pytest.raises(Undecodable) as caught:
        decode(*UNDECODABLE[name])
    reason = str(caught.value)
    assert reason
    assert len(reason) < 300
    assert CANARY not in reason
    assert "surrogate" not in reason or "lone" not in name or "\\ud" not in reason


@pytest.mark.parametrize("name", ["dispatched", "started", "completed", "failed", "retry_scheduled"])
@pytest.mark.parametrize("value", [CANARY, {CANARY: CANARY}, [CANARY], None, -1, 2**60, True, ...], ids=repr)
def test_data_of_wrong_types_is_undecodable(name, value):
    key, encoded = encode(getattr(Story(), name)().fact)
    document = json.loads(encoded)
    for field in document["data"]:
        broken = json.loads(encoded)
        if value is ...:
            if field == "counted":
                continue
            del broken["data"][field]
        elif (isinstance(value, str) and isinstance(document["data"][field], str) and field != "taskId") or (
            field in ("result",) or (value is True and isinstance(document["data"][field], bool))
        ):
            continue
        else:
            broken["data"][field] = value
        with pytest.raises(Undecodable) as caught:
            decode(key, json.dumps(broken).encode())
        assert CANARY not in str(caught.value)


def test_a_payload_of_64_levels_is_read():
    payload = json.loads("[" * 64 + "]" * 64)
    fact = Story().accepted({}).fact
    key, value = encode(fact)
    read = decode(key, value.replace(b'"payload":{}', b'"payload":' + json.dumps(payload).encode()))
    assert read.payload == payload


def test_fields_of_a_later_version_are_ignored():
    key, document = _accepted()
    document |= {"dataschema": "later", "tenant": {"a": 1}}
    document["data"] |= {"priority": 5}
    document["data"]["origin"] |= {"region": "x"}
    assert decode(key, json.dumps(document).encode()) == Story().accepted({"email": CANARY}).fact


def test_a_failure_written_before_counted_existed_counts():
    key, value = encode(Story().failed().fact)
    document = json.loads(value)
    del document["data"]["counted"]
    assert decode(key, json.dumps(document).encode()).counted is True


def test_every_fact_type_has_a_reader():
    assert {kind.NAME for kind in FACTS} == set(wire._READERS)
