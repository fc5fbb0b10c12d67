"""Frames of SPDY/3.1: from bytes to frames and back, without a connection.

Follows section 2.6 of the draft of SPDY/3.1, as far as client-go and kubelets use it (github.com/moby/spdystream):
there is no flow control but TCP's, so windows and settings are read and have no effect. Data is handed on as it comes,
however long its frame is: only control frames are kept until they are complete, and those are short.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.cluster.remotecommand.headerblock import HeaderBlockError, HeaderReader, HeaderWriter

__all__ = [
    "Data",
    "Frame",
    "FrameError",
    "FrameReader",
    "FrameWriter",
    "GoAway",
    "Ping",
    "Reset",
    "StreamOpened",
    "StreamReplied",
]

MAX_CONTROL_BYTES: Final = 16 * 1024
"""Of a control frame. One that opens a stream has less than 200."""
MAX_DATA_BYTES: Final = 32 * 1024
"""Of the data frames that are sent: what io.Copy in Go reads at once."""
_VERSION: Final = 3
_CONTROL: Final = 0x80000000
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
_IGNORED: Final = frozenset({_SETTINGS, _WINDOW_UPDATE})
_SIZES: Final = {_SYN_STREAM: 10, _SYN_REPLY: 4, _RST_STREAM: 8, _PING: 4, _GOAWAY: 8, _HEADERS: 4}
"""By type, how long a control frame is at least, without its head and its headers."""
_FIN: Final = 0x01
_HEAD: Final = struct.Struct(">II")
_NUMBER: Final = struct.Struct(">I")
_TWO_NUMBERS: Final = struct.Struct(">II")
_SYN_STREAM_HEAD: Final = struct.Struct(">IIH")
_MAX_STREAM: Final = 0x7FFFFFFF


class FrameError(Exception):
    """What came is no frame of SPDY/3.1, or is too large: nothing that follows can be read."""


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """SYN_STREAM."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class StreamReplied:
    """SYN_REPLY."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """A data frame, or a part of one."""

    stream: int
    data: bytes
    is_last: bool = False
    """Whether the sender has nothing more to send on the stream."""


@dataclass(frozen=True, slots=True)
class Reset:
    """RST_STREAM: the stream has ended in both directions."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ping:
    """PING; odd numbers are the client's."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """GOAWAY: no more streams."""

    last_stream: int
    status: int = 0


Frame = StreamOpened | StreamReplied | Data | Reset | Ping | GoAway


class FrameReader:
    """Makes frames of the bytes of one connection, as they come."""

    def __init__(self) -> None:
        self._headers = HeaderReader()
        self._rest = bytearray()
        # What has come of a control frame, or of the head of any frame.
        self._stream = self._data_left = 0
        self._is_last = False
        # Of the data frame that has not come to its end.

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete. To be used up before the next call.

        Raises:
            FrameError: see there.
        """
        self._rest += data
        while self._rest:
            if self._data_left:
                yield self._data()
                continue
            if len(self._rest) < _HEAD.size:
                return
            first, second = _HEAD.unpack_from(self._rest)
            flags, size = second >> 24, second & 0xFFFFFF
            if not first & _CONTROL:
                del self._rest[: _HEAD.size]
                self._stream, self._data_left, self._is_last = _valid_stream(first), size, bool(flags & _FIN)
                if not size:
                    yield Data(self._stream, b"", self._is_last)
                continue
            if size > MAX_CONTROL_BYTES:
                raise FrameError(f"a control frame has {size} bytes, more than {MAX_CONTROL_BYTES}")
            if len(self._rest) < _HEAD.size + size:
                return
            body = bytes(self._rest[_HEAD.size : _HEAD.size + size])
            del self._rest[: _HEAD.size + size]
            yield from self._control((first & ~_CONTROL) >> 16, first & 0xFFFF, flags, body)

    def _data(self) -> Data:
        part = bytes(self._rest[: self._data_left])
        del self._rest[: len(part)]
        self._data_left -= len(part)
        return Data(self._stream, part, self._is_last and not self._data_left)

    def _control(self, version: int, kind: int, flags: int, body: bytes) -> Iterator[Frame]:
        if version != _VERSION:
            raise FrameError(f"a frame is of version {version} of SPDY, not of {_VERSION}")
        if kind in _IGNORED:
            return
        if kind not in _SIZES:
            raise FrameError(f"there are no frames of type {kind} in SPDY/3.1")
        if len(body) < _SIZES[kind]:
            raise FrameError(f"a control frame of type {kind} has only {len(body)} bytes")
        is_last = bool(flags & _FIN)
        match kind:
            case 1:
                stream, _, _ = _SYN_STREAM_HEAD.unpack_from(body)
                yield StreamOpened(_valid_stream(stream), self._decoded(body[_SIZES[kind] :]), is_last)
            case 2:
                (stream,) = _NUMBER.unpack_from(body)
                yield StreamReplied(_valid_stream(stream), self._decoded(body[_SIZES[kind] :]), is_last)
            case 3:
                stream, status = _TWO_NUMBERS.unpack_from(body)
                yield Reset(_valid_stream(stream), status)
            case 6:
                (number,) = _NUMBER.unpack_from(body)
                yield Ping(number)
            case 7:
                yield GoAway(*_TWO_NUMBERS.unpack_from(body))
            case 8:
                # More headers of a stream: decompressed, since later blocks depend on it; nobody sends any.
                (stream,) = _NUMBER.unpack_from(body)
                self._decoded(body[_SIZES[kind] :])
                if is_last:
                    yield Data(_valid_stream(stream), b"", True)

    def _decoded(self, block: bytes) -> Mapping[str, str]:
        try:
            return self._headers.decode(block)
        except HeaderBlockError as error:
            raise FrameError(str(error)) from error


class FrameWriter:
    """Makes the bytes of the frames of one connection, in the order in which they are sent."""

    def __init__(self) -> None:
        self._headers = HeaderWriter()

    def encode(self, frame: Frame) -> bytes:
        """The bytes of a frame; data of any length becomes as many frames as it takes."""
        match frame:
            case StreamOpened():
                head = _SYN_STREAM_HEAD.pack(frame.stream, 0, 0)
                return _control(_SYN_STREAM, head + self._headers.encode(frame.headers), is_last=frame.is_last)
            case StreamReplied():
                body = _NUMBER.pack(frame.stream) + self._headers.encode(frame.headers)
                return _control(_SYN_REPLY, body, is_last=frame.is_last)
            case Data():
                return _data_frames(frame)
            case Reset():
                return _control(_RST_STREAM, _TWO_NUMBERS.pack(frame.stream, frame.status))
            case Ping():
                return _control(_PING, _NUMBER.pack(frame.number))
            case GoAway():
                return _control(_GOAWAY, _TWO_NUMBERS.pack(frame.last_stream, frame.status))


def _control(kind: int, body: bytes, *, is_last: bool = False) -> bytes:
    return _HEAD.pack(_CONTROL | _VERSION << 16 | kind, is_last << 24 | len(body)) + body


def _data_frames(frame: Data) -> bytes:
    parts = [frame.data[at : at + MAX_DATA_BYTES] for at in range(0, len(frame.data), MAX_DATA_BYTES)] or [b""]
    last = len(parts) - 1
    return b"".join(
        _HEAD.pack(frame.stream, (frame.is_last and number == last) << 24 | len(part)) + part
        for number, part in enumerate(parts)
    )


def _valid_stream(number: int) -> int:
    if not 0 < number <= _MAX_STREAM:
        raise FrameError(f"there is no stream {number}")
    return number
