"""A node's NodeAllocationState: what it says of the node, and how the node's kubelet plugin writes it.

``set-nas-status`` is here too: it runs before the plugin starts and when it is about to be stopped, by itself.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.fake import (
    ABANDONED_ANNOTATION,
    AllocatableDevice,
    FakeDevice,
    NodeAllocationState,
    NodeAllocationStateSpec,
    PreparedDevices,
    PreparedFake,
    PreparedFakes,
)
from fake_dra_driver.api.kube.core import Node, ObjectReference
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, WantedDevice
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import AlreadyExistsError, ConflictError, NotFoundError
from fake_dra_driver.runtime.patch import Operation, pointer
from fake_dra_driver.untrustedtext import one_line

__all__ = [
    "NOT_READY",
    "READY",
    "StateClient",
    "abandoned_of",
    "closed_reason",
    "devices_of",
    "difference",
    "make_state",
    "owner_of",
    "prepared_of",
    "reference_of",
    "set_status",
    "spec_of",
]

READY: Final = "Ready"
NOT_READY: Final = "NotReady"
MAX_STATUS: Final = 60
"""Characters of a status that a message repeats: the API server takes any text."""

_STATUS_PAUSES_SECONDS: Final = (0.01, 0.05, 0.2, 0.5)
"""Between tries to set the status of an object that others change at the same moment."""

log = logger.bind(component="nodestate")
K = TypeVar("K", bound=KubeObject)


class StateClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads an object."""
        ...

    async def list(self, kind: type[K]) -> ListResult[K]:
        """Reads all objects of a kind."""
        ...

    async def create(self, obj: K) -> K:
        """Creates an object."""
        ...

    async def json_patch(self, kind: type[K], key: NamespacedName, operations: Sequence[Mapping[str, Any]]) -> K:
        """Applies a JSON patch (RFC 6902)."""
        ...

    async def merge_patch(self, kind: type[K], key: NamespacedName, patch: Mapping[str, Any]) -> K:
        """Applies a merge patch (RFC 7386)."""
        ...


def devices_of(nas: NodeAllocationState) -> tuple[Device, ...]:
    """The node's inventory, as its plugin has published it."""
    return tuple(
        Device(uuid=device.fake.uuid, model=device.fake.name)
        for device in nas.spec.allocatable_device
        if device.fake is not None
    )


def closed_reason(nas: NodeAllocationState) -> str | None:
    """Why a node takes no claims at all; None when it does."""
    if nas.is_deleting:
        return "its NodeAllocationState is being deleted"
    if nas.status != READY:
        status = one_line(nas.status, MAX_STATUS) or "empty"
        return f"its kubelet plugin is not ready (NodeAllocationState status is {status})"
    return None


def abandoned_of(nas: NodeAllocationState) -> AbstractSet[str]:
    """The claims, by UID, that are prepared on the node, and that no pod there can use, as the controller has said."""
    return frozenset(filter(None, nas.metadata.annotations.get(ABANDONED_ANNOTATION, "").split(",")))


def prepared_of(prepared: PreparedDevices) -> Sequence[WantedDevice]:
    """What is prepared for a claim, as it was wanted: whole devices, and into how many children each is split."""
    splits: dict[str, int] = {}
    for device in () if prepared.fake is None else prepared.fake.devices:
        whole = device.parent_uuid or device.uuid
        splits[whole] = splits.get(whole, 0) + (1 if device.parent_uuid else 0)
    return [WantedDevice(uuid, split) for uuid, split in splits.items()]


def reference_of(state_key: NamespacedName) -> ObjectReference:
    """The object for Events, as far as it is known before it is seen: without a UID."""
    kind = NodeAllocationState.resource
    return ObjectReference(
        api_version=kind.api_version, kind=kind.kind, namespace=state_key.namespace, name=state_key.name
    )


async def make_state(client: StateClient, key: NamespacedName, status: str) -> NodeAllocationState:
    """Creates a node's object, owned by the Node so that it goes with it; returns the one that is there, if it is.

    Raises:
        NotFoundError: there is no such Node, or the CRD is not installed.
        ApiError, DeadlineError, TransportError: as the API calls.
    """
    owner = await owner_of(client, key.name)
    metadata = ObjectMeta(name=key.name, namespace=key.namespace, owner_references=(owner,))
    try:
        return await client.create(
            NodeAllocationState(metadata=metadata, spec=NodeAllocationStateSpec(), status=status)
        )
    except AlreadyExistsError:
        return await client.get(NodeAllocationState, key)


async def owner_of(client: StateClient, node: str) -> OwnerReference:
    """The reference that makes an object go with its Node. Raises as the API calls."""
    return OwnerReference(
        api_version="v1", kind="Node", name=node, uid=(await client.get(Node, NamespacedName("", node))).uid
    )


async def set_status(client: StateClient, key: NamespacedName, status: str) -> None:
    """Sets the status of a node's object, and makes the object when there is none.

    Raises:
        ValueError: there is no such status.
        ApiError, DeadlineError, TransportError: as the API calls; conflicts only after a few tries.
    """
    if status not in (READY, NOT_READY):
        raise ValueError(f"no such status: {status!r}; use {READY} or {NOT_READY}")
    for pause in _STATUS_PAUSES_SECONDS:
        try:
            await client.merge_patch(NodeAllocationState, key, {"status": status})
            return
        except NotFoundError:
            if (await make_state(client, key, status)).status == status:
                return
        except ConflictError as error:
            log.debug("Trying again", error=str(error))
        await asyncio.sleep(pause)
    await client.merge_patch(NodeAllocationState, key, {"status": status})


def spec_of(inventory: Iterable[Device], prepared: Mapping[str, FakePreparedClaim]) -> Mapping[str, Any]:
    """What the plugin has to say in ``spec``: the devices of the node, and what is prepared.

    A device that a claim only looks at (adminAccess) is not in use by it.
    """
    spec = NodeAllocationStateSpec(
        allocatable_device=tuple(
            AllocatableDevice(fake=FakeDevice(uuid=device.uuid, name=device.model)) for device in inventory
        ),
        prepared_devices={
            uid: _prepared(devices)
            for uid, claim in sorted(prepared.items())
            if (devices := claim.devices_in_use) or not claim.devices
        },
    )
    return spec.to_wire()


def difference(state: NodeAllocationState, spec: Mapping[str, Any], status: str) -> list[Operation]:
    """What a JSON patch has to do so that the object says this. Fields that are not the plugin's are left alone.

    What is empty is left out of the object, so that its initial state comes back.
    """
    there = state.spec.to_wire()
    operations: list[Operation] = []
    if "spec" not in state.model_fields_set:
        # The test keeps an allocation that the controller has written in the meantime from being replaced.
        operations += [patch.test(pointer("spec"), None), patch.add(pointer("spec"), {})]
    for field in ("allocatableDevice", "preparedDevices"):
        if spec.get(field) and spec[field] != there.get(field):
            operations.append(patch.add(pointer("spec", field), spec[field]))
        elif not spec.get(field) and field in there:
            operations.append(patch.remove(pointer("spec", field)))
    if state.status != status:
        operations.append(patch.add(pointer("status"), status))
    return operations


def _prepared(prepared: Iterable[FakePreparedDevice]) -> PreparedDevices:
    devices = [
        PreparedFake(uuid=device.uuid, parent_uuid=device.parent_uuid)
        if device.parent_uuid is not None
        else PreparedFake(uuid=device.uuid)
        for device in prepared
    ]
    return PreparedDevices(fake=PreparedFakes(devices=tuple(devices)))
