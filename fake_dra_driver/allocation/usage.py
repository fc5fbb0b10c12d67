"""Which claims have which devices: kept up to date claim by claim, never rebuilt.

Follows allocateddevices.go of kube-scheduler's plugin. A device that is allocated with admin access is not in use by
that claim; one that was allocated as a share stays open to other claims, as far as its capacity goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fake_dra_driver.allocation.identity import ClaimIdentity, Holder, PoolId, identity_of
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1 import AllocationResult, DeviceRequestAllocationResult, ResourceClaim
from fake_dra_driver.quantity import Quantity

__all__ = ["PoolUsage", "Share", "Usage"]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a device."""

    holder: Holder
    consumed: Mapping[str, int]
    """How much of which capacity, in billionths."""


@dataclass(slots=True, eq=False)
class PoolUsage:
    """The devices of one pool that are in use, by name."""

    exclusive: dict[str, list[Holder]] = field(default_factory=dict)
    """Devices that one claim has for itself. More than one holder: something has gone wrong elsewhere."""
    shares: dict[str, list[Share]] = field(default_factory=dict)
    changes: int = 0
    """Counts what was taken and what was freed."""
    releases: int = 0
    """Counts what was freed: while it stands still, what could not be had still cannot."""

    @property
    def devices(self) -> set[str]:
        """All that are in use, in one way or the other."""
        return self.exclusive.keys() | self.shares.keys()

    def consumed(self, device: str, capacity: str) -> int:
        """How much of a device's capacity is in use, in billionths."""
        return sum(share.consumed.get(capacity, 0) for share in self.shares.get(device, ()))

    def holders(self, device: str) -> tuple[Holder, ...]:
        """The claims that have the device, or a share of it."""
        shared = tuple(share.holder for share in self.shares.get(device, ()))
        return (*self.exclusive.get(device, ()), *shared)

    def take(self, result: DeviceRequestAllocationResult, holder: Holder, *, is_shared: bool) -> None:
        """A claim has got a device."""
        self.changes += 1
        if is_shared:
            consumed = {name: Quantity.parse(amount).nanos for name, amount in result.consumed_capacity.items()}
            self.shares.setdefault(result.device, []).append(Share(holder, consumed))
        else:
            self.exclusive.setdefault(result.device, []).append(holder)

    def release(self, device: str, identity: ClaimIdentity, *, is_freed: bool) -> None:
        """A claim has none of the device any more; or what it has is about to be noted again."""
        self.changes += 1
        self.releases += is_freed
        holders = [each for each in self.exclusive.pop(device, ()) if each.identity != identity]
        if holders:
            self.exclusive[device] = holders
        shares = [each for each in self.shares.pop(device, ()) if each.holder.identity != identity]
        if shares:
            self.shares[device] = shares


class Usage:
    """What all claims have, those included whose allocation is decided and not yet written."""

    def __init__(self, *, shares: bool) -> None:
        """Nothing is in use.

        Args:
            shares: whether devices can be shared (DRAConsumableCapacity). Otherwise each share is taken for the device.
        """
        self._shares = shares
        self._pools: dict[PoolId, PoolUsage] = {}
        self._observed: dict[ClaimIdentity, tuple[NamespacedName, AllocationResult]] = {}
        self._assumed: dict[ClaimIdentity, tuple[NamespacedName, AllocationResult]] = {}
        self._identities: dict[NamespacedName, ClaimIdentity] = {}
        """Of the claims that were observed: one of the same name as an earlier one is its successor."""
        self._counted: dict[ClaimIdentity, AllocationResult] = {}
        """What is in ``_pools``, so that exactly that is taken out of it."""

    def of(self, pool: PoolId) -> PoolUsage:
        """What is in use of a pool. It stays up to date."""
        found = self._pools.get(pool)
        if found is None:
            found = self._pools[pool] = PoolUsage()
        return found

    @property
    def observed(self) -> frozenset[ClaimIdentity]:
        """The claims that are allocated, as far as they were observed."""
        return frozenset(self._observed)

    def observe(self, claim: ResourceClaim) -> None:
        """A claim is as it is here."""
        identity = identity_of(claim)
        predecessor = self._identities.get(claim.key)
        if predecessor is not None and predecessor != identity:
            self._remove(predecessor)
        self._identities[claim.key] = identity
        if claim.status.allocation is None:
            self._observed.pop(identity, None)
        else:
            self._observed[identity] = (claim.key, claim.status.allocation)
        self._count(identity)

    def remove(self, claim: ResourceClaim) -> None:
        """A claim is gone."""
        if self._identities.get(claim.key) == identity_of(claim):
            del self._identities[claim.key]
        self._remove(identity_of(claim))

    def assume(self, claim: ResourceClaim, allocation: AllocationResult) -> None:
        """A claim is about to be allocated so, whatever is observed."""
        self._assumed[identity_of(claim)] = (claim.key, allocation)
        self._count(identity_of(claim))

    def forget(self, claim: ResourceClaim) -> None:
        """What is observed of the claim counts again."""
        self._assumed.pop(identity_of(claim), None)
        self._count(identity_of(claim))

    def _remove(self, identity: ClaimIdentity) -> None:
        self._observed.pop(identity, None)
        self._count(identity)

    def _count(self, identity: ClaimIdentity) -> None:
        found = self._assumed.get(identity) or self._observed.get(identity)
        before, after = self._counted.get(identity), None if found is None else found[1]
        if before is after:
            return
        if before is not None:
            del self._counted[identity]
            # The answer to a write, and every update of an allocated claim, brings equal results in other objects.
            is_freed = after is None or after.devices.results != before.devices.results
            for pool, device in {(PoolId(each.driver, each.pool), each.device) for each in before.devices.results}:
                self.of(pool).release(device, identity, is_freed=is_freed)
        if found is not None:
            self._counted[identity] = found[1]
            self._take(identity, *found, in_flight=identity in self._assumed)

    def _take(
        self, identity: ClaimIdentity, key: NamespacedName, allocation: AllocationResult, *, in_flight: bool
    ) -> None:
        for result in allocation.devices.results:
            if not result.admin_access:
                holder = Holder(key, identity, result.request, in_flight)
                is_shared = self._shares and result.share_id is not None
                self.of(PoolId(result.driver, result.pool)).take(result, holder, is_shared=is_shared)
