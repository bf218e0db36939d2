"""JSON: strict, bounded, and one spelling for equal values."""

import json as standard
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.wire import json
from streamapp.wire.json import MAX_DEPTH, Malformed
from tests.support.wire import json_values


def _shuffled(value, random: Random):
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: _shuffled(item, random) for key, item in items}
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value


@given(json_values)
def test_what_is_written_is_read_again(value):
    assert json.parse(json.dump(value)) == value
    assert json.parse(json.canonical(value)) == value


@given(json_values, st.randoms(use_true_random=False))
def test_the_order_of_members_makes_no_difference_to_the_canonical_form(value, random):
    assert json.canonical(value) == json.canonical(_shuffled(value, random))


@given(json_values, json_values)
def test_different_values_have_different_canonical_forms(left, right):
    if json.canonical(left) == json.canonical(right):
        assert left == right


def test_the_canonical_form_has_sorted_members_and_no_space():
    assert (
        json.canonical({"b": [1, {"z": None, "a": 2.5}], "a": "é"}) == '{"a":"é","b":[1,{"a":2.5,"z":null}]}'.encode()
    )


@pytest.mark.parametrize("depth", [1, MAX_DEPTH - 1, MAX_DEPTH])
def test_nesting_up_to_the_limit_is_read(depth):
    assert json.parse(b"[" * depth + b"]" * depth) is not None
    assert json.parse(b'{"a":' * depth + b"1" + b"}" * depth) is not None


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1000, 100_000])
def test_nesting_beyond_the_limit_is_refused(depth):
    for document in (
        b"[" * depth + b"]" * depth,
        b'{"a":' * depth + b"1" + b"}" * depth,
        b"[0," * depth + b"1" + b"]" * depth,
    ):
        with pytest.raises(Malformed):
            json.parse(document)


def test_brackets_in_texts_and_wide_documents_are_not_deep():
    assert json.parse(standard.dumps(["[" * 500] * 3).encode())
    assert json.parse(standard.dumps([[]] * 500).encode())


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b" ",
        b"{",
        b"NaN",
        b"Infinity",
        b"1e400",
        b"'a'",
        b"[1,]",
        b'{"a":1,}',
        b"\xff",
        b'"\xc3\x28"',
        b'"\\ud800abcdef"',
        b"\xef\xbb\xbf1",
        b"1 2",
        b"01",
        b"+1",
        b".5",
        b"// x",
        b'"tab\t"',
    ],
    ids=repr,
)
def test_what_is_not_strict_json_is_refused(document):
    with pytest.raises(Malformed):
        json.parse(document)
    with pytest.raises(Malformed) as caught:
        json.parse(b'{"s3cr3t-canary":"s3cr3t-canary","x":' + document + b"]")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":3}',
        b'{"a":{"b":1,"b":2}}',
        b'[[{"a":1,"\\u0061":2}]]',
        b'{"":1,"":2}',
        b'{"a":' + b"9" * 4_300 + b',"a":1e300}',
    ],
)
def test_a_name_twice_in_one_object_is_refused(document):
    """Two readers of it would not agree on what it says."""
    with pytest.raises(Malformed, match="twice"):
        json.parse(document)


@pytest.mark.parametrize(
    "document", [b'{"a":{"a":1}}', b'[{"a":1},{"a":2}]', b'{"a":"b\\":1,\\"a","b":1}', b'{"a":1,"A":2}']
)
def test_a_name_in_two_objects_is_not(document):
    assert json.parse(document)
