"""Tells claims that a device which they have has gone from its node: by an Event, in either mode of DRA.

The claim keeps what it has until its pods end. In structured DRA its status says it, too.
"""

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.program import NodeAccess
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.reason import DEVICE_GONE

__all__ = ["LostDevices"]


class LostDevices:
    """Looks for them after each change of the node.

    Args:
        node: the node.
        access: to its claims, and to those who are told.
    """

    def __init__(self, node: LiveNode, access: NodeAccess[FakePreparedDevice]) -> None:
        self._node = node
        self._access = access
        self._told: set[tuple[str, str]] = set()
        """Claim and device."""
        node.subscribe(self.look)

    def look(self) -> None:
        """Tells of each device once, and again when it has been there in between."""
        there = {device.uuid for device in self._node.devices}
        prepared = self._access.prepared()
        lost = {(uid, key) for uid, claim in prepared.items() for key in claim.keys - there}
        for uid, key in sorted(lost - self._told):
            self._tell(prepared[uid], key)
        self._told = lost

    def _tell(self, claim: FakePreparedClaim, key: str) -> None:
        names = {device.result.device for device in claim.devices if device.key == key and device.result is not None}
        name = f"{next(iter(names))} ({key})" if names else key
        about = ObjectReference(
            api_version=f"resource.k8s.io/{self._access.api.version}",
            kind="ResourceClaim",
            namespace=claim.namespace,
            name=claim.name,
            uid=UID(claim.uid),
        )
        DEVICE_GONE.tell(
            self._access.events,
            about,
            f"node {self._access.node} does not have device {name} any more; the claim keeps it until its pods end",
        )
