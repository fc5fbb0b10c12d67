"""Keeps the node's NodeAllocationState in line with the node: inventory, prepared devices, and whether it is usable.

The object is a projection of what the plugin knows, written behind: nothing waits for it, and changes that come close
together share a write. Only the plugin's own fields are written; ``spec.allocatedClaims`` is the controller's. The
status is written when the plugin begins or ceases to serve, and left alone in between: ``set-nas-status`` may say
NotReady for a node that is being drained.

The same passes take back what the kubelet will never unprepare: kubelet 1.27 cannot once the claim object is gone, and
none does for a pod that was removed by force while the kubelet was away.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.core import Node
from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    AllocatableDevice,
    FakeDevice,
    NodeAllocationState,
    NodeAllocationStateSpec,
    PreparedDevice,
    PreparedDevices,
    PreparedFakes,
)
from fake_dra_driver.api.meta import KubeObject, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource_v1alpha2 import ResourceClaim
from fake_dra_driver.device.checkpoint import Checkpoint
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.prepared import PreparedClaim, UnknownDeviceError, prepared_devices
from fake_dra_driver.dra.driver import PrepareError
from fake_dra_driver.driver.controller import node_of
from fake_dra_driver.driver.node import FakeNodeDriver, is_stale, wanted_by_entry, wanted_by_handle
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError
from fake_dra_driver.runtime.reconcile import Request, Result

__all__ = ["StateClient", "StatePublisher", "set_status"]

STILL_HELD_SECONDS: Final = 60.0
"""Pause before a claim is looked at again that is prepared and not in the ledger, and that could not be ended."""
READY: Final = "Ready"
NOT_READY: Final = "NotReady"

log = logger.bind(component="publisher")
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


class StatePublisher:
    """Reconciles the node's own NodeAllocationState.

    Args:
        state_key: of that object; its name is the node's.
        states: a cache that has that object.
        is_serving: whether the kubelet can use the plugin at this moment.
    """

    def __init__(
        self,
        state_key: NamespacedName,
        inventory: Sequence[Device],
        checkpoint: Checkpoint,
        driver: FakeNodeDriver,
        states: Informer[NodeAllocationState],
        client: StateClient,
        is_serving: Callable[[], bool],
    ) -> None:
        self._key = state_key
        self._inventory = inventory
        self._checkpoint = checkpoint
        self._driver = driver
        self._states = states
        self._client = client
        self._is_serving = is_serving
        self._announced: bool | None = None
        """What the status was last set to by this process, so that it is set on a change of ours alone."""

    async def reconcile(self, request: Request) -> Result:
        """One pass. Raises what the API calls raise."""
        if request != self._key:
            return Result()
        await self._driver.started.wait()
        if not self._checkpoint.is_complete:
            await self._rebuild()
        state = self._states.get(self._key)
        if state is None:
            state = await make_state(self._client, self._key, NOT_READY)
            self._announced = None
        await self._publish(state)
        return await self._take_back(state)

    async def retire(self) -> None:
        """Says that the node is not usable any more: the last act of a plugin that stops. Raises as the API calls."""
        await self._client.merge_patch(NodeAllocationState, self._key, {"status": NOT_READY})

    async def _publish(self, state: NodeAllocationState) -> None:
        serving = self._is_serving()
        status = {True: READY, False: NOT_READY}[serving] if serving != self._announced else state.status
        operations = _difference(state, self._wanted_spec(), status)
        if operations:
            log.debug("publishing", operations=len(operations))
            await self._client.json_patch(
                NodeAllocationState,
                self._key,
                [{"op": "test", "path": "/metadata/uid", "value": state.uid}, *operations],
            )
        if serving != self._announced:
            log.info("node status published", status=status, devices=len(self._inventory))
            self._announced = serving

    def _wanted_spec(self) -> Mapping[str, Any]:
        spec = NodeAllocationStateSpec(
            allocatable_device=tuple(
                AllocatableDevice(fake=FakeDevice(uuid=device.uuid, name=device.model)) for device in self._inventory
            ),
            prepared_devices={uid: _prepared(claim) for uid, claim in sorted(self._checkpoint.claims.items())},
        )
        return spec.to_wire()

    async def _take_back(self, state: NodeAllocationState) -> Result:
        """Ends claims that are prepared and gone. Only those that the ledger does not list are asked about."""
        suspects = [c for uid, c in sorted(self._checkpoint.claims.items()) if uid not in state.spec.allocated_claims]
        held = False
        for claim in suspects:
            if not is_stale(claim.uid, await self._live(claim)):
                held = True
                continue
            log.info("claim that is gone was never unprepared", claim_uid=claim.uid, claim=_name(claim))
            try:
                await self._driver.drop(claim.uid)
            except PrepareError as error:
                log.warning("claim that is gone could not be taken back", claim_uid=claim.uid, error=str(error))
                held = True
        return Result(requeue_after=STILL_HELD_SECONDS) if held else Result()

    async def _live(self, claim: PreparedClaim) -> ResourceClaim | None:
        try:
            return await self._client.get(ResourceClaim, NamespacedName(claim.namespace, claim.name))
        except NotFoundError:
            return None

    async def _rebuild(self) -> None:
        """Fills a checkpoint that was missing or damaged: with what the API server says is in use on this node.

        A claim that is allocated here and reserved may or may not have been prepared. Preparing one too many costs a
        file, which goes when the claim does; one too few would cost a container its devices.
        """
        inventory = {device.uuid: device for device in self._inventory}
        state = self._states.get(self._key)
        entries = {} if state is None else state.spec.allocated_claims
        known = set() if state is None else set(state.spec.prepared_devices)
        for claim in (await self._client.list(ResourceClaim)).items:
            allocation = claim.status.allocation
            ours = allocation is not None and claim.status.driver_name == DRIVER_NAME
            if allocation is None or not ours or node_of(allocation) != self._key.name:
                continue
            if claim.uid in self._checkpoint.claims or not (claim.status.reserved_for or claim.uid in known):
                continue
            try:
                handle = next((h.data for h in allocation.resource_handles if h.data), None)
                wanted = wanted_by_handle(handle) if handle else wanted_by_entry(entries.get(claim.uid))
                devices = prepared_devices(inventory, wanted)
                if devices:
                    await self._driver.adopt(
                        PreparedClaim(claim.uid, claim.metadata.namespace, claim.metadata.name, devices)
                    )
            except (UnknownDeviceError, ValueError, PrepareError) as error:
                log.warning("claim left out of the rebuilt checkpoint", claim=str(claim.key), error=str(error))
        await self._checkpoint.complete()
        await self._driver.remove_orphans()
        log.info("checkpoint rebuilt", claims=len(self._checkpoint.claims))


async def make_state(client: StateClient, key: NamespacedName, status: str) -> NodeAllocationState:
    """Creates a node's object, owned by the Node so that it goes with it; returns the one that is there, if it is.

    Raises:
        NotFoundError: there is no such Node, or the CRD is not installed.
        ApiError, DeadlineError, TransportError: as the API calls.
    """
    node = await client.get(Node, NamespacedName("", key.name))
    owner = OwnerReference(api_version="v1", kind="Node", name=key.name, uid=node.uid)
    metadata = ObjectMeta(name=key.name, namespace=key.namespace, owner_references=(owner,))
    try:
        return await client.create(
            NodeAllocationState(metadata=metadata, spec=NodeAllocationStateSpec(), status=status)
        )
    except AlreadyExistsError:
        return await client.get(NodeAllocationState, key)


async def set_status(client: StateClient, key: NamespacedName, status: str) -> None:
    """Sets the status of a node's object, and makes the object when there is none (``set-nas-status``).

    Raises:
        ApiError, DeadlineError, TransportError: as the API calls.
    """
    try:
        await client.merge_patch(NodeAllocationState, key, {"status": status})
    except NotFoundError:
        state = await make_state(client, key, status)
        if state.status != status:
            await client.merge_patch(NodeAllocationState, key, {"status": status})


def _difference(state: NodeAllocationState, wanted: Mapping[str, Any], status: str) -> list[Mapping[str, Any]]:
    """What a JSON patch has to do. An empty list is left out of the object, so that its initial state comes back."""
    there = state.spec.to_wire()
    operations: list[Mapping[str, Any]] = []
    if "spec" not in state.model_fields_set:
        operations.append({"op": "add", "path": "/spec", "value": {}})
    for field in ("allocatableDevice", "preparedDevices"):
        if wanted.get(field) and wanted[field] != there.get(field):
            operations.append({"op": "add", "path": f"/spec/{field}", "value": wanted[field]})
        elif not wanted.get(field) and field in there:
            operations.append({"op": "remove", "path": f"/spec/{field}"})
    if state.status != status:
        operations.append({"op": "add", "path": "/status", "value": status})
    return operations


def _prepared(claim: PreparedClaim) -> PreparedDevices:
    devices = [
        PreparedDevice(uuid=device.uuid, parent_uuid=device.parent_uuid)
        if device.parent_uuid is not None
        else PreparedDevice(uuid=device.uuid)
        for device in claim.devices
    ]
    return PreparedDevices(fake=PreparedFakes(devices=tuple(devices)))


def _name(claim: PreparedClaim) -> str:
    return f"{claim.namespace}/{claim.name}"
