"""What containers get for the devices of a claim: each of them as a whole, or split into children."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children
from fake_dra_driver.dra import DeviceMissingError, NodeClaim
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, WantedDevice

__all__ = ["FakePlanner"]


class FakePlanner:
    """Plans for the claims of one node.

    Args:
        inventory: says which devices the node has at this moment.
        prepared: what is prepared there at this moment, by UID.
    """

    def __init__(
        self, inventory: Callable[[], Iterable[Device]], prepared: Callable[[], Mapping[str, FakePreparedClaim]]
    ) -> None:
        self._inventory = inventory
        self._prepared = prepared

    def devices(self, claim: NodeClaim, wanted: Iterable[WantedDevice]) -> Sequence[FakePreparedDevice]:
        """What containers get for the devices of a claim, in their order.

        Raises:
            DeviceMissingError: the node does not have one of them.
        """
        record = self._prepared().get(claim.uid)
        # What a claim has stays its own, also when the node was given fewer devices since.
        own = {} if record is None else {device.key: Device(device.key, device.model) for device in record.devices}
        known = {**own, **{device.uuid: device for device in self._inventory()}}
        found: list[FakePreparedDevice] = []
        for entry in wanted:
            device = known.get(entry.uuid)
            if device is None:
                raise DeviceMissingError(
                    f"claim {claim}: this node has no device {entry.uuid}; were the node's name or its number of "
                    "devices changed?"
                )
            if entry.split:
                parts = children(device.uuid, entry.split)
                found += [FakePreparedDevice(uuid, device.model, device.uuid, entry.result) for uuid in parts]
            else:
                found.append(FakePreparedDevice(device.uuid, device.model, result=entry.result))
        return found
