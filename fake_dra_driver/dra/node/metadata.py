"""Files about the devices of claims, which containers can read (KEP-5304), as far as any mode of DRA has to know them.

Only structured DRA makes them (``dra.structured.metadata``), and only where they are asked for. What was made has to be
kept, and to go with its claim, whatever the settings of the plugin that runs now.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

from typing_extensions import override

from fake_dra_driver.dra.node.claim import NodeClaim

__all__ = ["ClaimMetadata", "NoClaimMetadata"]


class ClaimMetadata(Protocol):
    """The files of all claims on a node. Methods raise OSError, and never run at the same time for one claim."""

    async def start(self, prepared: Collection[NodeClaim]) -> None:
        """Restores what a reboot took from the files of prepared claims, and removes those of all others."""
        ...

    async def prepared(self, claim: NodeClaim) -> Mapping[str, str]:
        """By request: the CDI name that brings the claim's file into a container. None where there is no file."""
        ...

    async def unprepare(self, claim: NodeClaim) -> None:
        """Removes the files of a claim; none is fine."""
        ...


class NoClaimMetadata(ClaimMetadata):
    """For a node on which none were ever made."""

    @override
    async def start(self, prepared: Collection[NodeClaim]) -> None:
        pass

    @override
    async def prepared(self, claim: NodeClaim) -> Mapping[str, str]:
        return {}

    @override
    async def unprepare(self, claim: NodeClaim) -> None:
        pass
