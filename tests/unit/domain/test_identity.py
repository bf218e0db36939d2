"""Ids: the same append is the same fact for ever, two different ones never meet."""

from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain import identity
from streamapp.domain.facts import Origin, Token

nasty = st.text("a:/|0\x00é\ud800", max_size=6) | st.text(max_size=6)
numbers = st.integers(1, 12)
names = st.sampled_from(["TaskDispatched", "TaskRetryScheduled", "TaskExecutionStarted", "TaskExecutionFailed"])

appends = st.one_of(
    st.tuples(st.just(identity.accepted_id), nasty, nasty, nasty),
    st.tuples(st.just(identity.dispatch_id), names, nasty, numbers),
    st.tuples(st.just(identity.execution_id), names, nasty, numbers, nasty, st.builds(Token, numbers, numbers)),
    st.tuples(
        st.just(identity.rejected_id),
        nasty,
        st.builds(Origin, st.just("event"), nasty, numbers, numbers) | st.just(Origin("http")),
        nasty,
    ),
    st.tuples(st.just(identity.task_id_of_key), nasty),
    st.tuples(st.just(identity.requeued_id), nasty, nasty, nasty, nasty),
)


def _id(append) -> str:
    function, *arguments = append
    return function(*arguments)


@given(appends, appends)
def test_two_appends_share_an_id_only_if_they_are_the_same(left, right):
    assert (_id(left) == _id(right)) == (left == right)


@given(st.lists(nasty, min_size=3, max_size=3), st.data())
def test_moving_a_separator_between_the_parts_makes_another_id(parts, data):
    whole = "".join(parts)
    first = data.draw(st.integers(0, len(whole)))
    second = data.draw(st.integers(first, len(whole)))
    other = [whole[:first], whole[first:second], whole[second:]]
    assert (identity.accepted_id(*parts) == identity.accepted_id(*other)) == (parts == other)


@given(nasty, numbers, nasty, numbers)
def test_message_ids_of_two_jobs_differ(left, attempt, right, other):
    same = (left, attempt) == (right, other)
    assert (identity.message_id(left, attempt) == identity.message_id(right, other)) == same


def test_ids_are_what_they_were_when_the_first_diary_was_written():
    """They identify facts that are kept for ever: a change here makes every redelivery look new."""
    token = Token(1, 2)
    assert identity.accepted_id("t", "EMAIL", identity.payload_digest(b"{}")) == "88de39283a8f8f1252fbea08595ac4ec"
    assert identity.rejected_id("t", Origin("event", "consume-event", 0, 7), "d") == "15d8aa0b5eb597db3577e7e937c33133"
    assert identity.dispatch_id("TaskDispatched", "t", 1) == "92168f64c584a8da7990dd23dac8c874"
    assert identity.execution_id("TaskExecutionStarted", "t", 1, "w", token) == "ad33af2ac17c40f2da96a148b8e701b3"
    assert identity.requeued_id("t", "ann", "mended", "key") == "c913769135a61b619988efe22503cbec"
    assert identity.task_id_of_key("order-1") == "idem-845c8f6296e6a7d209b78c45acf396e2"
