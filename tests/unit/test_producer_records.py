"""What Kafka's answers mean, and which facts must be appended again."""

from types import SimpleNamespace

import pytest
from aiokafka import errors
from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain.errors import OutcomeUnknown, Refused
from streamapp.producer import Position
from streamapp.producer.records import Record, to_failure, to_position, to_record, to_repeat
from tests.support.fact_log import accepted

results = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.booleans()), max_size=20)


@given(results)
def test_what_failed_and_what_follows_it_in_its_task_is_repeated_in_order(drawn: list[tuple[bytes, bool]]) -> None:
    records = [Record(key, b"") for key, _ in drawn]
    outcomes: list[Position | Exception] = [
        Position("t", 0, index, 0) if fine else OutcomeUnknown() for index, (_, fine) in enumerate(drawn)
    ]
    again = to_repeat(records, outcomes)
    assert again == sorted(set(again))
    for index, (key, fine) in enumerate(drawn):
        earlier = any(not fine_before for key_before, fine_before in drawn[:index] if key_before == key)
        assert (index in again) == (not fine or earlier)


def test_only_answers_that_exclude_a_write_are_refusals() -> None:
    assert isinstance(to_failure(errors.MessageSizeTooLargeError()), Refused)
    assert isinstance(to_failure(errors.TopicAuthorizationFailedError()), Refused)
    for error in (errors.OutOfOrderSequenceNumber(), errors.RequestTimedOutError(), errors.KafkaError("x")):
        assert isinstance(to_failure(error), OutcomeUnknown)


def test_an_answer_without_a_place_is_no_position() -> None:
    answer = SimpleNamespace(topic="t", partition=1, offset=-1, timestamp=-1)
    assert isinstance(to_position(answer), OutcomeUnknown)
    answer.offset, answer.timestamp = 4, 99
    assert to_position(answer) == Position("t", 1, 4, 99)


def test_a_record_that_is_too_large_says_which_setting_bounds_it() -> None:
    assert to_record(accepted("t"), 1000).key == b"t"
    with pytest.raises(Refused, match=r"TaskAccepted has \d+ bytes; kafka.max_record_bytes allows 1000"):
        to_record(accepted("t", size=1000), 1000)
