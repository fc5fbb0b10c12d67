"""What the claims of a node hold in classic DRA, by handles and ledger, for any driver: what is to be prepared."""

from collections.abc import Callable, Collection, Mapping, Sequence

from typing_extensions import override

from fake_dra_driver.dra.classic.claimlookup import HeldDevices
from fake_dra_driver.dra.driver.classichandle import entry_of_handle
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.nodestate.kind import ClaimEntry

__all__ = ["DriverHeldDevices"]


class DriverHeldDevices(HeldDevices[ClaimEntry, DriverPreparedDevice]):
    """Of one node.

    Args:
        node: its name.
        find: the device of a name, as the node has it now; None when it has none.
        prepared: what is prepared on the node at this moment, by UID.
    """

    def __init__(
        self,
        node: str,
        find: Callable[[str], Device | None],
        prepared: Callable[[], Mapping[str, PreparedClaim[DriverPreparedDevice]]],
    ) -> None:
        self._node = node
        self._find = find
        self._prepared = prepared

    @override
    def by_handle(self, claim: NodeClaim, handle: str) -> Sequence[DriverPreparedDevice]:
        return self.by_entry(claim, entry_of_handle(handle))

    @override
    def by_entry(self, claim: NodeClaim, entry: ClaimEntry) -> Sequence[DriverPreparedDevice]:
        record = self._prepared().get(claim.uid)
        # What a claim has stays its own, also when the node has lost the device since.
        own = frozenset[str]() if record is None else record.keys
        for device in entry.devices:
            if device.name not in own and self._find(device.name) is None:
                raise DeviceMissingError(f"claim {claim}: this node has no device {device.name} any more")
        return [
            DriverPreparedDevice(
                device.name,
                index,
                entry.config,
                tuple(sorted(device.capacity.items())),
                # A share is told from those of other claims by the claim. That there is no request means: for all.
                RequestResult("", self._node, device.name, share_id=claim.uid) if device.shared else None,
            )
            for index, device in enumerate(entry.devices)
        ]

    @override
    def keys_of(self, handle: str) -> Collection[str]:
        return [device.name for device in entry_of_handle(handle).devices]
