"""Brings the node's files in line with what happened while no plugin looked: stops, reboots, lost files, missed calls.

- At the start: CDI files of prepared claims that are missing are written again, those of other claims removed.
- A checkpoint that was lost or damaged is rebuilt from the claims that the API server knows to be in use here.
- Claims that the kubelet will never unprepare are unprepared, once the controller says that no pod can use them:
  kubelet 1.27 cannot do it once the claim object is gone, and up to 1.30 none does it for a pod that was removed by
  force while the kubelet was away.

Where a driver does something to its devices, its code may hang. Each claim is then worked on in a pass of its own, so
that one of them keeps nothing from the others.

Works without a NodeAllocationState; which claims are in use is the mode's to say (``claimlookup``).
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.dra.node.checkpoint import DamagedCheckpointError
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimevents import ClaimEvents
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, ClaimLookup, ModeUnknownError
from fake_dra_driver.dra.node.deviceerror import DeviceInUseError, DeviceMissingError
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.prepared import PreparedT
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["Recovery"]

STILL_HELD_SECONDS: Final = 60.0
"""Pause before a claim is looked at again that is not known to hold devices here, and that could not be ended."""
REBUILD_PAUSE_SECONDS: Final = 10.0
"""Pause before a checkpoint is rebuilt again after files of ours could not be written."""

OF_CLAIM: Final = "uid:"
"""In the place of the namespace in requests about one claim, where its UID is the name. No namespace is called that."""

log = logger.bind(component="recovery")


class Recovery(Reconciler, Generic[PreparedT]):
    """Looks at all claims of the node in each pass, unless the request is about one. Nothing is done before ``start``.

    Args:
        preparer: does the work on one claim.
        files: where claims are prepared; ``start`` loads the checkpoint.
        lookup: what claims hold on this node.
        node_events: tells people about repairs.
        claim_events: tells the owners of claims that could not be restored.
        changed: called when the checkpoint has become complete.
        ask_for: asks for a pass, in which one claim is worked on (``has_effects``); None: all of them are in one pass.
    """

    def __init__(
        self,
        preparer: Preparer[PreparedT],
        files: NodeFiles[PreparedT],
        lookup: ClaimLookup[PreparedT],
        node_events: NodeEvents,
        claim_events: ClaimEvents,
        changed: Callable[[], None],
        ask_for: Callable[[Request], None] | None = None,
    ) -> None:
        self._preparer = preparer
        self._files = files
        self._checkpoint, self._cdi = files.checkpoint, files.cdi
        self._lookup = lookup
        self._node_events = node_events
        self._claim_events = claim_events
        self._changed = changed
        self._ask_for = ask_for
        self._unfinished: dict[UID, NodeClaim] = {}
        """Claims of a rebuilt checkpoint whose devices are yet to be made ready."""
        self._is_started = False
        self._damage = ""
        """Why the checkpoint could not be used at the start; empty when it could, or when there was none."""

    async def start(self) -> None:
        """Reads the checkpoint and brings the CDI folder in line with it. Needs no API server.

        To be called once, before the first call of the kubelet; a pass should follow.

        Raises:
            OSError: a folder of ours cannot be used.
        """
        async with self._files.hold():
            await self._start()
        self._is_started = True
        log.info("Checkpoint read", claims=len(self._checkpoint.claims), complete=self._checkpoint.is_complete)

    @override
    async def reconcile(self, request: Request) -> Result:
        if not self._is_started:
            return Result()
        if request.namespace == OF_CLAIM:
            return await self._look_at(UID(request.name))
        if not self._checkpoint.is_complete:
            try:
                adopted = await self._rebuild()
            except ModeUnknownError as error:
                log.info("Checkpoint cannot be rebuilt yet", error=str(error))
                return Result()
            except (OSError, PrepareError) as error:
                log.error("Checkpoint cannot be rebuilt, trying again", error=str(error))
                return Result(requeue_after=REBUILD_PAUSE_SECONDS)
            self._changed()
            self._unfinished.update({claim.uid: claim for claim in adopted})
        prepared = self._checkpoint.claims.keys()
        claims = sorted(self._unfinished.keys() | (prepared - self._lookup.known_holders(prepared)))
        if self._ask_for is not None:
            for uid in claims:
                self._ask_for(NamespacedName(OF_CLAIM, uid))
            return Result()
        are_done = [await self._is_done_with(UID(uid)) for uid in claims]
        return _result(all(are_done))

    async def remove_orphans(self) -> None:
        """Removes files of claims that are not prepared. The checkpoint has to be complete. Raises OSError."""
        removed = [uid for uid in await self._cdi.uids() if await self._preparer.remove_orphan(uid)]
        prepared = self._checkpoint.claims.values()
        await self._files.metadata.start([NodeClaim(each.namespace, each.name, UID(each.uid)) for each in prepared])
        if removed:
            log.info("CDI files of claims that are not prepared removed", claim_uids=removed)
            self._node_events.cdi_files_removed(removed)

    async def _start(self) -> None:
        try:
            await self._checkpoint.load()
        except DamagedCheckpointError as error:
            self._damage = str(error)
            log.warning("Checkpoint is damaged, it will be rebuilt from what the API server has", error=self._damage)
        await self._cdi.write_common()
        restored = [uid for uid, claim in self._checkpoint.claims.items() if await self._cdi.write(claim)]
        if restored:
            log.info("CDI files of prepared claims were missing or changed, and are written again", claim_uids=restored)
            self._node_events.cdi_files_restored(restored)
        if self._checkpoint.is_complete:
            await self.remove_orphans()

    async def _look_at(self, uid: UID) -> Result:
        """A pass about one claim."""
        if not self._checkpoint.is_complete:
            return Result()  # a pass about all of them comes first
        return _result(await self._is_done_with(uid))

    async def _is_done_with(self, uid: UID) -> bool:
        """Makes a claim ready that a rebuilt checkpoint lists, and ends it if it is stale; whether nothing is left."""
        if (claim := self._unfinished.pop(uid, None)) is not None:
            await self._finish(claim)
        # Only a claim that is not known to hold devices here is asked about.
        if uid not in self._checkpoint.claims or uid in self._lookup.known_holders({uid}):
            return True
        try:
            return await self._preparer.unprepare_if_stale(uid)
        except PrepareError as error:
            log.warning("Stale claim could not be unprepared", claim_uid=uid, error=str(error))
            return False

    async def _rebuild(self) -> Sequence[NodeClaim]:
        """Fills a checkpoint that was missing or damaged with the claims that are in use on this node.

        A claim that is in use may or may not have been prepared. Preparing one too many costs a file, which goes when
        the claim does; one too few would cost a container its devices.

        Returns:
            The claims that this has added.

        Raises:
            OSError, PrepareError: files of ours cannot be written, so the checkpoint cannot be taken for complete.
        """
        async with self._files.hold():
            if self._checkpoint.is_complete:
                return ()  # another process of ours was first
            adopted = []
            for found in await self._lookup.in_use():
                if found.claim.uid in self._checkpoint.claims:
                    continue
                if found.problem:
                    self._leave_out(found, found.problem)
                    continue
                try:
                    await self._preparer.adopt(found.claim, found.devices)
                except (DeviceMissingError, DeviceInUseError) as error:
                    self._leave_out(found, str(error))
                else:
                    adopted.append(found.claim)
            await self._preparer.complete()
            await self.remove_orphans()
            log.info("Checkpoint rebuilt", claims=len(self._checkpoint.claims))
            if self._damage or self._checkpoint.claims:
                self._node_events.checkpoint_rebuilt(self._damage, len(self._checkpoint.claims))
            return adopted

    async def _finish(self, claim: NodeClaim) -> None:
        """Makes the devices of a claim ready, where that takes more than files."""
        try:
            await self._preparer.make_ready(claim)
        except PrepareError as error:
            log.warning("Claim of the rebuilt checkpoint is not ready", claim=str(claim), error=str(error))
            self._claim_events.not_restored(claim, str(error))

    def _leave_out(self, found: ClaimInUse[PreparedT], problem: str) -> None:
        claim = found.claim
        log.warning("Claim left out of the rebuilt checkpoint", claim=str(claim), claim_uid=claim.uid, error=problem)
        if not found.is_gone:
            self._claim_events.not_restored(claim, problem)


def _result(is_done: bool) -> Result:
    # Nothing tells when that changes.
    return Result() if is_done else Result(requeue_after=STILL_HELD_SECONDS)
