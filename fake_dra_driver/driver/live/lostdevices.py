"""Tells claims that a device which they have has gone from its node: by an Event, in either mode of DRA.

The claim keeps what it has until its pods end. In structured DRA its status says it, too.
"""

from collections.abc import Collection, Mapping

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.driver.node.prepared import FakePreparedClaim
from fake_dra_driver.driver.reason import DEVICE_GONE
from fake_dra_driver.runtime import EventSink

__all__ = ["LostDevices"]


class LostDevices:
    """Looks for them whenever a node has changed.

    Args:
        node: its name.
        api_version: of claims.
        events: tells people.
    """

    def __init__(self, node: str, api_version: str, events: EventSink) -> None:
        self._node = node
        self._api_version = api_version
        self._events = events
        self._told: Collection[tuple[str, str]] = ()
        """Claim and device."""

    def look(self, there: Collection[str], prepared: Mapping[str, FakePreparedClaim], *, is_told: bool = False) -> None:
        """Tells of each device once, and again when it has been there in between.

        Args:
            there: the devices that the node has, by UUID.
            prepared: what is prepared there, by UID.
            is_told: whether people have been told already.
        """
        lost = {(uid, key) for uid, claim in prepared.items() for key in claim.keys.difference(there)}
        for uid, key in sorted(lost.difference(self._told)) if not is_told else ():
            self._tell(prepared[uid], key)
        self._told = lost or ()

    def _tell(self, claim: FakePreparedClaim, key: str) -> None:
        names = {device.result.device for device in claim.devices if device.key == key and device.result is not None}
        name = f"{next(iter(names))} ({key})" if names else key
        about = ObjectReference(
            api_version=self._api_version,
            kind="ResourceClaim",
            namespace=claim.namespace,
            name=claim.name,
            uid=UID(claim.uid),
        )
        DEVICE_GONE.tell(
            self._events,
            about,
            f"node {self._node} does not have device {name} any more; the claim keeps it until its pods end",
        )
