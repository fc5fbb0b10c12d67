"""Which protocol a client asks for when it wants to have a connection handed over: SPDY/3.1, or WebSocket.

Follows k8s.io/apimachinery/pkg/util/httpstream (Handshake) and wsstream, with their words. A client that asks for
WebSocket and is refused, tries SPDY/3.1 (kubectl from 1.31 on).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.cluster.remotecommand.channelprotocol import CHANNEL_PROTOCOLS, ChannelStreams, is_text
from fake_dra_driver.cluster.remotecommand.spdystreams import SPDY_VERSIONS, SpdyStreams
from fake_dra_driver.cluster.remotecommand.streams import RemoteStreams, StreamOptions, Wire

__all__ = ["SPDY", "WEBSOCKET", "Agreement", "NegotiationError", "agree", "is_upgrade"]

SPDY: Final = "SPDY/3.1"
WEBSOCKET: Final = "websocket"
_VERSIONS_HEADER: Final = "X-Stream-Protocol-Version"
_FORWARDING: Final = "portforward.k8s.io"


class NegotiationError(Exception):
    """There is no protocol that both sides speak.

    Args:
        code: of the HTTP answer.
        message: its text.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is spoken on a connection once it is handed over."""

    protocol: str
    """``SPDY`` or ``WEBSOCKET``."""
    version: str
    """Of remotecommand, or what forwards ports; with WebSocket, the subprotocol; empty: the client names none."""

    @property
    def is_text(self) -> bool:
        """Whether messages are texts."""
        return self.protocol == WEBSOCKET and is_text(self.version)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Of the answer with which the connection is handed over, in addition to those of WebSocket itself."""
        return ((_VERSIONS_HEADER, self.version),) if self.protocol == SPDY else ()

    def make_streams(self, wire: Wire, options: StreamOptions) -> RemoteStreams:
        """The streams of a session, which is none that forwards ports."""
        make = SpdyStreams if self.protocol == SPDY else ChannelStreams
        return make(wire, options, self.version)


def is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether a request, by its headers with names in lower case, asks for another protocol."""
    return "upgrade" in headers.get("connection", "").lower()


def agree(headers: Mapping[str, str], *, forwards: bool = False) -> Agreement:
    """What to speak with the client that has sent these headers, which ask for another protocol.

    Args:
        headers: names in lower case.
        forwards: whether ports are to be forwarded: always in SPDY, which WebSocket may carry.

    Raises:
        NegotiationError: nothing of what it asks for is known.
    """
    wanted = headers.get("upgrade", "").lower()
    known = (_FORWARDING,) if forwards else SPDY_VERSIONS
    if wanted == WEBSOCKET:
        protocols = _listed(headers.get("sec-websocket-protocol", "")) or [""]
        return _agree_on_websocket(protocols, (f"{SPDY}+{_FORWARDING}",) if forwards else CHANNEL_PROTOCOLS)
    if _VERSIONS_HEADER.lower() not in headers:
        count = len(headers)
        raise NegotiationError(
            400, f"unable to upgrade: header {_VERSIONS_HEADER} does not exist in request with {count} headers"
        )
    versions = _listed(headers[_VERSIONS_HEADER.lower()])
    version = next((each for each in versions if each in known), None)
    if version is None:
        supported, accepted = " ".join(versions), " ".join(known)
        raise NegotiationError(
            403,
            f"unable to upgrade: unable to negotiate protocol: client supports [{supported}], "
            f"server accepts [{accepted}]",
        )
    if SPDY.lower() not in wanted:
        raise NegotiationError(400, f"unable to upgrade: missing upgrade headers in request: Upgrade is not {SPDY}")
    return Agreement(SPDY, version)


def _agree_on_websocket(protocols: Sequence[str], known: Sequence[str]) -> Agreement:
    protocol = next((each for each in protocols if each in known), None)
    if protocol is None:
        wanted, supported = " ".join(protocols), " ".join(filter(None, known))
        raise NegotiationError(403, f"requested protocol(s) are not supported: [{wanted}]; supports [{supported}]")
    return Agreement(WEBSOCKET, protocol)


def _listed(text: str) -> list[str]:
    return [each for part in text.split(",") if (each := part.strip())]
