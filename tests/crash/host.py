"""A node with the real kubelet plugin on it, behind a kubelet that does what kubelets do about claims, and no more.

The plugin is put together as ``driver.programs.kubeletplugin`` does it, but for its sockets: the kubelet's calls come
in where the gRPC adapters hand them over.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.fake import CDI_CLASS, CDI_VENDOR, EVENT_COMPONENT, NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.calls import ClaimCalls, Verb
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.classic import ClassicClaim, cdi_device_ids
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.latebinding import NodeMode
from fake_dra_driver.dra.node.nodedriver import PreparerDriver
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.driver.classic.helddevices import make_claim_lookup
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.manager import Manager
from tests.crash.disk import Disk, PowerCut
from tests.crash.kubernetes import Kubelet
from tests.crash.process import Life, connect
from tests.crash.stage import MODEL, NAMESPACE, Stage, Wire
from tests.support.cdi import devices_in
from tests.support.fakenode import fake_node_parts

__all__ = ["PLUGIN", "Host"]

PLUGIN = "kubelet-plugin"
CALL_SECONDS = 45.0
"""The kubelet's deadline since Kubernetes 1.28."""
_SPLIT = 2
"""Into how many children a device is split in these stories, if at all."""
_PREFIX = f"{CDI_VENDOR}-{CDI_CLASS}_"


@dataclass
class _Plugin:
    """A plugin that takes calls."""

    life: Life
    calls: ClaimCalls[ClassicClaim]
    checkpoint: Checkpoint[FakePreparedDevice]


async def _has_no_successor() -> bool:
    return False


class Host(Kubelet):
    """One node, with its kubelet; ``plugin`` is the program that runs on it."""

    def __init__(self, stage: Stage, name: str, devices: int, disk: Disk) -> None:
        self.stage = stage
        self.name = name
        self.disk = disk
        self.forgotten: list[str] = []
        """What the plugin should have known after a stop, and did not; or the other way round."""
        self._inventory = make_inventory(name, devices, [MODEL])
        self._plugin: _Plugin | None = None
        self._users: dict[str, set[str]] = {}
        """By claim: the pods for which it was prepared, as the kubelet remembers it, also after a reboot."""
        self._lost: set[str] = set()
        """Claims that were prepared before a reboot, for containers that are yet to be started again."""
        self._claims: dict[str, ClassicClaim] = {}
        self._must_be: set[str] = set()
        """Claims that the plugin has said are prepared."""
        self._must_not_be: set[str] = set()
        """Claims that the plugin has said are no longer prepared."""

    # --- the plugin ---

    async def plugin(self, stage: Stage, life: Life) -> None:
        """One process of the kubelet plugin."""
        self.disk.life = life
        client = connect(stage, PLUGIN, life)
        cache, key = Cache(client), NamespacedName(NAMESPACE, self.name)
        events = EventRecorder(client, EVENT_COMPONENT, host=self.name, now=stage.now, rng=random.Random(1))
        files = DiskFiles()
        model = FakePreparedModel(self.name)
        checkpoint = Checkpoint(files, self.disk.plugin / "checkpoint.json", model)
        planner = FakePlanner(lambda: fake_node(self.name, self._inventory), lambda: checkpoint.claims)
        cdi = CdiFolder(files, self.disk.run, model)
        states = cache.informer(NodeAllocationState, namespace=NAMESPACE, field_selector=f"metadata.name={self.name}")
        lookup = make_claim_lookup(key, states, client, planner)
        parts = fake_node_parts(
            state_key=key,
            inventory=self._inventory,
            model=model,
            planner=planner,
            files=NodeFiles(checkpoint, cdi),
            classic=lookup.devices,
            states=states,
            client=client,
            events=events,
            is_serving=lambda: self._plugin is not None and self._plugin.life is life,
            has_successor=_has_no_successor,
        )
        parts.bind(NodeMode(lookup, PreparerDriver(parts.preparer, lookup.devices)))

        async def serve() -> None:
            async with AsyncExitStack() as stack:
                calls = await stack.enter_async_context(ClaimCalls[ClassicClaim](parts.driver))
                await parts.start()
                self._look_for_forgotten(checkpoint)
                self._plugin = _Plugin(life, calls, checkpoint)
                parts.publish()
                await asyncio.Event().wait()

        manager = Manager(client, cache, events=events, grace_period_seconds=0, signals=())
        manager.add_runnable("kubelet-plugin", serve, needs_caches=False)
        for controller in parts.controllers:
            manager.add_controller(controller)
        await manager.run()

    def _look_for_forgotten(self, checkpoint: Checkpoint[FakePreparedDevice]) -> None:
        known = checkpoint.claims.keys()
        self.forgotten += [f"claim {uid} was prepared, which the next process forgot" for uid in self._must_be - known]
        self.forgotten += [f"claim {uid} was ended, which the next process forgot" for uid in self._must_not_be & known]

    def reboot(self, how: PowerCut) -> None:
        """The power was cut: nothing runs any more, and every pod has to be started again."""
        self.disk.cut_power(how)
        self._lost = {uid for uid, pods in self._users.items() if pods}

    # --- the kubelet ---

    @override
    async def prepare(self, pod: Wire, claims: Sequence[Wire]) -> bool:
        # The plugin hears once of a claim that pods share.
        uid: str = pod["metadata"]["uid"]
        wanted = [_node_claim(claim) for claim in claims]
        fresh = [claim for claim in wanted if claim.uid in self._lost or not self._users.get(claim.uid)]
        if fresh and not await self._call("prepare", fresh):
            return False
        for claim in wanted:
            self._users.setdefault(claim.uid, set()).add(uid)
            self._lost.discard(claim.uid)
        self._claims.update({claim.uid: claim for claim in fresh})
        return True

    @override
    async def unprepare(self, pod: Wire) -> bool:
        uid: str = pod["metadata"]["uid"]
        last = [claim for claim, pods in self._users.items() if pods == {uid}]
        if last and not await self._call("unprepare", [self._claims[claim] for claim in last]):
            return False
        for claim in last:
            del self._users[claim]
            self._lost.discard(claim)
        for pods in self._users.values():
            pods.discard(uid)
        return True

    async def _call(self, verb: Verb, claims: Sequence[ClassicClaim]) -> bool:
        """Whether the plugin says that all of it is done."""
        plugin = self._plugin
        if plugin is None or plugin.life.is_over:
            return False
        uids: set[str] = {claim.uid for claim in claims}
        self._must_be -= uids
        self._must_not_be -= uids
        call = asyncio.ensure_future(plugin.calls.run(verb, claims, CALL_SECONDS))
        ended = asyncio.ensure_future(plugin.life.ended.wait())
        await asyncio.wait((call, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not call.done() or _is_over(plugin):
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            return False
        answers = {uid: outcome for uid, outcome in call.result().items() if isinstance(outcome, tuple)}
        if answers.keys() != uids:
            return False
        if verb == "prepare":
            self._must_be |= uids
            defined = self.cdi_files()
            for uid in uids:
                names = cdi_device_ids(answers[uid])
                wanted = [name.partition("=")[2] for name in names if not name.endswith("=common")]
                if defined.get(uid) != wanted:
                    self.forgotten.append(f"claim {uid} was prepared with {wanted}, and its CDI file has {defined}")
        else:
            self._must_not_be |= uids
        return True

    # --- what there is ---

    def cdi_files(self) -> Mapping[str, Sequence[str]]:
        """By claim: the devices that its CDI file defines."""
        found = {}
        for path in self.disk.run.glob(f"{_PREFIX}*.yaml"):
            uid = path.name.removeprefix(_PREFIX).removesuffix(".yaml")
            if uid != "common":
                found[uid] = devices_in(path.read_bytes(), uid)
        return found

    def given_twice(self) -> list[str]:
        """What is wrong at any moment: two claims with one device, or children of one, in their CDI files."""
        wholes = {child: device.uuid for device in self._inventory for child in children(device.uuid, _SPLIT)}
        holders: dict[str, str] = {}
        return [
            f"device {uuid} is in the CDI files of {holders[whole]} and of {uid}"
            for uid, uuids in self.cdi_files().items()
            for uuid in uuids
            if holders.setdefault(whole := wholes.get(uuid, uuid), uid) != uid
        ]

    def complaints(self) -> list[str]:
        """What is wrong; nothing, once everything has settled: prepared = checkpoint = CDI files = what pods use."""
        if self.forgotten:
            return self.forgotten
        if self._plugin is None or self._plugin.life.is_over:
            return [f"the plugin of {self.name} does not serve"]
        if self._lost.intersection(claim["metadata"]["uid"] for claim in self.stage.all(ResourceClaim)):
            return [f"pods on {self.name} have not been started again after a reboot"]
        checkpoint = self._plugin.checkpoint
        recorded = {uid: [device.uuid for device in claim.devices] for uid, claim in checkpoint.claims.items()}
        found = []
        if recorded != self.cdi_files():
            found.append(f"checkpoint {recorded} differs from CDI files {self.cdi_files()}")
        state = self.stage.find(NodeAllocationState, self.name, NAMESPACE)
        published = {} if state is None else state["spec"].get("preparedDevices", {})
        listed = {uid: [device["uuid"] for device in entry["fake"]["devices"]] for uid, entry in published.items()}
        if recorded != listed:
            found.append(f"checkpoint {recorded} differs from what is published: {listed}")
        used = {uid for uid, pods in self._users.items() if pods}
        if recorded.keys() != used:
            found.append(f"prepared are {sorted(recorded)}, pods use {sorted(used)}")
        if state is None or state.get("status") != "Ready":
            found.append(f"node {self.name} is not published as ready")
        leftovers = [path.name for path in (*self.disk.run.glob(".*"), *self.disk.plugin.glob(".*"))]
        return found + ([f"files are left: {leftovers}"] if leftovers else [])


def _is_over(plugin: _Plugin) -> bool:
    return plugin.life.is_over


def _node_claim(claim: Wire) -> ClassicClaim:
    metadata = claim["metadata"]
    handles: Any = claim["status"]["allocation"]["resourceHandles"]
    return ClassicClaim("default", metadata["name"], UID(metadata["uid"]), handles[0]["data"])
