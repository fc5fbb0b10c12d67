"""One node with everything behind the kubelet plugin's sockets, on a disk and an API server in memory.

``NodeWorld`` is what outlives a process: the disk and the store. ``Plugin`` is one process: it has read nothing before
``start``, sees the API server's news when ``deliver`` is called, and is gone with all it knew when a test makes the
next one. Both are of classic DRA; those of structured DRA are in ``structurednode``.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from typing_extensions import override

from fake_dra_driver.api.fake import (
    ABANDONED_ANNOTATION,
    CDI_CLASS,
    CDI_VENDOR,
    DRIVER_NAME,
    AllocatedDevices,
    AllocatedFake,
    AllocatedFakes,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import (
    AllocationResult,
    ConsumerReference,
    ResourceClaim,
    ResourceClaimStatus,
    ResourceHandle,
)
from fake_dra_driver.device.inventory import Device, make_inventory
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimevents import ClaimEvents
from fake_dra_driver.dra.node.classic import ClassicClaim, cdi_device_ids
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.latebinding import LateClaimLookup
from fake_dra_driver.dra.node.metadata import ClaimMetadata, NoClaimMetadata
from fake_dra_driver.dra.node.nodedriver import PreparerDriver
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.recovery import Recovery
from fake_dra_driver.dra.nodestate.publisher import StatePublisher
from fake_dra_driver.dra.nodestate.state import reference_of
from fake_dra_driver.driver.classic.handle import ClaimHandle, HandleDevice
from fake_dra_driver.driver.classic.helddevices import make_claim_lookup
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client, ListResult
from fake_dra_driver.runtime.errors import TransportError
from fake_dra_driver.runtime.reconcile import Result
from tests.support.cdi import devices_in
from tests.support.disk import MemoryFiles
from tests.support.events import Recorder
from tests.support.fakenode import published_claims
from tests.support.memory_api import Hook, MemoryApi, MemoryClient, no_fault

K = TypeVar("K", bound=KubeObject)

NODE = "fake-dra-driver-cluster-worker"
STATE = NamespacedName("fake-system", NODE)
CDI_ROOT = Path("/var/run/cdi")
CHECKPOINT = Path("/plugin/checkpoint.json")
INVENTORY = make_inventory(NODE, 8, ["LATEST-FAKE-MODEL"])
UUIDS = tuple(device.uuid for device in INVENTORY)
_PREFIX = f"{CDI_VENDOR}-{CDI_CLASS}_"


class NodeClient(MemoryClient):
    """A client with the calls of a kubelet plugin.

    ``before_read`` runs before each read, ``after_read`` between a read and its answer; both may raise, or wait.
    """

    def __init__(self, api: MemoryApi) -> None:
        super().__init__(api)
        self.before_read: Hook = no_fault
        self.after_read: Hook = no_fault
        self.is_away = False
        """Whether the API server refuses every connection."""

    @override
    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        self.calls.append(("get", kind.resource.kind))
        self._connect("get", kind)
        await self.before_read("get", kind.resource.kind)
        found = kind.from_wire(self._found(kind, key, "get"))
        await self.after_read("get", kind.resource.kind)
        return found

    @override
    async def list(self, kind: type[K], namespace: str | None = None, *, field_selector: str = "") -> ListResult[K]:
        self._connect("list", kind)
        await self.before_read("list", kind.resource.kind)
        found = await super().list(kind, namespace, field_selector=field_selector)
        await self.after_read("list", kind.resource.kind)
        return found

    @override
    async def _begin(self, verb: str, kind: type[KubeObject]) -> None:
        self._connect(verb, kind)
        await super()._begin(verb, kind)

    def _connect(self, verb: str, kind: type[KubeObject]) -> None:
        if self.is_away:
            raise TransportError(verb, kind.resource, NamespacedName("", ""), "connection refused")

    def requests(self) -> Sequence[tuple[str, str]]:
        """What was asked of the API server since the last time."""
        found, self.calls = self.calls, []
        return found


async def _nothing() -> None:
    pass


class NodeProcess:
    """One process of the kubelet plugin, without its sockets, in a mode that a subclass binds."""

    def __init__(self, world: "NodeMachine") -> None:
        self.client = NodeClient(world.api)
        self.files = world.files
        self.is_serving = True
        self.has_successor = False
        self.taken: Callable[[], Awaitable[None]] = _nothing
        """Called whenever work on the files begins, which another process may have used."""
        self.changes = 0
        """How often the driver said that something has changed."""
        model = FakePreparedModel(NODE, files_folder=world.claim_files)
        self.checkpoint = Checkpoint(self.files, CHECKPOINT, model)
        self.planner = FakePlanner(lambda: world.describe(world.inventory), lambda: self.checkpoint.claims)
        cdi = CdiFolder(self.files, CDI_ROOT, model)
        self.events = Recorder()
        self._api = world.api
        self._delivered = 0
        cache = Cache(cast("Client", self.client))
        self.states = cache.informer(NodeAllocationState, namespace=STATE.namespace)
        self.node_events = NodeEvents(self.events, reference_of(NodeAllocationState, STATE))
        self._late = LateClaimLookup(published_claims(world.seen_state, self.planner))
        self.claim_events = ClaimEvents(self.events, NODE, lambda: self._late.claim_kind)
        files = NodeFiles(self.checkpoint, cdi, self._hold, metadata=world.metadata)
        self.preparer = Preparer(NODE, model, files, self._late, self.node_events, self._changed)
        self.recovery = Recovery(self.preparer, files, self._late, self.node_events, self.claim_events, self._changed)
        self.publisher = StatePublisher(
            FakeStateLayout(),
            STATE,
            lambda: world.inventory,
            files,
            self.states,
            self.client,
            lambda: self.is_serving,
            self._has_successor,
            self.node_events,
        )

    def _changed(self) -> None:
        self.changes += 1

    @asynccontextmanager
    async def _hold(self) -> AsyncIterator[None]:
        await self.taken()
        yield

    async def _has_successor(self) -> bool:
        return self.has_successor

    def deliver(self) -> None:
        """The watch brings what it has not brought yet."""
        news, self._delivered = self._api.events[self._delivered :], len(self._api.events)
        for event, kind, wire in news:
            if kind == NodeAllocationState.resource.kind:
                self.states.handle(event, copy.deepcopy(wire))

    async def reconcile(self) -> Result:
        """One pass of the recovery and one of the publisher, with the API server's news; what the former returned."""
        self.deliver()
        result = await self.recovery.reconcile(STATE)
        await self.publisher.reconcile(STATE)
        return result

    async def settle(self) -> None:
        """Passes until one of them changes nothing, neither in the API nor on the node."""
        seen = None
        while seen != (found := (len(self._api.events), self.changes)):
            seen = found
            await self.reconcile()


class Plugin(NodeProcess):
    """A process in a cluster of classic DRA."""

    def __init__(self, world: "NodeMachine") -> None:
        super().__init__(world)
        self.lookup = make_claim_lookup(STATE, self.states, self.client, self.planner)
        self._late.bind(self.lookup)
        self.driver = PreparerDriver(self.preparer, self.lookup.devices)

    async def prepare(self, claim: ClassicClaim) -> list[str]:
        """What the kubelet calls; returns the CDI names that it is told."""
        return cdi_device_ids(await self.driver.prepare(claim))


class NodeMachine:
    """The node's disk and the API server, in any mode of DRA."""

    def __init__(self, api: MemoryApi | None = None, inventory: Sequence[Device] = INVENTORY) -> None:
        self.api = api or MemoryApi()
        self.inventory = inventory
        self.describe: Callable[[Sequence[Device]], MockNode] = partial(fake_node, NODE)
        """What the node's profile makes of its inventory."""
        self.claim_files: Path | None = None
        """The folder for files that the profile gives containers; None: it gives them none."""
        self.files = MemoryFiles()
        self.metadata: ClaimMetadata = NoClaimMetadata()
        self.abandoned: set[str] = set()
        """The claims that no pod can use, as the controller has found out."""
        self.api.apply(Node(metadata=ObjectMeta(name=NODE)))

    def stop(self, *emptied: Path) -> None:
        """The process dies, or the machine: what was on its disk is there, but for what is in the folders given."""
        self.files = self.files.after_stop(*emptied)

    def update_state(self, patch: dict[str, Any]) -> None:
        """Another client changes the node's object."""
        self.api.update(NodeAllocationState, NODE, STATE.namespace, patch)

    def abandon(self, claim: NodeClaim) -> None:
        """The controller finds that no pod on the node can use the claim any more."""
        self.abandoned.add(claim.uid)

    def seen_state(self) -> NodeAllocationState | None:
        """The node's object, with what the controller has found out, also where a test does without the object."""
        found = self.api.wire(NodeAllocationState, NODE, STATE.namespace)
        if found is None and not self.abandoned:
            return None
        state = NodeAllocationState.from_wire(found or {"metadata": {"name": NODE, "namespace": STATE.namespace}})
        annotations = {**state.metadata.annotations, ABANDONED_ANNOTATION: ",".join(sorted(self.abandoned))}
        return state.model_copy(update={"metadata": state.metadata.model_copy(update={"annotations": annotations})})

    def delete_state(self) -> None:
        """Another client deletes the node's object."""
        self.api.delete(NodeAllocationState, NODE, STATE.namespace)

    def state(self) -> dict[str, Any]:
        """The node's object as it is now."""
        found = self.api.wire(NodeAllocationState, NODE, STATE.namespace)
        assert found is not None, "no NodeAllocationState"
        return found

    def published(self) -> dict[str, list[str]]:
        """By claim: the devices that the node's object lists as prepared."""
        prepared = self.state()["spec"].get("preparedDevices", {})
        return {uid: [device["uuid"] for device in entry["fake"]["devices"]] for uid, entry in prepared.items()}

    def recorded(self) -> dict[str, list[str]]:
        """By claim: the devices that the checkpoint on disk lists, in their order."""
        if CHECKPOINT not in self.files.contents:
            return {}
        claims = json.loads(self.files.contents[CHECKPOINT])["contents"]["claims"]
        return {uid: [device["uuid"] for device in entry["devices"]] for uid, entry in claims.items()}

    def cdi_contents(self) -> dict[str, bytes]:
        """By claim: its CDI file."""
        found = {}
        for path, data in self.files.contents.items():
            uid = path.name.removeprefix(_PREFIX).removesuffix(".yaml")
            if path.parent == CDI_ROOT and path.name == f"{_PREFIX}{uid}.yaml" and uid != "common":
                found[uid] = data
        return found


class NodeWorld(NodeMachine):
    """A node in a cluster of classic DRA, with words for what others do there."""

    async def start(self) -> Plugin:
        """A new process, after the orderly end or the death of the one before."""
        plugin = Plugin(self)
        await plugin.recovery.start()
        return plugin

    # --- What the others do ---

    def claim(
        self,
        name: str,
        *devices: int | WantedDevice,
        node: str = NODE,
        with_handle: bool = True,
        in_ledger: bool = True,
        reserved: bool = True,
    ) -> ClassicClaim:
        """The controller allocates the devices (numbers of the inventory) to a new claim, or to the one of that name.

        Returns:
            The claim as the kubelet names it.
        """
        wanted = [entry if isinstance(entry, WantedDevice) else WantedDevice(UUIDS[entry]) for entry in devices]
        handle = ClaimHandle(devices=tuple(HandleDevice(uuid=entry.uuid, split=entry.split) for entry in wanted))
        data = handle.to_data() if with_handle else ""
        requirement = NodeSelectorRequirement(key="metadata.name", operator="In", values=(node,))
        allocation = AllocationResult(
            available_on_nodes=NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(requirement,)),)),
            resource_handles=(ResourceHandle(driver_name=DRIVER_NAME, data=data),) if with_handle else (),
        )
        consumers = (ConsumerReference(resource="pods", name="pod", uid=UID("pod-uid")),) if reserved else ()
        status = ResourceClaimStatus(driver_name=DRIVER_NAME, allocation=allocation, reserved_for=consumers)
        self.api.apply(ResourceClaim(metadata=ObjectMeta(name=name, namespace="default"), status=status))
        claim = self.api.read(ResourceClaim, name, "default")
        if in_ledger and self.api.wire(NodeAllocationState, NODE, STATE.namespace) is not None:
            self.put_entry(claim.uid, *wanted)
        return ClassicClaim("default", name, claim.uid, data)

    def put_entry(self, uid: str, *devices: WantedDevice) -> None:
        """The controller writes a claim's entry into the ledger."""
        fakes = tuple(
            AllocatedFake(uuid=entry.uuid, split=entry.split) if entry.split else AllocatedFake(uuid=entry.uuid)
            for entry in devices
        )
        entry = AllocatedDevices(fake=AllocatedFakes(devices=fakes)).to_wire()
        self.update_state({"spec": {"allocatedClaims": {uid: entry}}})

    def release(self, claim: ClassicClaim) -> None:
        """The claim's pod is gone from the API and from the node, and the controller takes the devices back."""
        self.api.update(ResourceClaim, claim.name, "default", {"status": {"allocation": None, "reservedFor": None}})
        self.forget(claim)
        self.abandon(claim)

    def delete(self, claim: ClassicClaim) -> None:
        """The claim's pod is gone from the API and from the node; the claim goes, and its entry."""
        self.strip(claim)
        self.forget(claim)
        self.abandon(claim)

    def strip(self, claim: ClassicClaim) -> None:
        """A user takes the claim away while its pod runs."""
        self.api.delete(ResourceClaim, claim.name, "default")

    def forget(self, claim: ClassicClaim) -> None:
        """The controller takes the claim's entry out of the ledger."""
        if self.api.wire(NodeAllocationState, NODE, STATE.namespace) is not None:
            self.update_state({"spec": {"allocatedClaims": {claim.uid: None}}})

    def node_claim(self, name: str) -> ClassicClaim:
        """The claim of that name as it is allocated now, as the kubelet names it in a call."""
        claim = self.api.read(ResourceClaim, name, "default")
        allocation = claim.status.allocation
        handles = allocation.resource_handles if allocation is not None else ()
        return ClassicClaim("default", name, claim.uid, handles[0].data if handles else "")

    def cdi_files(self) -> dict[str, Sequence[str]]:
        """By claim: the devices that its CDI file defines, in their order."""
        return {uid: devices_in(data, uid) for uid, data in self.cdi_contents().items()}

    def assert_sound(self, *claims: ClassicClaim) -> None:
        """Exactly these claims are prepared, by the checkpoint and by the CDI files; no device is defined twice."""
        assert sorted(self.recorded()) == sorted(claim.uid for claim in claims)
        assert self.cdi_files() == self.recorded()
        defined = [uuid for uuids in self.cdi_files().values() for uuid in uuids]
        assert len(defined) == len(set(defined)), f"two CDI files define one device: {self.cdi_files()}"
        assert CDI_ROOT / f"{_PREFIX}common.yaml" in self.files.contents


async def settle() -> None:
    """Lets everything run that can run without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)
