"""How pools, devices and claims are named in decisions."""

from typing import NamedTuple

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1 import ResourceClaim

__all__ = ["ClaimIdentity", "DeviceId", "Holder", "PoolId", "identity_of"]

ClaimIdentity = str
"""The UID of a claim; where it has none, as in a plan that no API server has seen, its namespace and name."""


class PoolId(NamedTuple):
    """A pool of a driver."""

    driver: str
    pool: str

    @override
    def __str__(self) -> str:
        return f"{self.driver}/{self.pool}"


class DeviceId(NamedTuple):
    """A device of a pool."""

    driver: str
    pool: str
    device: str

    @property
    def pool_id(self) -> PoolId:
        """The pool that it is in."""
        return PoolId(self.driver, self.pool)

    @override
    def __str__(self) -> str:
        return f"{self.driver}/{self.pool}/{self.device}"


class Holder(NamedTuple):
    """A claim that has a device, or a share of it."""

    claim: NamespacedName
    identity: ClaimIdentity
    request: str
    """The request, or ``request/subrequest``, that it was allocated for."""
    in_flight: bool
    """Whether the scheduler has decided so, and not yet written it."""


def identity_of(claim: ResourceClaim) -> ClaimIdentity:
    """What the claim is known by."""
    return claim.uid or str(claim.key)
