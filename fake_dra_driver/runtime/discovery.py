"""Which API groups the API server serves, and which versions of one: a GET of ``/apis/<group>``, asked again each time.

Follows k8s.io/client-go/discovery (ServerGroups, for one group, ServerResources and ServerVersion). What it refuses to
do: keep what was found, since a group comes with a CRD, an API server's restart or an upgrade.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from loguru import logger

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.errors import NotFoundError, RuntimeLayerError, UnusableAnswerError
from fake_dra_driver.runtime.objectidentity import type_of
from fake_dra_driver.runtime.rest import Call, RestClient

__all__ = ["Discovery", "ServedGroup"]

log = logger.bind(component="discovery")

_GROUP: Final = ResourceKind("", "v1", "APIGroup", "apigroups", namespaced=False)
"""metav1.APIGroup, for messages."""
_RESOURCES: Final = ResourceKind("", "v1", "APIResourceList", "apiresourcelists", namespaced=False)
_VERSION: Final = ResourceKind("", "v1", "version.Info", "version", namespaced=False)
_TIMEOUT_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.5
"""An API server that has just started serves its groups one after the other, within a second or two."""
_LONGEST_PAUSE_SECONDS: Final = 15.0
"""With the jitter, 30 s at most from when a group is switched on until that is noticed."""


@dataclass(frozen=True, slots=True)
class ServedGroup:
    """An API group as the server serves it now."""

    name: str
    versions: tuple[str, ...] = ()
    """Most stable and newest first, as the server sorts them; empty when it does not serve the group."""

    def first_of(self, *versions: str) -> str | None:
        """The first of these versions that is served; None when none is."""
        return next((version for version in versions if version in self.versions), None)


class Discovery:
    """Asks one API server."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    async def group(self, name: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> ServedGroup:
        """What is served of a group. A group that is not served is an answer, and no error.

        Raises:
            ApiError, DeadlineError, TransportError, CredentialsError: as ``RestClient.call``.
        """
        call = Call("get", "GET", _GROUP, NamespacedName("", name), f"/apis/{name}")
        try:
            raw = await self._rest.call(call, timeout_seconds)
        except NotFoundError:
            return ServedGroup(name)
        return ServedGroup(name, _versions(call, raw))

    async def group_names(self, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> frozenset[str]:
        """The names of all groups that are served.

        Raises:
            ApiError, DeadlineError, TransportError, CredentialsError: as ``RestClient.call``.
        """
        call = Call("list", "GET", _GROUP, NamespacedName("", ""), "/apis")
        return _names((await self._rest.call(call, timeout_seconds)).get("groups"))

    async def resources(self, group: str, version: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> frozenset[str]:
        """The plural names of the kinds that are served in a version of a group; none where it is not served.

        Raises:
            ApiError, DeadlineError, TransportError, CredentialsError: as ``RestClient.call``.
        """
        name = f"{group}/{version}"
        call = Call("get", "GET", _RESOURCES, NamespacedName("", name), f"/apis/{name}")
        try:
            raw = await self._rest.call(call, timeout_seconds)
        except NotFoundError:
            return frozenset()
        return _names(raw.get("resources"))

    async def server_version(self, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> str:
        """The release of the API server, such as ``v1.37.2``, which distributions write more behind.

        Raises:
            ApiError, DeadlineError, TransportError, CredentialsError: as ``RestClient.call``.
        """
        call = Call("get", "GET", _VERSION, NamespacedName("", ""), "/version")
        raw = await self._rest.call(call, timeout_seconds)
        version = raw.get("gitVersion")
        if not isinstance(version, str):
            raise UnusableAnswerError(call.verb, call.kind, call.key, "the answer has no gitVersion")
        return version

    async def wait_for_group(
        self,
        name: str,
        is_enough: Callable[[ServedGroup], bool],
        *,
        report: Callable[[ServedGroup | RuntimeLayerError], None] = lambda _found: None,
        backoff: Backoff | None = None,
    ) -> ServedGroup:
        """Asks until what is served is enough, however long that takes. Give it a deadline of your own, if any.

        Args:
            name: of the group.
            is_enough: ends it.
            report: called after each time that was in vain, with what is served or with what went wrong, so that a
                program can say what it waits for. Must not block.
            backoff: the pauses; from half a second to half a minute when left out.
        """
        backoff = backoff or Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            found: ServedGroup | RuntimeLayerError
            try:
                found = await self.group(name)
            except RuntimeLayerError as error:
                found = error
            if isinstance(found, ServedGroup) and is_enough(found):
                return found
            report(found)
            pause = backoff.next()
            log.debug("Not served yet", group=name, found=str(found), pause_seconds=pause)
            await asyncio.sleep(pause)


def _names(entries: object) -> frozenset[str]:
    """The names of what an answer lists."""
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return frozenset(name for name in names if isinstance(name, str))


def _versions(call: Call, raw: Mapping[str, Any]) -> tuple[str, ...]:
    entries = raw.get("versions")
    named = [entry.get("version") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    versions = tuple(version for version in named if isinstance(version, str))
    if (raw.get("kind"), raw.get("name")) != (_GROUP.kind, call.key.name) or not versions:
        found = f"the answer is not this {_GROUP.kind}: {type_of(raw)}"
        raise UnusableAnswerError(call.verb, call.kind, call.key, found)
    return versions
