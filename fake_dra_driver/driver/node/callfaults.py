"""The seam between preparing claims, and what is to go wrong with that."""

from typing import Final, Protocol

from typing_extensions import override

from fake_dra_driver.driver.node.prepared import FakePreparedClaim

__all__ = ["NO_CALL_FAULTS", "CallFaults"]


class CallFaults(Protocol):
    """Lets calls of the kubelet fail, or take longer."""

    async def before_prepare(self, claim: FakePreparedClaim) -> None:
        """Returns when the claim can be prepared. Raises PrepareError: it cannot."""
        ...

    async def before_unprepare(self, claim: FakePreparedClaim) -> None:
        """Returns when the claim can be unprepared. Raises PrepareError: it cannot."""
        ...


class _NoCallFaults(CallFaults):
    @override
    async def before_prepare(self, claim: FakePreparedClaim) -> None:
        return

    @override
    async def before_unprepare(self, claim: FakePreparedClaim) -> None:
        return


NO_CALL_FAULTS: Final[CallFaults] = _NoCallFaults()
"""Nothing goes wrong."""
