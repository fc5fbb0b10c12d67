"""Faults on demand: what goes wrong with a request, for tests of programs that have to live with it.

A hook is called for each request to a resource, before anything happens, and returns the fault, if any. Requests for
discovery and the like always work. For example, a status update that takes place although its
client gets no answer::

    with server.faults.injected(on(Fault.timeout(after=True), verb="update", subresource="status")):
        ...
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NoReturn, Self

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request

__all__ = ["Fault", "FaultHook", "Faults", "SelectiveFault", "on"]

_RETRY_AFTER_SECONDS = 1
"""What a real API server sends (Retry-After of priority and fairness)."""
_STATUS: dict[int, tuple[str, str, bool]] = {
    409: (
        "Conflict",
        "the object has been modified; please apply your changes to the latest version and try again",
        False,
    ),
    429: ("TooManyRequests", "Too many requests, please try again later.", True),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out", False),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request", True),
    504: ("Timeout", "Timeout: request did not complete within requested timeout - context deadline exceeded", False),
}
"""By code: reason, message, and whether the client is told when to try again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. Made by one of the class methods.

    ``after``: the fault comes after the request was carried out, so that a write has taken place.
    """

    kind: Literal["answer", "timeout", "reset", "slow"]
    after: bool = False
    code: int = 0
    seconds: float = 0.0

    @classmethod
    def answer(cls, code: int, *, after: bool = False) -> Self:
        """The answer is a Status with that code: 409, 429, 500, 503 or 504; 429 and 503 with Retry-After."""
        if code not in _STATUS:
            raise ValueError(f"no answer with the code {code} is known; known are {', '.join(map(str, _STATUS))}")
        return cls("answer", after, code=code)

    @classmethod
    def timeout(cls, *, after: bool = False) -> Self:
        """No answer comes, until the client times out or the server is killed."""
        return cls("timeout", after)

    @classmethod
    def reset(cls, *, after: bool = False) -> Self:
        """The connection breaks."""
        return cls("reset", after)

    @classmethod
    def slow(cls, seconds: float, *, after: bool = False) -> Self:
        """The request takes that long, and then succeeds."""
        return cls("slow", after, seconds=seconds)


FaultHook = Callable[[Target, Request], Fault | None]
"""Called with each request to a resource. Returns its fault; None: there is none."""


@dataclass(slots=True, eq=False)
class SelectiveFault:
    """A hook for the next requests of a kind; made by ``on``."""

    fault: Fault
    verb: str
    resource: str
    subresource: str | None
    name: str
    left: int | None
    """How many requests it will still hit; None: all."""

    @property
    def is_over(self) -> bool:
        """Whether it has hit as many requests as it was to."""
        return self.left == 0

    def __call__(self, target: Target, _: Request) -> Fault | None:
        """The fault of a request; None when it is of another kind, or this is over."""
        wanted = (
            self.verb in ("", target.verb)
            and self.resource in ("", target.resource.plural)
            and self.subresource in (None, target.subresource)
            and self.name in ("", target.name)
        )
        if not wanted or self.is_over:
            return None
        if self.left is not None:
            self.left -= 1
        return self.fault


def on(
    fault: Fault, *, verb: str = "", resource: str = "", subresource: str | None = None, name: str = "", times: int = 1
) -> SelectiveFault:
    """A hook for the next requests of a kind.

    Args:
        fault: what goes wrong with them.
        verb: such as ``update``; empty: all.
        resource: the plural, such as ``resourceclaims``; empty: all.
        subresource: such as ``status``; empty: the object itself; None: all.
        name: of the object; empty: all.
        times: how many of them; 0: all.
    """
    return SelectiveFault(fault, verb, resource, subresource, name, left=times or None)


class Faults:
    """The hooks of one server; the first that returns a fault decides."""

    def __init__(self) -> None:
        self._hooks: list[FaultHook] = []
        self._unanswered: set[asyncio.Future[NoReturn]] = set()

    def add(self, hook: FaultHook) -> None:
        """Adds a hook."""
        self._hooks.append(hook)

    def remove(self, hook: FaultHook) -> None:
        """Removes a hook. Raises ValueError when it is not there."""
        self._hooks.remove(hook)

    @contextmanager
    def injected(self, hook: FaultHook) -> Iterator[None]:
        """Adds a hook for the duration of the block."""
        self.add(hook)
        try:
            yield
        finally:
            self.remove(hook)

    def find(self, target: Target, request: Request) -> Fault | None:
        """The fault of a request."""
        return next((fault for hook in self._hooks if (fault := hook(target, request)) is not None), None)

    async def strike(self, fault: Fault, target: Target) -> None:
        """Carries the fault out. Raises StatusError or ConnectionResetError."""
        match fault.kind:
            case "slow":
                await asyncio.sleep(fault.seconds)
            case "reset":
                raise ConnectionResetError("a fault was asked for: the connection is reset")
            case "timeout":
                never: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
                self._unanswered.add(never)
                try:
                    await never
                finally:
                    self._unanswered.discard(never)
            case "answer":
                raise _status_error(fault.code, target)

    def break_off(self) -> None:
        """Breaks the connections of clients that wait for an answer that does not come."""
        for each in self._unanswered:
            if not each.done():
                each.set_exception(ConnectionResetError("the server was killed"))


def _status_error(code: int, target: Target) -> StatusError:
    reason, message, has_retry = _STATUS[code]
    resource = target.resource
    details: dict[str, object] = {"name": target.name, "group": resource.group, "kind": resource.plural}
    if has_retry:
        details["retryAfterSeconds"] = _RETRY_AFTER_SECONDS
    if code == 409:
        shown = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        message = f'Operation cannot be fulfilled on {shown} "{target.name}": {message}'
    return StatusError(code, reason, message, {name: value for name, value in details.items() if value})
