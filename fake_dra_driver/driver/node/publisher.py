"""Keeps the node's NodeAllocationState in line with the node: inventory, prepared devices, and whether it is usable.

The object is a projection of what the plugin knows, written behind: nothing waits for it, and changes that come close
together share a write. Only the plugin's own fields are written; ``spec.allocatedClaims`` is the controller's. The
status is written when the plugin begins or ceases to serve, and left alone in between: ``set-nas-status`` may say
NotReady for a node that is being drained.

The same passes take back what the kubelet will never unprepare: kubelet 1.27 cannot once the claim object is gone, and
none does for a pod that was removed by force while the kubelet was away. And they fill a checkpoint that was lost.
"""

from collections.abc import Callable, Sequence
from typing import Final

from loguru import logger

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceClaim
from fake_dra_driver.device.checkpoint import Checkpoint
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.prepared import PreparedClaim, UnknownDeviceError, WantedDevice, prepared_devices
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.driver.allocatedcount import recount
from fake_dra_driver.driver.classic.holdings import handle_of, node_of, wanted_by_entry, wanted_by_handle
from fake_dra_driver.driver.node.events import ClaimEvents, NodeEvents
from fake_dra_driver.driver.node.preparer import DeviceInUseError, FakeNodeDriver
from fake_dra_driver.driver.nodestate import NOT_READY, READY, StateClient, difference, make_state, owner_of, spec_of
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.patch import Operation, pointer
from fake_dra_driver.runtime.reconcile import Request, Result

__all__ = ["StatePublisher"]

STILL_HELD_SECONDS: Final = 60.0
"""Pause before a claim is looked at again that is prepared and not in the ledger, and that could not be ended."""
REBUILD_PAUSE_SECONDS: Final = 10.0
"""Pause before a checkpoint is rebuilt again after files of ours could not be written."""

log = logger.bind(component="publisher")


class StatePublisher:
    """Reconciles the node's own NodeAllocationState.

    Args:
        state_key: of that object; its name is the node's.
        states: a cache that has that object.
        is_serving: whether the kubelet can use the plugin at this moment.
        node_events: tells people about repairs and changes of the status.
        claim_events: tells the owners of claims that could not be restored.
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
        node_events: NodeEvents,
        claim_events: ClaimEvents,
    ) -> None:
        self._key = state_key
        self._inventory = inventory
        self._checkpoint = checkpoint
        self._driver = driver
        self._states = states
        self._client = client
        self._is_serving = is_serving
        self._node_events = node_events
        self._claim_events = claim_events
        self._announced: bool | None = None
        """What the status was last set to by this process, so that it is set on a change of ours alone."""
        self._announced_on = UID("")
        """The object that it was set on: another one of the same name knows nothing of it."""

    async def reconcile(self, request: Request) -> Result:
        """One pass. Raises what the API calls raise."""
        if request != self._key:
            return Result()
        await self._driver.started.wait()
        if not self._checkpoint.is_complete:
            # Before anything is published: what was prepared before is only in the object now.
            try:
                await self._rebuild()
            except (OSError, PrepareError) as error:
                log.error("Checkpoint cannot be rebuilt, trying again", error=str(error))
                return Result(requeue_after=REBUILD_PAUSE_SECONDS)
        state = self._states.get(self._key)
        if state is None:
            state = await make_state(self._client, self._key, NOT_READY)
        self._node_events.object_found(state.uid)
        if self._announced is not None and state.uid != self._announced_on:
            # Also when the answer to that write was lost, or somebody else has made it.
            self._announced = None
            self._node_events.state_recreated()
        await self._publish(state)
        return await self._take_back(state)

    async def retire(self) -> None:
        """Says that the node is not usable any more: the last act of a plugin that stops. Raises as the API calls."""
        await self._client.merge_patch(NodeAllocationState, self._key, {"status": NOT_READY})
        self._node_events.plugin_stopped()

    async def _publish(self, state: NodeAllocationState) -> None:
        serving = self._is_serving()
        status = {True: READY, False: NOT_READY}[serving] if serving != self._announced else state.status
        operations = [
            *await self._missing_owner(state),
            *difference(state, spec_of(self._inventory, self._checkpoint.claims), status),
            *recount(state, len(self._inventory)),
        ]
        if operations:
            log.debug("Publishing", operations=len(operations))
            await self._client.json_patch(
                NodeAllocationState,
                self._key,
                [patch.test(pointer("metadata", "uid"), state.uid), *operations],
            )
        if serving != self._announced:
            log.info("Node status published", status=status, devices=len(self._inventory))
            if self._announced:
                self._node_events.not_ready()
            self._announced, self._announced_on = serving, state.uid

    async def _missing_owner(self, state: NodeAllocationState) -> Sequence[Operation]:
        """For an object that somebody has made by hand: without an owner it would outlive its node."""
        owners = state.metadata.owner_references
        if any(owner.kind == "Node" for owner in owners):
            return ()
        there = [owner.to_wire() for owner in owners]
        owner = await owner_of(self._client, self._key.name)
        path = pointer("metadata", "ownerReferences")
        return [patch.test(path, there or None), patch.add(path, [*there, owner.to_wire()])]

    async def _take_back(self, state: NodeAllocationState) -> Result:
        """Ends claims that are prepared and gone. Only those that the ledger does not list are asked about."""
        held = False
        for uid in sorted(self._checkpoint.claims.keys() - state.spec.allocated_claims.keys()):
            try:
                held |= not await self._driver.unprepare_if_stale(uid)
            except PrepareError as error:
                log.warning("Claim that is gone could not be taken back", claim_uid=uid, error=str(error))
                held = True
        return Result(requeue_after=STILL_HELD_SECONDS) if held else Result()

    async def _rebuild(self) -> None:
        """Fills a checkpoint that was missing or damaged: with what the API server says is in use on this node.

        A claim that is allocated here and reserved may or may not have been prepared. Preparing one too many costs a
        file, which goes when the claim does; one too few would cost a container its devices.

        Raises:
            OSError, PrepareError: files of ours cannot be written: nobody may take the checkpoint for complete.
        """
        inventory = {device.uuid: device for device in self._inventory}
        state = self._states.get(self._key)
        known = set() if state is None else set(state.spec.prepared_devices)
        for claim in (await self._client.list(ResourceClaim)).items:
            allocation = claim.status.allocation
            if allocation is None or claim.status.driver_name != DRIVER_NAME or node_of(allocation) != self._key.name:
                continue
            if claim.uid in self._checkpoint.claims or not (claim.status.reserved_for or claim.uid in known):
                continue
            try:
                devices = prepared_devices(inventory, _wanted(claim.uid, allocation, state))
                if devices:
                    await self._driver.adopt(
                        PreparedClaim(claim.uid, claim.metadata.namespace, claim.metadata.name, devices)
                    )
            except (UnknownDeviceError, ValueError, DeviceInUseError) as error:
                log.warning(
                    "Claim left out of the rebuilt checkpoint",
                    claim=str(claim.key),
                    claim_uid=claim.uid,
                    error=str(error),
                )
                identity = NodeClaim(claim.metadata.namespace, claim.metadata.name, claim.uid)
                self._claim_events.not_restored(identity, str(error))
        await self._checkpoint.complete()
        await self._driver.remove_orphans()
        log.info("Checkpoint rebuilt", claims=len(self._checkpoint.claims))
        if self._driver.damage or self._checkpoint.claims:
            self._node_events.checkpoint_rebuilt(self._driver.damage, len(self._checkpoint.claims))


def _wanted(uid: str, allocation: AllocationResult, state: NodeAllocationState | None) -> Sequence[WantedDevice]:
    """What a claim holds by its handle, or, when the Go driver has allocated it, by the ledger. Raises ValueError."""
    handle = handle_of(allocation)
    if handle:
        return wanted_by_handle(handle)
    return wanted_by_entry(None if state is None else state.spec.allocated_claims.get(uid))
