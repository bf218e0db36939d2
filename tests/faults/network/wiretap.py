"""A wiretap between streamapp and RabbitMQ: what was published, confirmed, delivered and acked, by message id and time.

In: the bytes of every connection as they pass its end at streamapp's side. Out: a line of evidence for every event
(`streamapp.audit.evidence.Wired`), and an `unparsed` one for whatever is not understood: a wire with such a line has
not been listened to. An ack has the time at which it had left the worker, so whatever was durable before has no later
one. A confirm has the time at which it was about to reach dispatch, so what was done because of it has no earlier one.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tests.faults.network import frames
from tests.faults.network.frames import Frame, Frames, Method, Unreadable
from tests.support.lanes import DOWN, UP, Direction
from tests.support.proxy import Sees

CONTENT = frozenset({(UP, Method.PUBLISH), (DOWN, Method.RETURN), (DOWN, Method.DELIVER), (DOWN, Method.GET_OK)})
"""Methods that a header and a body follow."""
METHODS = frozenset(Method)
NOT_UNDERSTOOD = frozenset({Method.RECOVER, Method.RECOVER_ASYNC})
"""They move deliveries about in ways that are not followed here, and nobody here uses them."""


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Wiretap:
    """Writes its lines to `path`, from the first event on. `connected` is the tap of a proxy."""

    def __init__(self, path: Path, now: Callable[[], int] = now_ms) -> None:
        self._path = path
        self._now = now
        self._file: TextIO | None = None

    def connected(self, number: int) -> Sees:
        """Listen to one more connection."""
        return Line(lambda event, **more: self._write(event, number, **more)).sees

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, event: str, connection: int, **more: object) -> None:
        if self._file is None:
            self._file = self._path.open("a", buffering=1)
        self._file.write(json.dumps({"at": self._now(), "event": event, "connection": connection, **more}) + "\n")


@dataclass(slots=True)
class Message:
    """A message of which not everything has passed yet. `missing` bytes of its body; None before its header."""

    method: Method
    arguments: bytes
    id: str | None = None
    missing: int | None = None


@dataclass(slots=True)
class Channel:
    """What is known of one channel. `unconfirmed` by number of publication, `unsettled` by delivery tag."""

    confirming: bool = False
    published: int = 0
    unconfirmed: dict[int, str | None] = field(default_factory=dict)
    unsettled: dict[int, str | None] = field(default_factory=dict)
    passing: dict[Direction, Message] = field(default_factory=dict)


class Line:
    """One connection that is listened to."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._frames: dict[Direction, Frames | None] = {UP: Frames(), DOWN: Frames()}
        self._channels: dict[int, Channel] = {}

    def sees(self, direction: Direction, data: bytes) -> None:
        """Take the next bytes of one direction."""
        parser = self._frames[direction]
        if parser is None:
            return
        try:
            for frame in parser.feed(data):
                self._understand(direction, frame)
        except Unreadable as error:  # of the framing: there is no way to find the next frame
            self._frames[direction] = None
            self._unparsed(direction, error)

    def _understand(self, direction: Direction, frame: Frame) -> None:
        channel = self._channels.setdefault(frame.channel, Channel())
        try:
            match frame.type:
                case frames.METHOD:
                    self._method(direction, frame, channel)
                case frames.HEADER:
                    self._header(direction, frame, channel)
                case frames.BODY:
                    self._body(direction, frame, channel)
        except Unreadable as error:
            self._unparsed(direction, error)

    def _unparsed(self, direction: Direction, error: Unreadable) -> None:
        self._write("unparsed", detail=f"{direction}: {error}")

    def _method(self, direction: Direction, frame: Frame, channel: Channel) -> None:
        number, arguments = frames.method_of(frame.payload)
        channel.passing.pop(direction, None)
        if number not in METHODS:
            return
        method = Method(number)
        if (direction, method) in CONTENT:
            channel.passing[direction] = Message(method, arguments)
            return
        if method in NOT_UNDERSTOOD:
            raise Unreadable(f"{method.name} is not followed")
        match direction, method:
            case "up", Method.CHANNEL_OPEN:
                self._channels[frame.channel] = Channel()
            case "up", Method.CONFIRM_SELECT:
                channel.confirming = True
            case "up", Method.CONSUME | Method.GET:
                if frames.asks_for_no_acks(arguments, consumer=method is Method.CONSUME):
                    raise Unreadable(f"{method.name} without acks is not followed")
            case "up", Method.ACK:
                self._settled("ack", channel.unsettled, *frames.delivery_tag(arguments))
            case "up", Method.NACK:
                self._settled("reject", channel.unsettled, *frames.delivery_tag(arguments))
            case "up", Method.REJECT:
                self._settled("reject", channel.unsettled, frames.delivery_tag(arguments)[0], multiple=False)
            case "down", Method.ACK:
                self._settled("confirm", channel.unconfirmed, *frames.delivery_tag(arguments))
            case "down", Method.NACK:
                self._settled("refuse", channel.unconfirmed, *frames.delivery_tag(arguments))

    def _settled(self, event: str, waiting: dict[int, str | None], tag: int, multiple: bool) -> None:
        """With `multiple` everything up to the tag, and tag 0 means everything (specification, basic.ack)."""
        tags: Iterable[int] = [number for number in waiting if number <= tag or tag == 0] if multiple else [tag]
        for number in tags:
            if number not in waiting:
                raise Unreadable(f"{event} of {number}, which is not open")
            self._write(event, message_id=waiting.pop(number))

    def _header(self, direction: Direction, frame: Frame, channel: Channel) -> None:
        message = channel.passing.get(direction)
        if message is None or message.missing is not None:
            raise Unreadable("a header without a method before it")
        message.missing, message.id = frames.content(frame.payload)
        self._passed(direction, channel, message)

    def _body(self, direction: Direction, frame: Frame, channel: Channel) -> None:
        message = channel.passing.get(direction)
        if message is None or message.missing is None:
            raise Unreadable("a body without a header before it")
        message.missing -= len(frame.payload)
        if message.missing < 0:
            raise Unreadable("a body longer than its header says")
        self._passed(direction, channel, message)

    def _passed(self, direction: Direction, channel: Channel, message: Message) -> None:
        if message.missing:
            return
        del channel.passing[direction]
        match message.method:
            case Method.PUBLISH:
                if channel.confirming:
                    channel.published += 1
                    channel.unconfirmed[channel.published] = message.id
                self._write("publish", message_id=message.id)
            case Method.RETURN:
                self._write("return", message_id=message.id)
            case _:
                with_consumer = message.method is Method.DELIVER
                tag, redelivered = frames.delivered(message.arguments, with_consumer=with_consumer)
                channel.unsettled[tag] = message.id
                self._write("deliver", message_id=message.id, redelivered=redelivered)
