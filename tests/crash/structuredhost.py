"""A node of structured DRA with the real kubelet plugin on it, and a kubelet that does what kubelets do about claims.

The plugin is put together as ``driver.programs.kubeletplugin`` does it, but for its sockets: the kubelet's calls come
in where the gRPC adapters hand them over, also before the plugin has found out which version the API server serves.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.api.fake import CDI_CLASS, CDI_VENDOR, DRIVER_NAME, EVENT_COMPONENT, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra.node.calls import ClaimCalls, Verb
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import ReadyDevice
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.health import HealthReports
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.structured.nodesetup import StructuredNode
from fake_dra_driver.driver.classic.helddevices import make_claim_lookup
from fake_dra_driver.driver.live.source import SteadyNode
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.profile.fakes import device_name, fake_node
from fake_dra_driver.driver.structured.pool import FakePool
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.manager import Manager
from tests.crash.disk import Disk, PowerCut
from tests.crash.process import Life, connect
from tests.crash.scenery import NAMESPACE, Scenery
from tests.support.cdi import environment_in
from tests.support.fakenode import fake_node_parts

__all__ = ["PLUGIN", "StructuredHost"]

PLUGIN = "kubelet-plugin"
CALL_SECONDS = 45.0
_PREFIX = f"{CDI_VENDOR}-{CDI_CLASS}_"
_DISCOVERY_PAUSE_SECONDS = 1.0


@dataclass
class _Plugin:
    """A plugin that takes calls."""

    life: Life
    calls: ClaimCalls[NodeClaim]
    checkpoint: Checkpoint[FakePreparedDevice]


async def _never() -> bool:
    return False


class StructuredHost:
    """One node. ``plugin`` is the program that runs on it; what a kubelet remembers outlives everything."""

    def __init__(self, stage: Scenery, name: str, devices: int, disk: Disk) -> None:
        self.stage = stage
        self.name = name
        self.disk = disk
        self.wrong: list[str] = []
        """What must never be, and was."""
        self._inventory = make_inventory(name, devices, ["LATEST-FAKE-MODEL"])
        self._plugin: _Plugin | None = None
        self._known: dict[UID, NodeClaim] = {}
        """The claims that the kubelet has asked for and not ended, by UID."""
        self._ready: dict[str, Sequence[ReadyDevice]] = {}
        """What it was answered for those that are prepared."""
        self._lost: set[str] = set()
        """Claims that have to be prepared again, since the node was rebooted."""

    # --- the plugin ---

    async def plugin(self, stage: Scenery, life: Life) -> None:
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
        parts = fake_node_parts(
            state_key=key,
            inventory=self._inventory,
            model=model,
            planner=planner,
            files=NodeFiles(checkpoint, cdi),
            classic=make_claim_lookup(key, states, client, planner).devices,
            states=states,
            client=client,
            events=events,
            is_serving=lambda: self._plugin is not None and self._plugin.life is life,
            has_successor=_never,
        )
        manager = Manager(client, cache, events=events, grace_period_seconds=0, signals=())

        async def serve() -> None:
            async with AsyncExitStack() as stack:
                calls = await stack.enter_async_context(ClaimCalls[NodeClaim](parts.driver))
                await parts.start()
                self._plugin = _Plugin(life, calls, checkpoint)
                parts.publish()
                await asyncio.Event().wait()

        async def find_out() -> None:
            while True:
                try:
                    await client.get(Node, NamespacedName("", self.name))
                except RuntimeLayerError:
                    await asyncio.sleep(_DISCOVERY_PAUSE_SECONDS)
                else:
                    break
            structured = StructuredNode.of(
                parts,
                self.name,
                DRIVER_NAME,
                FakePool(SteadyNode(fake_node(self.name, self._inventory)), planner),
                lambda: checkpoint.claims,
                api=RESOURCE_APIS["v1"],
                cache=cache,
                client=client,
                events=events,
                health=HealthReports(),
                is_superseded=_never,
            )
            manager.add_runnable("slices", structured.publisher.run)
            for controller in (*parts.controllers, structured.reports.controller):
                manager.add_controller(controller)
            parts.bind(structured.mode)

        manager.add_runnable("kubelet-plugin", serve, needs_caches=False)
        manager.use_setup(find_out)
        await manager.run()

    def reboot(self, how: PowerCut) -> None:
        """The power was cut: every pod has to be started again."""
        self.disk.cut_power(how)
        self._lost = set(self._ready)

    # --- the kubelet ---

    def forget(self) -> None:
        """The kubelet's own files are lost: it knows of no claim that it has asked for."""
        self._known, self._ready, self._lost = {}, {}, set()

    async def prepare(self, claim: NodeClaim) -> bool:
        """Prepares the claim of a pod that is to run, or runs; whether it may."""
        if claim.uid in self._ready and claim.uid not in self._lost:
            return True
        self._known[claim.uid] = claim
        answer = await self._call("prepare", claim)
        if answer is None:
            return False
        names = [name.partition("=")[2] for device in answer for name in device.cdi_device_ids[:-1]]
        if list(self.cdi_files().get(claim.uid, ())) != names:
            self.wrong.append(f"{claim} was prepared with {names}, and the CDI files are {self.cdi_files()}")
        if self._ready.get(claim.uid, answer) != answer:
            self.wrong.append(f"{claim} was prepared with {self._ready[claim.uid]}, and then with {answer}")
        self.wrong += self.given_twice()
        self._ready[claim.uid] = answer
        self._lost.discard(claim.uid)
        return True

    def knows(self, claim: NodeClaim) -> bool:
        """Whether the kubelet is yet to end the claim."""
        return claim.uid in self._known

    def knows_uid(self, uid: str) -> bool:
        """The same by UID alone."""
        return uid in self._known

    def runs(self, claim: NodeClaim) -> bool:
        """Whether containers may use the claim's devices."""
        return claim.uid in self._ready and claim.uid not in self._lost

    async def unprepare_all_but(self, kept: Mapping[UID, NodeClaim]) -> None:
        """Ends what no pod uses; what fails is for the next time."""
        for uid, claim in list(self._known.items()):
            if uid not in kept and await self._call("unprepare", claim) is not None:
                del self._known[uid]
                self._ready.pop(uid, None)
                self._lost.discard(uid)

    async def _call(self, verb: Verb, claim: NodeClaim) -> Sequence[ReadyDevice] | None:
        plugin = self._plugin
        if plugin is None or plugin.life.is_over:
            return None
        call = asyncio.ensure_future(plugin.calls.run(verb, [claim], CALL_SECONDS))
        ended = asyncio.ensure_future(plugin.life.ended.wait())
        await asyncio.wait((call, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not call.done() or _is_over(plugin):
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            return None
        outcome = call.result()[claim.uid]
        return outcome if isinstance(outcome, tuple) else None

    # --- what there is ---

    def cdi_files(self) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """By claim: the devices that its CDI file defines, by name, and their variables."""
        found = {}
        for path in self.disk.run.glob(f"{_PREFIX}*.yaml"):
            uid = path.name.removeprefix(_PREFIX).removesuffix(".yaml")
            if uid != "common":
                found[uid] = environment_in(path.read_bytes())
        return found

    def given_twice(self) -> list[str]:
        """What is wrong at any moment: two claims with one device, without admin access."""
        holders: dict[str, str] = {}
        found = []
        for uid, devices in self.cdi_files().items():
            for name, variables in devices.items():
                device = name.partition(":")[0]
                if "DRA_ADMIN_ACCESS" not in variables and holders.setdefault(device, uid) != uid:
                    found.append(f"device {device} is in the CDI files of {holders[device]} and of {uid}")
        return found

    def complaints(self, used: Mapping[UID, NodeClaim]) -> list[str]:
        """What is wrong; nothing, once everything has settled: prepared = checkpoint = CDI files = what pods use."""
        plugin = self._plugin
        if plugin is None or plugin.life.is_over:
            return [f"the plugin of {self.name} does not serve"]
        claims = plugin.checkpoint.claims
        recorded = {uid: [device.uuid for device in claim.devices] for uid, claim in claims.items()}
        defined = {
            uid: [next(iter(variables.values())) for variables in devices.values()]
            for uid, devices in self.cdi_files().items()
        }
        found = [] if recorded == defined else [f"checkpoint {recorded} differs from CDI files {defined}"]
        if recorded.keys() != used.keys() or self._lost:
            found.append(f"prepared are {sorted(recorded)}, pods use {sorted(used)}, after a reboot {self._lost}")
        in_use = {
            uid: devices
            for uid, claim in claims.items()
            if (devices := [device.uuid for device in claim.devices_in_use])
        }
        state = self.stage.find(NodeAllocationState, self.name, NAMESPACE)
        published = {} if state is None else state["spec"].get("preparedDevices", {})
        listed = {uid: [device["uuid"] for device in entry["fake"]["devices"]] for uid, entry in published.items()}
        if listed != in_use or state is None or state.get("status") != "Ready":
            found.append(f"in use are {in_use}, published is {state}")
        found += self._complaints_about_slices()
        found += self._complaints_about_reports(used)
        leftovers = [path.name for path in (*self.disk.run.glob(".*"), *self.disk.plugin.glob(".*"))]
        return found + ([f"files are left: {leftovers}"] if leftovers else [])

    def _complaints_about_slices(self) -> list[str]:
        names = [
            device["name"] for one in self.stage.all(v1.ResourceSlice) for device in one["spec"].get("devices", ())
        ]
        expected = [device_name(index) for index in range(len(self._inventory))]
        return [] if names == expected else [f"published are {names}, and there are {expected}"]

    def _complaints_about_reports(self, used: Mapping[UID, NodeClaim]) -> list[str]:
        found = []
        for claim in self.stage.all(v1.ResourceClaim):
            if claim["metadata"]["uid"] in used:
                status: Any = claim["status"]
                allocated = {result["device"] for result in status["allocation"]["devices"]["results"]}
                reported = {device["device"] for device in status.get("devices", ())}
                if allocated != reported:
                    found.append(f"claim {claim['metadata']['name']} has {allocated}, and reports {reported}")
        return found


def _is_over(plugin: _Plugin) -> bool:
    return plugin.life.is_over


def node_claim(claim: Mapping[str, Any]) -> NodeClaim:
    """A claim as the kubelet names it."""
    metadata = claim["metadata"]
    return NodeClaim("default", metadata["name"], UID(metadata["uid"]))
