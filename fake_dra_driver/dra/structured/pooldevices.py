"""The node's seam of a driver in structured DRA: the devices of its pool, and what claims get of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.health import DeviceHealth
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.featuregates import DroppedFields

__all__ = ["PoolDevices"]


class PoolDevices(Protocol[PreparedT]):
    """The devices of one node, which are one pool of the node's name. They may change at any time.

    What is asked at one time is answered for that time; ``StructuredNode.refresh`` takes over what has changed.
    """

    def slice_devices(self) -> Sequence[v1.Device]:
        """The devices as ResourceSlices have them, in the order in which they are to be allocated."""
        ...

    def counter_sets(self) -> Sequence[v1.CounterSet]:
        """What devices use up in common. By default nothing."""
        return ()

    def fields_dropped(self, dropped: DroppedFields) -> bool:  # noqa: ARG002 - a default
        """Is told of fields that the API server does not keep of the devices. Whether others are to be offered then."""
        return False

    def health(self) -> Sequence[DeviceHealth]:
        """What the kubelet is to know about each of them."""
        ...

    def trouble(self, devices: Sequence[PreparedT]) -> v1.StatusCondition | None:  # noqa: ARG002 - a default
        """Why a device that is prepared for a claim is not ready, also one that the node does not have any more.

        None: nothing is wrong with it, which is the default.

        Args:
            devices: all that is prepared of it for the claim, at least one.
        """
        return None

    def attributes(self, name: str) -> Mapping[str, v1.DeviceAttribute]:
        """What containers can find out about a device; nothing where the node does not have it."""
        ...

    def key_of(self, name: str) -> str | None:
        """The key (``PreparedDevice``) of a device of the pool; None where the node does not have it."""
        ...

    def prepared(self, allocated: AllocatedClaim, before: PreparedClaim[PreparedT] | None) -> Sequence[PreparedT]:
        """What a claim gets, in the order of its allocation: that is the order in which containers see its devices.

        Args:
            allocated: what it holds.
            before: what it is prepared with already: that stays its own, whatever has become of the devices.

        Raises:
            ConfigError: its parameters cannot be used.
            DeviceMissingError: the node does not have a device of the allocation.
            PrepareError: the allocation makes no sense.
        """
        ...

    def status_data(self, devices: Sequence[PreparedT]) -> Mapping[str, Any]:
        """What people are to know about an allocated device, in the status of its claim. Empty: nothing.

        Args:
            devices: all that is prepared of it for the claim, at least one.
        """
        ...
