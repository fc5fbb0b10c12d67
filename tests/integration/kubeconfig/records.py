"""What servers and proxies note of the clients that come: the part of it in which two programs can be compared."""

from dataclasses import dataclass
from typing import Final

__all__ = ["Call", "Hello", "Outcome", "ProxyCall", "Recorder", "api_prefix"]

_FIRST_REQUESTS: Final = ("/apis/resource.k8s.io", "/api")
"""Paths that ``status`` and ``kubectl api-versions`` ask for first."""


@dataclass(frozen=True, slots=True)
class ProxyCall:
    """What a client asked a proxy for."""

    proxy: str
    """Name of the proxy."""
    method: str
    """``CONNECT``, ``GET`` or ``SOCKS5``."""
    target: str
    """Where the proxy was to go: host and port, or an absolute URL without its path."""
    authorization: str | None = None
    """``Proxy-Authorization``, or user and password of SOCKS5."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The beginning of a TLS handshake."""

    server: str
    """Name of the server, or of the proxy."""
    sni: str | None
    """The host name that the client expects; none for an address."""


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request to an API server."""

    server: str
    """Name of the server, or of the proxy that was to forward it."""
    prefix: str
    """What stands before the API's own path."""
    host: str | None
    authorization: str | None
    impersonation: tuple[tuple[str, str], ...]
    """The ``Impersonate-*`` headers, as they came."""
    certificate: str | None
    """Common name of the client certificate."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of running a program: the first of each kind, None where there was none."""

    proxy_call: ProxyCall | None
    hello: Hello | None
    call: Call | None


class Recorder:
    """What has been noted since it was cleared, in order. Handlers of several threads append to the lists."""

    def __init__(self) -> None:
        self.proxy_calls: list[ProxyCall] = []
        self.hellos: list[Hello] = []
        self.calls: list[Call] = []

    def clear(self) -> None:
        """Forgets everything."""
        self.proxy_calls.clear()
        self.hellos.clear()
        self.calls.clear()

    def outcome(self) -> Outcome:
        """The first of each kind."""
        return Outcome(*(next(iter(noted), None) for noted in (self.proxy_calls, self.hellos, self.calls)))  # type: ignore[arg-type] # mypy joins the three types


def api_prefix(target: str) -> str:
    """What stands before the path of the first request of either program; all of it where it is another request."""
    path = target.partition("?")[0]
    for known in _FIRST_REQUESTS:
        if path.endswith(known):
            return path.removesuffix(known)
    return path
