"""What a client and a process that runs instances say to each other: lines of JSON over one stream, in both directions.

The client numbers the instances. It says ``start`` and ``signal``; it is told what an instance writes, and its end. A
side that is gone is noticed by the end of the stream: the instances end with their client.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

__all__ = ["MAX_LINE_BYTES", "MAX_TEXT", "Exited", "Message", "Output", "SendSignal", "Start", "decode", "encode"]

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""The longest line that is understood. Whoever starts a program sees to its arguments and variables."""
MAX_TEXT: Final = 256 * 1024
"""Characters of one piece of output: a character has up to 12 bytes in a line."""


@dataclass(frozen=True, slots=True)
class Start:
    """Runs a program."""

    id: int
    argv: list[str]
    """Its name, as the process knows it, and its arguments."""
    env: dict[str, str]
    """All of its environment."""


@dataclass(frozen=True, slots=True)
class SendSignal:
    """Does to an instance what the signal does to a process; nothing to one that has ended."""

    id: int
    number: int


@dataclass(frozen=True, slots=True)
class Output:
    """What an instance has written to its standard output or standard error."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The last that is said of an instance."""

    id: int
    code: int
    """Its exit code, or the negative number of the signal that ended it."""


Message = Start | SendSignal | Output | Exited
_KINDS: Final[dict[str, type[Message]]] = {kind.__name__: kind for kind in (Start, SendSignal, Output, Exited)}


def encode(message: Message) -> bytes:
    """A line, with its end."""
    return json.dumps([type(message).__name__, asdict(message)]).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Reads a line. Raises ValueError: it is none of these; the two sides are not of one release."""
    try:
        kind, fields = json.loads(line)
        message = _KINDS[kind](**fields)
        _check_types(message)
        return message
    except (TypeError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"no message of this protocol: {line[:100]!r}") from error


def _check_types(message: Message) -> None:
    """Raises TypeError."""
    match message:
        case Start(id=int(), argv=list(), env=dict()) | SendSignal(id=int(), number=int()):
            pass
        case Output(id=int(), text=str()) | Exited(id=int(), code=int()):
            pass
        case _:
            raise TypeError
