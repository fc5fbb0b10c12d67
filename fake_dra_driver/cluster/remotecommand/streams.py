"""What a command sees of its client: input, two outputs, the size of the terminal, and how it ends."""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from fake_dra_driver.cluster.remotecommand.inputbuffer import InputBuffer

__all__ = ["ClientLeftError", "Output", "RemoteStreams", "StreamOptions", "TerminalSize", "TerminalSizes", "Wire"]

Output = Literal["stdout", "stderr"]

_MAX_SIZE_TEXT: Final = 1024
"""Characters of a size. kubectl's have less than 40."""
_SIZES_OF_A_TURN: Final = 256
"""How many sizes are read before others get a turn of the event loop: a millisecond."""
_NO_SPACE: Final = re.compile(r"[^ \t\r\n]")
_MAX_SIDE: Final = 0xFFFF
_DECODER: Final = json.JSONDecoder()


class ClientLeftError(Exception):
    """The client has gone, or what it sends makes no sense: nobody waits for an answer."""


class Wire(Protocol):
    """A connection that has been handed over: it carries bytes, or with WebSocket whole messages."""

    async def read(self) -> bytes | None:
        """What comes next; None: the client has gone."""
        ...

    async def write(self, data: bytes) -> None:
        """Sends bytes, or a message. Waits while the client does not read. Raises ConnectionError when it has gone."""
        ...


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Which streams a client wants."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """How much of its output a terminal shows."""

    columns: int
    rows: int


class RemoteStreams(ABC):
    """The streams of one session. ``receive`` has to run for as long as any other method is used."""

    client_leaves_first: bool
    """Whether a client closes the connection when all streams have ended, or waits for that."""

    def __init__(self, options: StreamOptions) -> None:
        self.options = options
        self.input = InputBuffer()
        """Standard input; nothing comes if the client did not ask for it."""
        self.resizes = InputBuffer()
        """Sizes of the client's terminal; see ``TerminalSizes``."""
        if not options.stdin:
            self.input.end()

    def discard_input(self) -> None:
        """Nothing more is wanted of the client."""
        self.input.discard()
        self.resizes.discard()

    @abstractmethod
    async def receive(self) -> None:
        """Takes what the client sends, until it has gone. Raises ClientLeftError when it makes no sense."""

    @abstractmethod
    async def ready(self) -> None:
        """Waits until all streams are there that the client asked for.

        Raises:
            ClientLeftError: they do not come.
        """

    @abstractmethod
    async def write(self, output: Output, data: bytes) -> None:
        """Sends output. Waits while the client does not read. Raises ConnectionError when it has gone."""

    @abstractmethod
    async def finish(self, status: Mapping[str, Any]) -> None:
        """Says how the command has ended, and ends all streams. Raises ConnectionError when the client has gone."""


class TerminalSizes:
    """The sizes that a client sends, as JSON, one after the other.

    Args:
        source: where they come from.
    """

    def __init__(self, source: InputBuffer) -> None:
        self._source = source
        self._text = ""

    async def latest(self) -> TerminalSize | None:
        """The last of those that have come since the last call, as soon as there is one; None: no more come.

        After something that is no size nothing more counts, as with a real kubelet.
        """
        while data := await self._source.get():
            self._text += data.decode(errors="replace")
            try:
                found = await self._parse()
            except ValueError:
                break
            if found is not None:
                return found
        self._source.discard()
        return None

    async def _parse(self) -> TerminalSize | None:
        """The last whole size of the text, of which only the beginning of one more is kept. Raises ValueError."""
        text, at, count, found = self._text, 0, 0, None
        while (start := _NO_SPACE.search(text, at)) is not None:
            at = start.start()
            part = text[at : at + _MAX_SIZE_TEXT]
            try:
                value, length = _DECODER.raw_decode(part)
            except (ValueError, RecursionError) as error:
                if len(part) == _MAX_SIZE_TEXT:
                    raise ValueError("this is no size of a terminal") from error
                break
            at, count, found = at + length, count + 1, _size(value)
            if count % _SIZES_OF_A_TURN == 0:
                await asyncio.sleep(0)
        else:
            at = len(text)
        self._text = text[at:]
        return found


def _size(value: object) -> TerminalSize:
    """Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("a size is an object")
    sides = {str(name).lower(): side for name, side in value.items()}  # as Go decodes
    found = [sides.get(name, 0) for name in ("width", "height")]
    if not all(type(side) is int and 0 <= side <= _MAX_SIDE for side in found):
        raise ValueError("the sides of a size are numbers of 16 bits")
    return TerminalSize(*found)
