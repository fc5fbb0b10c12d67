"""Requests and answers as the server sees them, whether HTTP carries them (``listener``) or a call (``inprocess``)."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["JSON", "PROTOBUF", "YAML", "Answer", "Request", "Serve", "Stream"]

JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
YAML = "application/yaml"


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    path: str
    """Decoded, without the query."""
    query: Mapping[str, str] = field(default_factory=dict)
    """If a parameter comes more than once: the first."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    def header(self, name: str) -> str:
        """The value of a header, by its name in lower case; empty when it is not there."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer in parts: a watch, a log that is followed."""

    chunks: AsyncGenerator[bytes, None]
    """The body. Raises ConnectionResetError when the connection is to be cut off in the middle."""
    content_type: str = JSON


Serve = Callable[[Request], Awaitable[Answer | Stream]]
"""Answers a request. Raises ConnectionResetError when the connection is to be cut off."""
