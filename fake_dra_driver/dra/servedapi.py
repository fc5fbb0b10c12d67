"""Which protocol of DRA a cluster speaks, and in which version: found by discovery, once for the life of a program.

``resource.k8s.io`` is served as ``v1``, ``v1beta2`` or ``v1beta1`` where Kubernetes has structured DRA (1.32 and
later), and as ``v1alpha2`` where it has classic DRA (1.27 to 1.30). 1.31 has neither in a form that is supported, and
DRA may be switched off. A program then waits, and says what it waits for, until the API is there: nothing has to be
restarted.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loguru import logger

from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.runtime.discovery import Discovery, ServedGroup
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["API_VERSIONS", "CLASSIC_VERSION", "ApiFinder", "DraApi", "advice"]

log = logger.bind(component="discovery")

CLASSIC_VERSION: Final = v1alpha2.VERSION
API_VERSIONS: Final = (*RESOURCE_APIS, CLASSIC_VERSION)
"""The versions of ``resource.k8s.io`` that a driver can work with, the one to prefer first."""

_UNSUPPORTED: Final = "v1alpha3"
"""Kubernetes 1.31 has all of DRA in it; later releases have a few kinds in it that no driver needs."""
_RECHECK_SECONDS: Final = 20.0
"""Pause between two looks at whether there is a doubt about the version."""


@dataclass(frozen=True, slots=True)
class DraApi:
    """How a cluster speaks DRA."""

    version: str
    """Of ``resource.k8s.io``."""

    @property
    def structured(self) -> ResourceApi | None:
        """The kinds of structured DRA; None where the cluster speaks classic DRA."""
        return RESOURCE_APIS.get(self.version)


class ApiFinder:
    """Finds the version that a program works with.

    Args:
        discovery: asks the API server.
        version: the only one to work with, one of ``API_VERSIONS``; empty: whichever is served.
    """

    def __init__(self, discovery: Discovery, version: str = "") -> None:
        if version and version not in API_VERSIONS:
            raise ValueError(f"no version of {v1.GROUP} to work with: {version!r}; there are {', '.join(API_VERSIONS)}")
        self._discovery = discovery
        self._wanted = (version,) if version else API_VERSIONS
        self._problem: str | None = f"the API server was not asked yet which version of {v1.GROUP} it serves"

    def problem(self) -> str | None:
        """Why there is no version to work with yet, and what to do; None once it is found. For a readiness check."""
        return self._problem

    async def find(self) -> DraApi:
        """Returns once the API server serves a version to work with. Says what it waits for whenever that changes."""
        served = await self._discovery.wait_for_group(
            v1.GROUP, lambda group: group.first_of(*self._wanted) is not None, report=self._note
        )
        self._problem = None
        found = DraApi(served.first_of(*self._wanted) or "")
        log.info("Found the version of DRA", version=found.version, structured=found.structured is not None)
        return found

    async def wait_for_change(self, api: DraApi, is_in_doubt: Callable[[], bool]) -> str:
        """Returns, with the reason, when the version that was found is served no more and another one is.

        A cluster's control plane is upgraded while programs run. One that lost its version has nothing left to do; it
        ends, and finds the new one when it is started again. An API server that is away says nothing about versions.

        Args:
            api: what was found.
            is_in_doubt: whether something that uses it fails, as an informer does whose kind is gone. While all is
                well, nothing is asked.
        """
        while True:
            await asyncio.sleep(_RECHECK_SECONDS)
            if not is_in_doubt():
                continue
            try:
                served = await self._discovery.group(v1.GROUP)
            except RuntimeLayerError as error:
                log.debug("Cannot ask which versions are served", error=str(error))
                continue
            other = served.first_of(*self._wanted)
            if api.version not in served.versions and other is not None:
                return f"{v1.GROUP}/{api.version} is not served any more, and {v1.GROUP}/{other} is"

    def _note(self, found: ServedGroup | RuntimeLayerError) -> None:
        problem = advice(found, self._wanted) if isinstance(found, ServedGroup) else str(found)
        if problem != self._problem:
            self._problem = problem
            log.warning("Waiting for an API version to work with", reason=problem)


def advice(served: ServedGroup, wanted: tuple[str, ...] = API_VERSIONS) -> str:
    """What stands in the way of a driver where none of the wanted versions is served, and what to switch on."""
    if len(wanted) == 1 and any(version in served.versions for version in API_VERSIONS):
        there = ", ".join(version for version in served.versions if version in API_VERSIONS)
        return (
            f"the API server does not serve {v1.GROUP}/{wanted[0]}, which the setting resource-api-version names, but "
            f"{there}: leave the setting out, or switch that version on"
        )
    if _UNSUPPORTED in served.versions:
        return (
            f"of {v1.GROUP} the API server serves {_UNSUPPORTED} only. Kubernetes 1.31 is not supported: upgrade. On "
            f"1.32 and 1.33 start it with --feature-gates=DynamicResourceAllocation=true and "
            f"--runtime-config={v1.GROUP}/v1beta1=true"
        )
    return (
        f"the API server does not serve {v1.GROUP}: switch Dynamic Resource Allocation on. Kubernetes 1.34 and later "
        f"has it on by default; 1.32 and 1.33 need --feature-gates=DynamicResourceAllocation=true and "
        f"--runtime-config={v1.GROUP}/v1beta1=true, 1.27 to 1.30 the same with v1alpha2, for all components"
    )
