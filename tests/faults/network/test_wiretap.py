"""The wiretap by itself: bytes written by hand from the specification, whole and in every kind of piece."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame, header
from pamqp.body import ContentBody

from streamapp.audit.evidence import Wired, read_folder
from tests.faults.network.amqp_bytes import (
    CONFIRM,
    HEARTBEAT,
    OPEN,
    PROTOCOL,
    ack,
    consume,
    deliver,
    framed,
    message,
    method,
    nack,
    publish,
    reject,
    returned,
    short,
)
from tests.faults.network.wiretap import Line, Wiretap
from tests.support.lanes import DOWN, UP, Direction

Piece = tuple[Direction, bytes]


def heard(*pieces: Piece) -> list[tuple[str, str | None]]:
    return [(event, more.get("message_id")) for event, more in lines(*pieces)]


def lines(*pieces: Piece) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    line = Line(lambda event, **more: found.append((event, more)))
    for direction, data in pieces:
        line.sees(direction, data)
    return found


def test_publish_is_heard_and_its_confirm_by_number() -> None:
    assert heard(
        (UP, PROTOCOL + OPEN + publish(1, "before:1") + CONFIRM + publish(1, "a:1") + publish(1, "b:1", body=b"")),
        (DOWN, HEARTBEAT + ack(1, 2) + ack(1, 1)),
        (UP, publish(1, None) + publish(1, "c:1", pieces=3)),
        (DOWN, nack(1, 4) + ack(1, 3)),
    ) == [
        *(("publish", "before:1"), ("publish", "a:1"), ("publish", "b:1"), ("confirm", "b:1"), ("confirm", "a:1")),
        *(("publish", None), ("publish", "c:1"), ("refuse", "c:1"), ("confirm", None)),
    ]


@pytest.mark.parametrize(("tag", "last"), [(2, ["c:1"]), (0, [])])
def test_multiple_means_everything_up_to_the_tag_and_zero_means_all(tag: int, last: list[str]) -> None:
    published = publish(1, "a:1") + publish(1, "b:1") + publish(1, "c:1")
    confirmed = heard((UP, OPEN + CONFIRM + published), (DOWN, ack(1, tag, multiple=True)))[3:]
    assert confirmed == [("confirm", name) for name in ("a:1", "b:1", "c:1") if name not in last]
    delivered = deliver(1, 1, "a:1") + deliver(1, 2, "b:1") + deliver(1, 3, "c:1")
    acked = heard((UP, OPEN), (DOWN, delivered), (UP, ack(1, tag, multiple=True)))[3:]
    assert acked == [("ack", name) for name in ("a:1", "b:1", "c:1") if name not in last]
    rejected = heard((UP, OPEN), (DOWN, delivered), (UP, nack(1, tag, multiple=True)))[3:]
    assert rejected == [("reject", name) for name in ("a:1", "b:1", "c:1") if name not in last]


def test_returned_job_is_returned_and_then_confirmed() -> None:
    assert heard((UP, OPEN + CONFIRM + publish(1, "a:1")), (DOWN, returned(1, "a:1") + ack(1, 1))) == [
        ("publish", "a:1"),
        ("return", "a:1"),
        ("confirm", "a:1"),
    ]


def test_deliveries_are_settled_by_their_tags_of_their_channel() -> None:
    found = lines(
        (UP, PROTOCOL + OPEN + method(2, 20, 10, short("")) + consume(1) + consume(2)),
        (DOWN, deliver(1, 1, "a:1") + deliver(2, 1, "b:1", redelivered=True) + deliver(1, 2, None)),
        (UP, ack(2, 1) + reject(1, 1) + ack(1, 2)),
    )
    assert found == [
        ("deliver", {"message_id": "a:1", "redelivered": False}),
        ("deliver", {"message_id": "b:1", "redelivered": True}),
        ("deliver", {"message_id": None, "redelivered": False}),
        ("ack", {"message_id": "b:1"}),
        ("reject", {"message_id": "a:1"}),
        ("ack", {"message_id": None}),
    ]


def test_job_that_was_fetched_is_a_delivery() -> None:
    get = method(1, 60, 70, struct.pack(">H", 0) + short("queue") + b"\x00")
    arguments = struct.pack(">QB", 7, True) + short("jobs") + short("queue") + struct.pack(">I", 3)
    got = method(1, 60, 71, arguments) + message(1, "a:1")
    assert heard((UP, OPEN + get), (DOWN, got), (UP, ack(1, 7))) == [("deliver", "a:1"), ("ack", "a:1")]


def test_channel_that_is_opened_again_begins_anew() -> None:
    assert heard(
        (UP, OPEN + CONFIRM + publish(1, "a:1")),
        (DOWN, deliver(1, 1, "x:1")),
        (UP, OPEN + CONFIRM + publish(1, "b:1")),
        (DOWN, ack(1, 1) + deliver(1, 1, "y:1")),
        (UP, ack(1, 1)),
    )[3:] == [("confirm", "b:1"), ("deliver", "y:1"), ("ack", "y:1")]


def test_message_is_heard_when_its_last_byte_has_passed() -> None:
    job = publish(1, "a:1", pieces=2)
    for cut in range(1, len(job)):
        assert heard((UP, PROTOCOL + OPEN + job[:-cut])) == []
    assert heard((UP, PROTOCOL + OPEN + job)) == [("publish", "a:1")]


CONVERSATION: list[Piece] = [
    (UP, PROTOCOL + OPEN + CONFIRM),
    (DOWN, method(0, 10, 10, b"\x00\x09" + bytes(12)) + method(1, 85, 11)),
    (UP, publish(1, "a:1") + publish(1, "b:1", pieces=4) + HEARTBEAT),
    (DOWN, ack(1, 2, multiple=True) + deliver(1, 1, "a:1") + HEARTBEAT + deliver(1, 2, "b:1", pieces=3)),
    (UP, ack(1, 1) + reject(1, 2)),
]
WHOLE = heard(*CONVERSATION)


@given(st.data())
def test_however_the_bytes_are_cut_the_same_is_heard(data: st.DataObject) -> None:
    def cut(piece: Piece) -> Iterator[Piece]:
        direction, text = piece
        places = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=len(text))))
        for begin, end in zip([0, *places], [*places, len(text)], strict=True):
            yield direction, text[begin:end]

    assert heard(*(part for piece in CONVERSATION for part in cut(piece))) == WHOLE
    assert [event for event, _ in WHOLE].count("unparsed") == 0


@pytest.mark.parametrize(
    ("direction", "data"),
    [
        (UP, b"GET / HTTP/1.1\r\n\r\n"),
        (UP, b"AMPQ\x00\x00\x09\x01"),
        (DOWN, framed(1, 1, b"\x00\x3c\x00\x28")[:-1] + b"\x00"),
        (DOWN, framed(4, 1, b"")),
        (DOWN, b"\x01\x00\x01\xff\xff\xff\xff"),
    ],
)
def test_what_is_no_frame_is_told_once_and_ends_this_direction(direction: Direction, data: bytes) -> None:
    (found,) = lines((direction, data), (direction, publish(1, "a:1") + ack(1, 1)))
    assert found[0] == "unparsed"
    assert found[1]["detail"].startswith(direction)


@pytest.mark.parametrize(
    ("direction", "data"),
    [
        (UP, method(1, 60, 99)),
        (UP, method(1, 90, 10)),
        (UP, framed(1, 1, b"\x00")),
        (UP, method(1, 60, 110, b"\x01")),
        (UP, ack(1, 5)),
        (DOWN, ack(1, 5)),
        (UP, method(1, 60, 80, b"\x00")),
        (UP, consume(1, no_ack=True)),
        (UP, message(1, "a:1", b"")),
        (DOWN, framed(3, 1, b"body")),
        (UP, method(1, 60, 40, b"") + framed(2, 1, bytes(3))),
        (UP, method(1, 60, 40, b"") + framed(2, 1, struct.pack(">HHQH", 60, 0, 0, 1))),
        (UP, method(1, 60, 40, b"") + framed(2, 1, struct.pack(">HHQH", 60, 0, 0, 0x0080) + b"\x05abc")),
        (UP, method(1, 60, 40, b"") + framed(2, 1, struct.pack(">HHQH", 60, 0, 1, 0)) + framed(3, 1, b"12")),
    ],
)
def test_frame_that_is_not_understood_is_told_and_the_next_one_is_heard(direction: Direction, data: bytes) -> None:
    events = [event for event, _ in lines((UP, OPEN), (direction, data), (UP, OPEN + publish(1, "next:1")))]
    assert events == ["unparsed", "publish"]


def test_reads_what_another_implementation_writes() -> None:
    properties = commands.Basic.Properties(
        content_type="a/b", content_encoding="c", headers={"x": 1, "y": "z"}, delivery_mode=2, priority=1,
        correlation_id="task", reply_to="r", expiration="10", message_id="task:7", user_id="u", app_id="a",
    )  # fmt: skip
    frames: list[Any] = [
        (UP, commands.Channel.Open()),
        (UP, commands.Confirm.Select()),
        (UP, commands.Basic.Publish(exchange="e", routing_key="k")),
        (UP, header.ContentHeader(body_size=4, properties=properties)),
        (UP, ContentBody(b"body")),
        (DOWN, commands.Basic.Ack(1, False)),
        (DOWN, commands.Basic.Deliver("tag", 9, True, "e", "k")),
        (DOWN, header.ContentHeader(body_size=0, properties=properties)),
        (UP, commands.Basic.Nack(9, False, True)),
    ]
    pieces = [(direction, frame.marshal(item, 1)) for direction, item in frames]
    assert heard(*pieces) == [(event, "task:7") for event in ("publish", "confirm", "deliver", "reject")]


def test_lines_are_evidence_that_the_audit_reads(tmp_path: Path) -> None:
    times = iter((5, 7, 8))
    tap = Wiretap(tmp_path / "wire.jsonl", lambda: next(times))
    first, second = tap.connected(1), tap.connected(2)
    assert not (tmp_path / "wire.jsonl").exists()
    first(DOWN, deliver(1, 1, "a:1", redelivered=True))
    first(UP, ack(1, 1))
    second(DOWN, b"HTTP/1.1 400 \r\n")
    tap.close()
    assert json.loads((tmp_path / "wire.jsonl").read_text().splitlines()[1])["at"] == 7
    assert read_folder(tmp_path, []).wire == [
        Wired(5, "deliver", 1, "a:1", True),
        Wired(7, "ack", 1, "a:1"),
        Wired(8, "unparsed", 2, detail="down: no frame begins with 485454502f312e"),
    ]
