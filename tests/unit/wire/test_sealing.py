"""Sensitive fields: sealed for one task, opened with one key, never in a text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain.errors import ConfigurationError, PermanentFailure
from streamapp.wire.sealing import MARK, REDACTED, Sealer, redact
from tests.support.wire import ids, json_values, texts

KEY, OTHER = "ab" * 64, "cd" * 64
SECRET = "s3cr3t-canary"
payloads = st.dictionaries(st.sampled_from(["password", "card", "name", "x"]), json_values)


@given(payloads, ids)
def test_opening_is_the_inverse_of_sealing(payload, task_id):
    sealer = Sealer(KEY)
    sealed = sealer.seal(payload, ("password", "card"), task_id)
    assert sealer.open(sealed, ("password", "card"), task_id) == payload
    assert {name for name in ("password", "card") if name in payload} == {
        name for name, value in sealed.items() if value != payload[name] or name in ("password", "card")
    }


@given(payloads, ids)
def test_the_same_submission_seals_to_the_same_bytes(payload, task_id):
    assert Sealer(KEY).seal(payload, ("password",), task_id) == Sealer(KEY).seal(payload, ("password",), task_id)


def test_the_secret_is_nowhere_in_the_sealed_payload():
    sealed = Sealer(KEY).seal({"password": SECRET, "name": "Ann"}, ("password", "absent"), "t-1")
    assert SECRET not in json.dumps(sealed)
    assert sealed["name"] == "Ann"
    assert set(sealed["password"]) == {MARK}
    assert "absent" not in sealed


def test_the_same_secret_seals_differently_for_another_task_and_field():
    sealer = Sealer(KEY)
    first = sealer.seal({"a": SECRET, "b": SECRET}, ("a", "b"), "t-1")
    second = sealer.seal({"a": SECRET}, ("a",), "t-2")
    assert len({first["a"][MARK], first["b"][MARK], second["a"][MARK]}) == 3


SEALED = Sealer(KEY).seal({"a": SECRET}, ("a",), "t-1")


@pytest.mark.parametrize(
    ("key", "task_id", "payload"),
    [
        (OTHER, "t-1", SEALED),
        (KEY, "t-2", SEALED),
        (KEY, "t-1", {"a": {MARK: "AAAA"}}),
        (KEY, "t-1", {"a": {MARK: ""}}),
        (KEY, "t-1", {"a": {MARK: "not base64!"}}),
        (KEY, "t-1", {"a": {MARK: "é"}}),
        (KEY, "t-1", {"a": {MARK: 5}}),
        (KEY, "t-1", {"a": {MARK: None}}),
        (KEY, "t-1", {"a": {MARK: [SECRET]}}),
    ],
    ids=["another key", "another task", "garbage", "empty", "not base64", "not ASCII", "number", "null", "list"],
)
def test_what_does_not_open_fails_for_good_and_says_nothing_of_the_value(key, task_id, payload):
    with pytest.raises(PermanentFailure) as caught:
        Sealer(key).open(payload, ("a",), task_id)
    assert caught.value.error_type == "SealBroken"
    assert SECRET not in str(caught.value)


def test_a_sealed_value_moved_to_another_field_does_not_open():
    with pytest.raises(PermanentFailure):
        Sealer(KEY).open({"b": SEALED["a"]}, ("b",), "t-1")


def test_a_value_that_was_never_sealed_passes():
    assert Sealer(KEY).open({"a": 1, "b": {"x": 2}}, ("a", "b", "c"), "t-1") == {"a": 1, "b": {"x": 2}}


@pytest.mark.parametrize("key", ["", "xyz", "ab", "ab" * 32, "ab" * 48, "ab" * 63, "ab" * 65, "é" * 128])
def test_a_key_of_another_length_is_refused_and_not_quoted(key):
    with pytest.raises(ConfigurationError, match="64 bytes in hex") as caught:
        Sealer(key)
    assert not key or key not in str(caught.value)


@given(json_values, st.lists(texts.filter(lambda text: not set(text) & set(REDACTED)), max_size=4))
def test_no_secret_is_left_after_redaction(value, secrets):
    for text in _texts(redact(value, secrets)):
        for part in text.split(REDACTED):
            assert not any(secret in part for secret in secrets if secret)


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def test_redaction_reaches_every_corner_and_changes_nothing_else():
    value = {"log": [f"user {SECRET}!", {SECRET: 1}], "n": 5, "ok": True, "none": None}
    assert redact(value, [SECRET]) == {"log": [f"user {REDACTED}!", {REDACTED: 1}], "n": 5, "ok": True, "none": None}
    assert redact("plain", []) == "plain"


def test_an_empty_secret_marks_nothing():
    assert redact("plain", [""]) == "plain"


def test_a_secret_that_begins_another_one_leaves_no_rest_of_it():
    assert redact("key=abcdef", ["abc", "abcdef"]) == f"key={REDACTED}"
