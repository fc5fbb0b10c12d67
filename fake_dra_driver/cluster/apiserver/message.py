"""Requests and answers as the server sees them, whether HTTP carries them (``listener``) or a call (``inprocess``)."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fake_dra_driver.cluster.remotecommand.negotiation import Agreement
from fake_dra_driver.cluster.remotecommand.streams import Wire

__all__ = ["JSON", "PROTOBUF", "YAML", "Answer", "Request", "Serve", "Stream", "Upgrade"]

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
    repeated: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """All values of the parameters that come more than once."""

    def header(self, name: str) -> str:
        """The value of a header, by its name in lower case; empty when it is not there."""
        return self.headers.get(name, "")

    def values(self, name: str) -> Sequence[str]:
        """All values of a parameter, in their order."""
        return self.repeated.get(name) or ([self.query[name]] if name in self.query else [])


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


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The connection is handed over: after the answer it no longer carries HTTP."""

    agreement: Agreement
    run: Callable[[Wire], Awaitable[None]]
    """Uses the connection until nothing more is to be said. Cancelled when the client has gone."""


Serve = Callable[[Request], Awaitable[Answer | Stream | Upgrade]]
"""Answers a request. Raises ConnectionResetError when the connection is to be cut off."""
