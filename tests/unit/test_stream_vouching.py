"""Rows of a changelog that count, and those that a stranger has written too late."""

from hypothesis import given
from hypothesis import strategies as st

from streamapp.stream.vouching import Sieve, applied_of, headers

MARKER = b"\0applied"


def test_headers_say_what_they_were_given() -> None:
    assert applied_of(headers(0)) == 0
    assert applied_of([("other", b"7"), *headers(123)]) == 123
    assert applied_of([]) is None
    assert applied_of([("applied", b"\xff")]) is None


def test_row_below_what_is_vouched_for_does_not_count_and_has_to_be_repaired() -> None:
    sieve = Sieve(MARKER, 500)
    assert not sieve.counts(b"task", 120)
    assert not sieve.counts(MARKER, 120)
    assert (sieve.vouched, sieve.spoiled) == (500, {b"task"})


def test_the_owners_next_row_of_the_key_repairs_it() -> None:
    sieve = Sieve(MARKER, 500)
    sieve.counts(b"task", 120)
    assert sieve.counts(b"task", 510)
    assert sieve.spoiled == set()


def test_rows_of_a_pass_that_was_broken_off_count_and_are_written_over_by_the_next_one() -> None:
    sieve = Sieve(MARKER, 600)
    assert sieve.counts(b"task", 620)
    assert sieve.counts(b"task", 610)
    assert sieve.counts(MARKER, 610)
    assert sieve.vouched == 610


def test_rows_without_a_header_count() -> None:
    sieve = Sieve(MARKER, 500)
    assert sieve.counts(b"task", None)
    assert sieve.counts(MARKER, None)
    assert sieve.vouched == 500


FACTS = 12
KEYS = 3


def fold(applied: int) -> dict[bytes, int]:
    """A table in which every fact counts up one key."""
    rows: dict[bytes, int] = {}
    for fact in range(applied):
        key = b"k%d" % (fact % KEYS)
        rows[key] = fact
    return rows


@given(st.data())
def test_restored_rows_and_a_fold_from_there_on_are_the_table_whoever_wrote_in_between(data: st.DataObject) -> None:
    """Two writers, each of which folds from some vouched offset on, mix their passes; some end in the middle."""
    log: list[tuple[bytes, int, int]] = []
    vouched = 0
    for _ in range(data.draw(st.integers(1, 6))):
        start = vouched if data.draw(st.booleans()) else data.draw(st.integers(0, vouched))
        end = data.draw(st.integers(start, FACTS))
        touched = sorted({b"k%d" % (fact % KEYS) for fact in range(start, end)})
        rows = [(key, fold(end)[key], end) for key in touched]
        whole = data.draw(st.booleans())
        log += rows if whole else rows[: data.draw(st.integers(0, len(rows)))]
        if whole:
            log.append((MARKER, end, end))
            vouched = max(vouched, end)
    sieve, restored = Sieve(MARKER, 0), {}
    for key, value, applied in log:
        if sieve.counts(key, applied) and key != MARKER:
            restored[key] = value
    assert sieve.vouched == vouched
    for fact in range(sieve.vouched, FACTS):
        key = b"k%d" % (fact % KEYS)
        restored[key] = max(fact, restored.get(key, -1))  # a row ignores the facts that it has already
    assert restored == fold(FACTS)
