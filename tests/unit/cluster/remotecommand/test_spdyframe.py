"""Frames of SPDY/3.1: as client-go sends them, in any pieces, and as no client should."""

import contextlib
import struct
import zlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fake_dra_driver.cluster.remotecommand.headerblock import MAX_BLOCK_BYTES
from fake_dra_driver.cluster.remotecommand.spdyframe import (
    MAX_CONTROL_BYTES,
    MAX_DATA_BYTES,
    Data,
    Frame,
    FrameError,
    FrameReader,
    FrameWriter,
    GoAway,
    Ping,
    Reset,
    StreamOpened,
    StreamReplied,
)
from tests.crash.bounds import examples

RECORDED = [
    "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff",
    "800300010000001700000003000000000000c22e555c92929907000000ffff",
    "800300010000001900000005000000000000c22ac5565c92925f5a02000000ffff",
    "800300010000001500000007000000000000c229975a5404000000ffff",
    "000000030000000368690a",
    "0000000301000000",
]
"""What kubectl 1.27 has sent for ``echo hi | kubectl exec -i pod -- cat``."""
DICTIONARY_CHECKSUM = 0xE3C6A7C2
"""Of the dictionary of SPDY/3, as it is in the head of each first block."""

_STREAMS = st.integers(1, 2**31 - 1)
_HEADERS = st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=4)
_FRAMES = st.one_of(
    st.builds(StreamOpened, _STREAMS, _HEADERS, st.booleans()),
    st.builds(StreamReplied, _STREAMS, _HEADERS, st.booleans()),
    st.builds(Data, _STREAMS, st.binary(max_size=200), st.booleans()),
    st.builds(Reset, _STREAMS, st.integers(1, 11)),
    st.builds(Ping, st.integers(1, 2**32 - 1)),
    st.builds(GoAway, st.integers(0, 2**31 - 1), st.integers(0, 2)),
)


def read(*pieces: bytes) -> list[Frame]:
    """The frames of these bytes."""
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


def control(kind: int, body: bytes, *, version: int = 3, flags: int = 0, size: int | None = None) -> bytes:
    """A control frame, which may lie about its size."""
    head = struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | (len(body) if size is None else size))
    return head + body


def opened(block: bytes) -> bytes:
    """A frame that opens stream 1 with this block of headers."""
    return control(1, struct.pack(">IIH", 1, 0, 0) + block)


def compressed(plain: bytes) -> bytes:
    """A first block of headers."""
    reader = FrameWriter()
    compressor = reader._headers._compressor
    return compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH)


def joined(frames: list[Frame]) -> list[Frame]:
    """The same with all data of a stream that comes in a row in one frame."""
    found: list[Frame] = []
    for frame in frames:
        last = found[-1] if found else None
        is_same = isinstance(frame, Data) and isinstance(last, Data) and last.stream == frame.stream
        if is_same and isinstance(frame, Data) and isinstance(last, Data) and not last.is_last:
            found[-1] = Data(frame.stream, last.data + frame.data, frame.is_last)
        else:
            found.append(frame)
    return found


def test_what_kubectl_sends() -> None:
    found = read(*map(bytes.fromhex, RECORDED))
    kinds = ["error", "stdin", "stdout", "stderr"]
    assert found[:4] == [StreamOpened(2 * n + 1, {"streamtype": kind}) for n, kind in enumerate(kinds)]
    assert found[4:] == [Data(3, b"hi\n"), Data(3, b"", True)]


def test_the_dictionary_is_that_of_the_draft() -> None:
    block = FrameWriter().encode(StreamReplied(1))[12:]
    assert struct.unpack_from(">I", block, 2) == (DICTIONARY_CHECKSUM,)


@examples(100, 5_000)
@given(st.lists(_FRAMES, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_frames_survive_any_pieces(frames: list[Frame], sizes: list[int]) -> None:
    writer = FrameWriter()
    stream = b"".join(writer.encode(frame) for frame in frames)
    pieces, at = list[bytes](), 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    assert joined(read(*pieces)) == joined(frames)


def test_much_data_becomes_several_frames() -> None:
    data = bytes(2 * MAX_DATA_BYTES + 1)
    found = read(FrameWriter().encode(Data(1, data, True)))
    assert [len(frame.data) for frame in found if isinstance(frame, Data)] == [MAX_DATA_BYTES, MAX_DATA_BYTES, 1]
    assert [frame.is_last for frame in found if isinstance(frame, Data)] == [False, False, True]


def test_data_is_handed_on_before_its_frame_is_complete() -> None:
    head = struct.pack(">II", 1, 0xFFFFFF)
    assert read(head, b"abc", b"def") == [Data(1, b"abc"), Data(1, b"def")]


def test_settings_and_windows_have_no_effect() -> None:
    assert read(control(4, struct.pack(">III", 1, 7, 100)), control(9, struct.pack(">II", 1, 100))) == []


def test_more_headers_of_a_stream_have_no_effect() -> None:
    writer = FrameWriter()
    first = writer.encode(StreamOpened(1, {"a": "b"}))
    more = control(8, struct.pack(">I", 1) + writer._headers.encode({"c": "d"}), flags=1)
    then = writer.encode(StreamOpened(3, {"e": "f"}))
    assert read(first, more, then)[1:] == [Data(1, b"", True), StreamOpened(3, {"e": "f"})]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (control(1, b"", size=MAX_CONTROL_BYTES + 1), "more than"),
        (control(1, b"", version=2), "version 2"),
        (control(5, b"1234"), "no frames of type 5"),
        (control(3, b"1234"), "has only 4 bytes"),
        (opened(b"not compressed"), "cannot be decompressed"),
        (opened(compressed(b"")), "cut short"),
        (opened(compressed(struct.pack(">II", 1, 100))), "cut short"),
        (opened(compressed(struct.pack(">II", 1, 1) + b"ab")), "cut short"),
        (opened(compressed(struct.pack(">II", 7, 0))), "has 7 headers"),
        (opened(compressed(struct.pack(">IIII", 1, 0, 0, 0))), "has 1 headers"),
        (opened(compressed(struct.pack(">I", 1_000) + bytes(8_000))), "1000 headers, more than"),
        (struct.pack(">II", 0, 0), "no stream 0"),
        (control(3, struct.pack(">II", 0, 1)), "no stream 0"),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(FrameError, match=says):
        read(data)


def test_a_few_bytes_that_stand_for_many_are_refused() -> None:
    bomb = compressed(struct.pack(">II", 1, 2**31) + bytes(10 * 1024 * 1024))
    assert len(bomb) < MAX_CONTROL_BYTES
    with pytest.raises(FrameError, match=f"more than {MAX_BLOCK_BYTES} bytes"):
        read(opened(bomb))


def test_blocks_are_bounded_one_by_one_and_not_together() -> None:
    writer = FrameWriter()
    frames = [writer.encode(StreamOpened(2 * n + 1, {"a": "x" * (MAX_BLOCK_BYTES // 2)})) for n in range(10)]
    assert len(read(*frames)) == 10


@examples(200, 20_000)
@given(st.lists(st.one_of(st.binary(max_size=40), _FRAMES), max_size=6))
def test_nothing_else_is_raised(parts: list[bytes | Frame]) -> None:
    """Whatever comes is a frame, the beginning of one, or refused."""
    writer, reader = FrameWriter(), FrameReader()
    with contextlib.suppress(FrameError):
        for part in parts:
            for frame in reader.feed(part if isinstance(part, bytes) else writer.encode(part)):
                assert isinstance(frame, Frame)
