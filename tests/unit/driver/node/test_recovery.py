"""Recovery asks a ClaimLookup alone: here of claims that no API server has, on a node without a NodeAllocationState."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

import pytest
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node, ObjectReference
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ResourceKind
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimevents import ClaimEvents
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, NodeLookup
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.recovery import STILL_HELD_SECONDS, Recovery
from fake_dra_driver.dra.node.retry import RetryBudget
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.runtime.reconcile import Result
from tests.support.disk import MemoryFiles
from tests.support.events import Recorder
from tests.support.node import CDI_ROOT, CHECKPOINT, NODE, UUIDS

pytestmark = pytest.mark.looptime

REQUEST = NamespacedName("", NODE)


MODEL = FakePreparedModel(NODE)


def device(number: int) -> FakePreparedDevice:
    """A whole device of the node."""
    return FakePreparedDevice(UUIDS[number], "LATEST-FAKE-MODEL")


SPLIT = [FakePreparedDevice(uuid, "LATEST-FAKE-MODEL", UUIDS[1]) for uuid in children(UUIDS[1], 2)]


def claim(name: str) -> NodeClaim:
    return NodeClaim("default", name, UID(f"uid-{name}"))


class Lookup(NodeLookup[FakePreparedDevice]):
    """Claims in memory."""

    claim_kind = ResourceKind("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")

    def __init__(self) -> None:
        self.claims: list[ClaimInUse[FakePreparedDevice]] = []
        self.known: set[str] = set()
        self.abandoned = {"uid-stale"}
        self.asked: list[str] = []
        """The claims that were asked about, in order."""

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        return prepared & self.known

    @override
    async def still_held(self, prepared: FakePreparedClaim) -> Collection[str]:
        self.asked.append(prepared.uid)
        return [device.uuid for found in self.claims if found.claim.uid == prepared.uid for device in found.devices]

    @override
    def is_abandoned(self, uid: str) -> bool:
        return uid in self.abandoned

    @override
    async def in_use(self) -> Sequence[ClaimInUse[FakePreparedDevice]]:
        return self.claims


class Plugin:
    """One process, on a disk that outlives it."""

    def __init__(self, files: MemoryFiles, lookup: Lookup) -> None:
        self.events = Recorder()
        self.checkpoint = Checkpoint(files, CHECKPOINT, MODEL)
        self.changes = 0
        node = ObjectReference(api_version="v1", kind=Node.resource.kind, name=NODE, uid=UID(NODE))
        cdi = CdiFolder(files, CDI_ROOT, MODEL)
        on_disk, node_events = NodeFiles(self.checkpoint, cdi), NodeEvents(self.events, node)
        self.preparer = Preparer(NODE, MODEL, on_disk, lookup, node_events, self._changed)
        claim_events = ClaimEvents(self.events, NODE, lambda: lookup.claim_kind)
        self.recovery = Recovery(self.preparer, on_disk, lookup, node_events, claim_events, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def prepare(self, prepared: NodeClaim, *devices: int) -> None:
        """The kubelet asks for it."""
        await self.preparer.prepare(prepared, [device(number) for number in devices], RetryBudget())

    def prepared(self) -> set[str]:
        return {found.name for found in self.checkpoint.claims.values()}


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


@pytest.fixture
def lookup() -> Lookup:
    return Lookup()


async def started(files: MemoryFiles, lookup: Lookup) -> Plugin:
    plugin = Plugin(files, lookup)
    await plugin.recovery.start()
    return plugin


async def test_nothing_is_done_before_the_checkpoint_is_read(files: MemoryFiles, lookup: Lookup) -> None:
    lookup.claims = [ClaimInUse(claim("c"), [device(0)])]
    plugin = Plugin(files, lookup)
    assert await plugin.recovery.reconcile(REQUEST) == Result()
    assert files.operations == []


async def test_a_lost_checkpoint_is_filled_with_the_claims_in_use(files: MemoryFiles, lookup: Lookup) -> None:
    lookup.claims = [
        ClaimInUse(claim("whole"), [device(0)]),
        ClaimInUse(claim("split"), SPLIT),
        ClaimInUse(claim("disputed"), [device(0)]),
        ClaimInUse(claim("garbage"), (), "its configuration cannot be read"),
        ClaimInUse(claim("new"), [device(2)]),
    ]
    plugin = await started(files, lookup)
    await plugin.prepare(claim("new"), 2)
    await plugin.recovery.reconcile(REQUEST)
    assert plugin.prepared() == {"whole", "split", "new"}
    assert plugin.checkpoint.is_complete
    assert {name for name, reason, _ in plugin.events.events if reason == "ClaimNotRestored"} == {
        "disputed",
        "garbage",
    }
    (message,) = plugin.events.messages("CheckpointRebuilt")
    assert message == "there was no checkpoint; it was rebuilt from what the API server has: 3 claims"
    assert {name for name, reason, _ in plugin.events.events if reason == "CheckpointRebuilt"} == {NODE}


async def test_a_checkpoint_that_becomes_complete_is_news_though_nothing_is_in_it(
    files: MemoryFiles, lookup: Lookup
) -> None:
    """What waits with its first write until the checkpoint can be trusted has to be told."""
    plugin = await started(files, lookup)
    await plugin.recovery.reconcile(REQUEST)
    assert plugin.checkpoint.is_complete
    assert plugin.changes == 1
    assert plugin.events.events == []
    await plugin.recovery.reconcile(REQUEST)
    assert plugin.changes == 1


async def test_a_stale_claim_is_unprepared_and_its_devices_are_free(files: MemoryFiles, lookup: Lookup) -> None:
    held = ClaimInUse(claim("held"), [device(0)])
    lookup.claims = [held]
    plugin = await started(files, lookup)
    await plugin.recovery.reconcile(REQUEST)
    await plugin.prepare(claim("stale"), 1)
    assert await plugin.recovery.reconcile(REQUEST) == Result(requeue_after=STILL_HELD_SECONDS)
    assert plugin.prepared() == {"held"}
    lookup.known = {held.claim.uid}
    lookup.asked.clear()
    assert await plugin.recovery.reconcile(REQUEST) == Result()
    assert lookup.asked == [], "a claim that is known to hold its devices was asked about"
    await plugin.prepare(claim("next"), 1)
    assert plugin.prepared() == {"held", "next"}
