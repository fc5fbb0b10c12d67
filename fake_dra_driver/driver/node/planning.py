"""What containers get for the devices of a claim: each of them as a whole, or split into children."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children
from fake_dra_driver.dra import DeviceMissingError, NodeClaim
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, WantedDevice
from fake_dra_driver.driver.node.profiletexts import PlannedDevice, ProfileTexts
from fake_dra_driver.driver.profile.mocknode import MockNode

__all__ = ["FakePlanner"]


class FakePlanner:
    """Plans for the claims of one node.

    Args:
        mock_node: the devices of the node at this moment.
        prepared: what is prepared there at this moment, by UID.
    """

    def __init__(
        self, mock_node: Callable[[], MockNode], prepared: Callable[[], Mapping[str, FakePreparedClaim]]
    ) -> None:
        self._mock_node = mock_node
        self._prepared = prepared

    def devices(self, claim: NodeClaim, wanted: Iterable[WantedDevice]) -> Sequence[FakePreparedDevice]:
        """What containers get for the devices of a claim, in their order.

        Raises:
            DeviceMissingError: the node does not have one of them.
            PrepareError: the profile says what no container can get.
        """
        node = self._mock_node()
        record = self._prepared().get(claim.uid)
        before = {} if record is None else {(device.uuid, device.result): device for device in record.devices}
        parts = list(self._parts(node, claim, wanted, [] if record is None else record.devices))
        if all(part.identity in before for part in parts):
            # What a claim has stays its own, whatever has become of the devices and of their profile since.
            return [before[part.identity] for part in parts]
        texts = ProfileTexts(node, claim, parts)
        with texts.limited():
            devices = [
                FakePreparedDevice(
                    part.uuid, part.device.model, part.parent_uuid, part.wanted.result, texts.environment(position)
                )
                for position, part in enumerate(parts)
            ]
            return [replace(devices[0], files=texts.files()), *devices[1:]]

    def _parts(
        self,
        node: MockNode,
        claim: NodeClaim,
        wanted: Iterable[WantedDevice],
        own: Iterable[FakePreparedDevice],
    ) -> Iterator[PlannedDevice]:
        """The devices, those that are split as their children. Raises DeviceMissingError."""
        mocks = {mock.device.uuid: mock for mock in node.devices}
        known = {device.key: Device(device.key, device.model) for device in own}
        known |= {uuid: mock.device for uuid, mock in mocks.items()}
        for entry in wanted:
            device = known.get(entry.uuid)
            if device is None:
                raise DeviceMissingError(
                    f"claim {claim}: this node has no device {entry.uuid}; were the node's name or its number of "
                    "devices changed?"
                )
            mock = mocks.get(entry.uuid)
            if not entry.split:
                yield PlannedDevice(device.uuid, None, device, mock, entry)
            for uuid in children(device.uuid, entry.split) if entry.split else ():
                yield PlannedDevice(uuid, device.uuid, device, mock, entry)
