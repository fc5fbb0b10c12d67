"""A driver of network cards as its author writes it, in classic DRA: ``NetworkWorld`` is the cluster around it.

Cards with a bandwidth are shared, each claim has a part of that; modems are for one claim alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, ResourceClaim, ResourceClass
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.classic import make_driver_controllers
from fake_dra_driver.dra.driver.classichandle import entry_of_handle
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.device import Capacity, Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.parameters import parameters_kind
from fake_dra_driver.dra.driver.state import DriverStateLayout
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.nodestate.kind import ClaimEntry
from fake_dra_driver.quantity import Quantity
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.claimworld import NOW, ClaimWorld, ControllerProcess
from tests.support.events import Recorder

__all__ = ["DRIVER", "NAMESPACE", "NetworkDriver", "NetworkProcess", "NetworkWorld", "card", "modem"]

DRIVER = "network.example.com"
NAMESPACE = "network"


class LinkConfig(DeviceConfig):
    """What a link is to be like."""

    kind: str = "card"
    """card or modem."""
    bandwidth: str = ""
    """How much of a card's bandwidth; left out: the least that there is."""


class NetworkDriver(Driver[LinkConfig]):
    """Of cards and modems."""

    name = DRIVER
    config = LinkConfig

    @override
    def devices(self, node: str) -> Iterable[Device]:
        return ()  # the tests write into the objects of the nodes what there is

    @override
    def prepare(self, device: AllocatedDevice[LinkConfig]) -> ContainerEdits:
        return ContainerEdits(env={"LINK": device.name})

    @override
    def fits(self, device: Device, config: LinkConfig) -> bool:
        if device.attributes.get("broken"):
            raise ZeroDivisionError("nothing to divide by")
        return device.attributes.get("kind") == config.kind

    @override
    def demand(self, config: LinkConfig) -> Mapping[str, str | int]:
        if config.bandwidth == "all":
            raise LookupError("how much is all?")
        return {"bandwidth": config.bandwidth} if config.bandwidth else {}


def card(name: str, bandwidth: str = "10G", health: Health = Health.HEALTHY, **attributes: bool) -> Device:
    """A shared card, of which a claim gets at least 1G, and always whole Gs."""
    capacity = Capacity(bandwidth, default="1G", least="1G", step="1G")
    return Device(name, {"kind": "card", **attributes}, {"bandwidth": capacity}, shared=True, health=health)


def modem(name: str, health: Health = Health.HEALTHY, message: str = "", **attributes: bool) -> Device:
    """A device for one claim."""
    return Device(name, {"kind": "modem", **attributes}, health=health, message=message)


class NetworkWorld(ClaimWorld):
    """A cluster with the driver, and words for what people and the driver's nodes do."""

    def __init__(self) -> None:
        super().__init__()
        self.layout = DriverStateLayout(DRIVER)
        self.api.apply(ResourceClass(metadata=ObjectMeta(name="link"), driver_name=DRIVER))

    def node(self, name: str, *devices: Device) -> None:
        """A node whose plugin says that it has these devices."""
        self.ready_node(name)
        state = self.layout.make(ObjectMeta(name=name, namespace=NAMESPACE), "Ready")
        self.api.apply(state.model_copy(update={"spec": self.layout.spec_for(devices, {})}))

    def publish(self, node: str, *devices: Device) -> None:
        """The plugin of a node says that it has other devices now."""
        wire = self.layout.spec_for(devices, {}).to_wire()
        self.api.update(self.layout.kind, node, NAMESPACE, {"spec": {"allocatableDevices": wire["allocatableDevices"]}})

    def prepare(self, node: str, uid: str, **bandwidth: str) -> None:
        """The plugin of a node says what of its cards it has ready for a claim; nothing: it has ended the claim."""
        self._write(node, "preparedDevices", uid, bandwidth)

    def record(self, node: str, uid: str, **bandwidth: str) -> None:
        """A controller writes into the ledger what of its cards a claim has, and stops."""
        self._write(node, "allocatedClaims", uid, bandwidth)

    def _write(self, node: str, field: str, uid: str, bandwidth: Mapping[str, str]) -> None:
        devices = [
            {"name": name, "shared": True, "capacity": {"bandwidth": amount}} for name, amount in bandwidth.items()
        ]
        entry = {"devices": devices} if devices else None
        self.api.update(self.layout.kind, node, NAMESPACE, {"spec": {field: {uid: entry}}})

    def claim(self, name: str, mode: AllocationMode = "WaitForFirstConsumer", /, **spec: Any) -> ResourceClaim:
        """A claim with these parameters, which have its name; without any: with none."""
        reference = None
        if spec:
            self.parameters(name, **spec)
            reference = {"apiGroup": DRIVER, "kind": "LinkConfig", "name": name}
        claim = ResourceClaim.from_wire(
            {
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"resourceClassName": "link", "allocationMode": mode, "parametersRef": reference},
            }
        )
        self.api.apply(claim)
        return self.read_claim(name)

    def parameters(self, name: str, **spec: Any) -> None:
        """Parameters as they are in the API server, whatever a model says of them."""
        kind = parameters_kind(NetworkDriver)
        self.api.apply(kind.from_wire({"metadata": {"name": name, "namespace": "default"}}))
        self.api.update(kind, name, "default", {"spec": spec})

    def run(self, claim: str, node: str = "n") -> None:
        """A pod that uses the claim, for which the scheduler has selected the node."""
        self.pod(f"pod-{claim}", [claim], selected=node, potential=[node])

    def end(self, claim: str) -> None:
        """The claim is not used any more, and is to be free."""
        ended = {"status": {"reservedFor": None, "deallocationRequested": True}}
        self.api.update(ResourceClaim, claim, "default", ended)

    def ledger(self, node: str) -> dict[str, ClaimEntry]:
        """By UID: what is on record."""
        return dict(self.api.read(self.layout.kind, node, NAMESPACE).spec.allocated_claims)

    def held(self) -> dict[str, dict[str, str]]:
        """By claim: the devices that its allocation names, each with how much of its bandwidth; empty: all of it."""
        found = {}
        for key in self.api.objects.get("ResourceClaim", {}):
            if (allocation := self.read_claim(key.name).status.allocation) is not None:
                entry = entry_of_handle(allocation.resource_handles[0].data)
                found[key.name] = {device.name: device.capacity.get("bandwidth", "") for device in entry.devices}
        return found

    def assert_sound(self) -> None:
        """No card is given away beyond its capacity, no modem twice, and each allocation is on record."""
        assert self.overdrawn(self.held().values()) == set()
        for key in self.api.objects["NodeAllocationState"]:
            entries = self.ledger(key.name).values()
            recorded = [
                {device.name: device.capacity.get("bandwidth", "") for device in entry.devices} for entry in entries
            ]
            assert self.overdrawn(recorded) == set()
        uids = {uid for key in self.api.objects["NodeAllocationState"] for uid in self.ledger(key.name)}
        assert {self.read_claim(name).uid for name in self.held()} <= uids

    def overdrawn(self, holdings: Iterable[Mapping[str, str]]) -> set[str]:
        """The devices of which these have too much together."""
        total, claims, shared = Counter[str](), Counter[str](), dict[object, int]()
        for key in self.api.objects["NodeAllocationState"]:
            state = self.api.read(self.layout.kind, key.name, NAMESPACE)
            shared |= {name: share["bandwidth"] for name, share in self.layout.capacities_of(state).items()}
        for holding in holdings:
            for name, amount in holding.items():
                claims[name] += 1
                total[name] += Quantity.parse(amount).nanos if amount else shared.get(name, 0)
        return {name for name in claims if (total[name] > shared[name] if name in shared else claims[name] > 1)}


class NetworkProcess(ControllerProcess):
    """A controller process of the driver."""

    def __init__(self, world: NetworkWorld) -> None:
        super().__init__(world.api, self._make)

    def _make(self, client: Client, cache: Cache, events: Recorder, metrics: Metrics) -> Iterable[Controller]:
        calls = AuthorCalls(NetworkDriver())
        return make_driver_controllers(
            calls, client, cache, events, namespace=NAMESPACE, workers=4, now=lambda: NOW, metrics=metrics
        )
