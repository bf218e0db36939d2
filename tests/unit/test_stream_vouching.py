"""Rows of a changelog that count, and those that a stranger has written too late."""

from hypothesis import given
from hypothesis import strategies as st

from streamapp.stream.vouching import Marker, Sieve, Stamp, decode_marker, encode_marker, headers, stamp_of

MARKER = b"\0applied"


def test_headers_say_what_they_were_given() -> None:
    assert stamp_of(headers(0, 0)) == Stamp(0, 0)
    assert stamp_of([("other", b"7"), *headers(123, 45)]) == Stamp(123, 45)
    assert stamp_of([("applied", b"123")]) == Stamp(123, 0), "rows from before"
    assert stamp_of([]) == Stamp(None, 0)
    assert stamp_of([("applied", b"\xff@7")]) == Stamp(None, 0)


def test_markers_tell_of_losses_only_where_there_were_any() -> None:
    assert encode_marker(Marker(7, 3)) == b'{"next":7,"partitions":3}'
    assert decode_marker(encode_marker(Marker(7, 3, 1))) == Marker(7, 3, 1)
    assert decode_marker(b'{"next":7,"partitions":3}').losses == 0


def test_markers_tell_the_form_of_rows_from_the_second_one_on() -> None:
    assert encode_marker(Marker(7, 3, form=2)) == b'{"next":7,"partitions":3,"form":2}'
    assert decode_marker(b'{"next":7,"partitions":3}').form == 1


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


def test_rows_of_a_pass_that_was_broken_off_count_and_stay_until_a_later_one_is_written() -> None:
    sieve = Sieve(MARKER, 600)
    assert sieve.counts(b"task", 620)
    assert not sieve.counts(b"task", 610)
    assert sieve.counts(MARKER, 610)
    assert not sieve.counts(b"task", 615)
    assert (sieve.vouched, sieve.spoiled) == (610, {b"task"})
    assert sieve.counts(b"task", 630)


def test_two_passes_that_lie_within_each_other_leave_the_row_of_the_longer_one() -> None:
    """Red while only markers made rows old: the shorter pass came between the rows of the longer one and its marker."""
    sieve = Sieve(MARKER, 26)
    assert sieve.counts(b"task", 31)
    assert not sieve.counts(b"task", 27)
    assert sieve.counts(b"other", 27)
    assert sieve.counts(MARKER, 31)
    assert not sieve.counts(MARKER, 27)
    assert (sieve.vouched, sieve.spoiled) == (31, {b"task"})


def test_rows_without_a_header_count() -> None:
    sieve = Sieve(MARKER, 500)
    assert sieve.counts(b"task", None)
    assert sieve.counts(MARKER, None)
    assert sieve.vouched == 500


FACTS = 12
KEYS = 3


def fold(applied: int) -> dict[bytes, bytes]:
    """A table in which every fact changes one key, or deletes it."""
    rows: dict[bytes, bytes] = {}
    for fact in range(applied):
        key = b"k%d" % (fact % KEYS)
        if fact % 4 == 1:
            rows.pop(key, None)
        else:
            rows[key] = b"%d" % fact
    return rows


Row = tuple[bytes, bytes | None, int]


def writer(data: st.DataObject) -> list[Row]:
    """Passes of one process, each from where the last one has got to; the last one may be broken off."""
    log: list[Row] = []
    start = 0
    for _ in range(data.draw(st.integers(1, 5))):
        end = data.draw(st.integers(start, FACTS))
        touched = sorted({b"k%d" % (fact % KEYS) for fact in range(start, end)})
        log += [(key, fold(end).get(key), end) for key in touched]
        log.append((MARKER, b"%d" % end, end))
        start = end
    return log[: len(log) - data.draw(st.integers(0, KEYS + 1))]


def mixed(data: st.DataObject, one: list[Row], other: list[Row]) -> list[Row]:
    """The rows of both, each writer's in its own order."""
    log, rest = [], [one, other]
    while rest[0] or rest[1]:
        side = rest[0] if not rest[1] or (rest[0] and data.draw(st.booleans())) else rest[1]
        log.append(side.pop(0))
    return log


@given(st.data())
def test_restored_rows_are_the_table_at_what_is_vouched_for_however_two_writers_mix(data: st.DataObject) -> None:
    """Red while rows of a pass without a marker were restored: a deletion was ahead of the table and did not say so."""
    log = mixed(data, writer(data), writer(data))
    sieve = Sieve(MARKER, 0)
    restored: dict[bytes, bytes] = {}
    for row in log:
        for key, value in sieve.take(*row):
            if value is None:
                restored.pop(key, None)
            elif key != MARKER:
                restored[key] = value
    assert sieve.vouched == max((applied for key, _, applied in log if key == MARKER), default=0)
    assert restored == fold(sieve.vouched)


@given(st.data())
def test_rows_taken_by_the_run_are_those_taken_one_by_one(data: st.DataObject) -> None:
    log = mixed(data, writer(data), writer(data))
    one_by_one, by_the_run = Sieve(MARKER, 0), Sieve(MARKER, 0)
    while log:
        longest = next((place for place, row in enumerate(log, 1) if row[0] == MARKER or row[2] != log[0][2]), len(log))
        run = log[: data.draw(st.integers(1, longest if log[longest - 1][2] == log[0][2] else longest - 1))]
        del log[: len(run)]
        wanted = [put for row in run for put in one_by_one.take(*row)]
        assert by_the_run.take_all([(key, value) for key, value, _ in run], run[0][2]) == wanted
        assert vars(by_the_run) == vars(one_by_one)


@given(st.data())
def test_a_compaction_takes_nothing_once_the_spoiled_keys_are_written_again(data: st.DataObject) -> None:
    log = mixed(data, writer(data), writer(data))
    sieve = Sieve(MARKER, 0)
    for row in log:
        sieve.take(*row)
    sieve.end()
    table = fold(sieve.vouched)
    log += [(key, table.get(key), sieve.vouched) for key in sorted(sieve.spoiled)]
    log.append((MARKER, b"", sieve.vouched))
    last = {key: place for place, (key, _, _) in enumerate(log)}
    again, restored = Sieve(MARKER, 0), dict[bytes, bytes | None]()
    for place, row in enumerate(log):
        if last[row[0]] == place:
            restored.update(again.take(*row))
    assert {key: value for key, value in restored.items() if value is not None and key != MARKER} == table
