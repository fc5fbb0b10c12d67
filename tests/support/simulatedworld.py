"""A cluster in memory with simulated nodes, and the controller that speaks for them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.dra.structured import DeviceStatusWriter, StructuredCaches, make_structured_controllers
from fake_dra_driver.driver.fault.effects import NO_FAULTS, FaultEffects
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.simulated.fleet import Fleet
from fake_dra_driver.driver.simulated.handover import ServedNodes
from fake_dra_driver.driver.simulated.simulatednode import SimulatedNode
from fake_dra_driver.driver.simulated.states import Precedence, SimulatedStates
from fake_dra_driver.driver.structured.driver import FakeStructuredDriver
from fake_dra_driver.driver.structured.simulatedsetup import simulated_parts
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.claimworld import ControllerProcess
from tests.support.events import Recorder
from tests.support.memory_api import MemoryApi
from tests.support.structuredworld import API, CLASS
from tests.support.world import NAMESPACE

__all__ = ["NAMESPACE", "MadeFleet", "SimulatedBrain", "SimulatedWorld"]

_LATER = datetime(2026, 1, 1, 1, tzinfo=UTC)
WRITES = {"create", "json_patch", "merge_patch", "apply"}


class MadeFleet(Fleet):
    """Nodes as a test makes them."""

    def __init__(self) -> None:
        self.made: dict[str, SimulatedNode] = {}
        """Those that are selected."""
        self.is_served: Callable[[str], bool] = lambda _node: False
        self.faults_gone: set[UID] = set()
        """UIDs of DeviceFaults that there are no more."""
        self.looks = 0
        """How often it was asked what a node has."""
        self._is_known = True
        self._subscribers: list[Callable[[str], None]] = []

    @property
    @override
    def is_known(self) -> bool:
        return self._is_known

    @override
    def nodes(self) -> Collection[str]:
        return [name for name in self.made if not self.is_served(name)]

    @override
    def is_selected(self, name: str) -> bool:
        return name in self.made

    @override
    def uid_of(self, name: str) -> UID | None:
        return self.made[name].uid if name in self.nodes() else None

    @override
    async def node(self, name: str) -> SimulatedNode | None:
        self.looks += 1
        return self.made[name] if name in self.nodes() else None

    @override
    def has_fault(self, uid: UID) -> bool:
        return uid not in self.faults_gone

    @override
    def subscribe(self, changed: Callable[[str], None]) -> None:
        self._subscribers.append(changed)
        for name in self.made:
            changed(name)

    def look(self, name: str) -> None:
        """Tells those who have subscribed."""
        for tell in self._subscribers:
            tell(name)

    def forget_subscribers(self) -> None:
        """They were of a process that has ended."""
        self._subscribers.clear()


class First(Precedence):
    """What goes before, when a test says so."""

    def __init__(self) -> None:
        self._is_behind = False
        self._tell: Callable[[], None] = lambda: None

    @property
    @override
    def is_behind(self) -> bool:
        return self._is_behind

    @override
    def when_caught_up(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def begin(self) -> None:
        """Nodes have come that have no slices."""
        self._is_behind = True

    def end(self) -> None:
        """They have."""
        self._is_behind = False
        self._tell()


class SimulatedWorld:
    """The store, with words for what users, the scheduler and a kubelet plugin do."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.fleet = MadeFleet()
        self.first = First()
        selector = v1.DeviceSelector(cel=v1.CelSelector(expression=f'device.driver == "{DRIVER_NAME}"'))
        self.api.apply(v1.DeviceClass(metadata=ObjectMeta(name=CLASS), spec=v1.DeviceClassSpec(selectors=(selector,))))

    def node(
        self,
        name: str,
        devices: int = 4,
        *,
        effects: FaultEffects = NO_FAULTS,
        annotations: Mapping[str, str] | None = None,
        is_known: bool = True,
    ) -> None:
        """A node that is simulated, or something else about it."""
        if self.api.wire(Node, name) is None:
            self.api.apply(Node(metadata=ObjectMeta(name=name, uid=UID(f"node-{name}"))))
        mock = fake_node(name, make_inventory(name, devices, ("MODEL",))) if is_known else None
        self.fleet.made[name] = SimulatedNode(
            name, UID(f"node-{name}"), mock, effects, annotations=annotations or {"nas.test/profile": "p: why"}
        )
        self.fleet.look(name)

    def remove(self, name: str) -> None:
        """Nothing selects the node any more."""
        del self.fleet.made[name]
        self.fleet.look(name)

    def state(self, name: str = "n") -> NodeAllocationState:
        """The node's object as it is now."""
        return self.api.read(NodeAllocationState, name, NAMESPACE)

    def change_state(self, patch: Mapping[str, Any], name: str = "n") -> None:
        """What another client does to the object."""
        self.api.update(NodeAllocationState, name, NAMESPACE, patch)

    def claim(
        self,
        name: str,
        node: str,
        *devices: int,
        config: Sequence[Mapping[str, Any]] = (),
        is_reserved: bool = True,
        owner: str = "",
        admin: Collection[int] = (),
    ) -> v1.ResourceClaim:
        """A claim as the scheduler leaves it; of the devices ``admin`` it only looks at."""
        shared = {"request": "fakes", "driver": DRIVER_NAME, "pool": node}
        results = [
            {**shared, "device": f"fake-{index}", **({"adminAccess": True} if index in admin else {})}
            for index in devices
        ]
        copied = [{**entry, "source": "FromClaim"} for entry in config]
        request = {"name": "fakes", "exactly": {"deviceClassName": CLASS}}
        metadata: dict[str, Any] = {"name": name, "namespace": "default"}
        if owner:
            metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": owner, "uid": owner}]
        status: dict[str, Any] = {"allocation": {"devices": {"results": results, "config": copied}}}
        if is_reserved:
            status["reservedFor"] = [{"resource": "pods", "name": f"pod-{name}", "uid": f"pod-{name}"}]
        spec = {"devices": {"requests": [request], "config": list(config)}}
        self.api.apply(v1.ResourceClaim.from_wire({"metadata": metadata, "spec": spec, "status": status}))
        return self.read_claim(name)

    def read_claim(self, name: str) -> v1.ResourceClaim:
        """The claim as it is now."""
        return self.api.read(v1.ResourceClaim, name, "default")

    def release(self, name: str) -> None:
        """The last pod of the claim has ended."""
        self.api.update(v1.ResourceClaim, name, "default", {"status": {"reservedFor": None}})

    def reserve(self, name: str) -> None:
        """Another pod is to use the claim."""
        user = {"resource": "pods", "name": f"next-{name}", "uid": f"next-{name}"}
        self.api.update(v1.ResourceClaim, name, "default", {"status": {"reservedFor": [user]}})

    def deallocate(self, name: str) -> None:
        """No pod is to use the claim, and the scheduler takes back what it gave."""
        gone = {"allocation": None, "reservedFor": None, "devices": None}
        self.api.update(v1.ResourceClaim, name, "default", {"status": gone})

    def prepared(self, node: str = "n") -> Mapping[str, Sequence[str]]:
        """By name of the claim: the UUIDs that the node's object lists as prepared."""
        wires = self.api.objects.get("ResourceClaim", {}).values()
        names = {wire["metadata"]["uid"]: wire["metadata"]["name"] for wire in wires}
        spec = self.state(node).to_wire().get("spec", {})
        return {
            names.get(uid, uid): [device["uuid"] for device in entry["fake"]["devices"]]
            for uid, entry in spec.get("preparedDevices", {}).items()
        }


class SimulatedBrain(ControllerProcess):
    """The controller process."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self.failed_calls: list[tuple[str, str]] = []
        """Node and UID of the fault, of each call that has failed by one."""
        world.fleet.forget_subscribers()
        super().__init__(world.api, self._make)

    def reported(self) -> set[str]:
        """Names of the claims about which something is remembered to be said on them."""
        writer = self.controllers["devicestatus"]._reconciler
        assert isinstance(writer, DeviceStatusWriter)
        return {key.name for key in writer._reports}

    def counted_faults(self) -> set[str]:
        """UIDs of the faults of which it is remembered how many calls they have made fail."""
        known = self._states()._claims._nodes.values()
        return {fault for node in known for fault, _ in node.calls._failures}

    def nodes_left(self) -> set[str]:
        """Names of nodes of which it is remembered when they ceased to be simulated."""
        return set(self._states()._left_at)

    def _states(self) -> SimulatedStates:
        states = self.controllers["simulatednode"]._reconciler
        assert isinstance(states, SimulatedStates)
        return states

    def writes(self) -> list[tuple[str, str]]:
        """What was written since the last time."""
        found, self.client.calls = self.client.calls, []
        return [call for call in found if call[0] in WRITES]

    def _make(self, client: Client, cache: Cache, events: Recorder, metrics: Metrics) -> Iterable[Controller]:
        fleet = self._world.fleet
        served = ServedNodes(cache.informer(NodeAllocationState, namespace=NAMESPACE), NAMESPACE)
        fleet.is_served = served.is_served_by_plugin
        served.subscribe(fleet.look)
        wiring = ControllerWiring(client, cache, events, metrics, NAMESPACE, 4, lambda: _LATER)
        caches = StructuredCaches.of(cache, API, DRIVER_NAME, with_use=True)
        parts = simulated_parts(
            wiring,
            API,
            DRIVER_NAME,
            caches,
            fleet,
            lambda node, fault: self.failed_calls.append((node, fault)),
            self._world.first,
        )
        made = make_structured_controllers(
            FakeStructuredDriver(),
            client,
            cache,
            events,
            API,
            namespace=NAMESPACE,
            workers=4,
            now=lambda: _LATER,
            metrics=metrics,
            caches=caches,
            plugin_parts=parts.plugin_parts,
        )
        return (*made, *parts.controllers)
