"""A driver for tests of the protocol: every node has a rack of lockers, and a claim gets as many as its label says.

It is all that an author of a driver writes for the controller's side, and counts how often it is asked. ``LockerWorld``
is the cluster, ``LockerProcess`` a controller process.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, ApiModel, KubeObject, ObjectMeta, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, ResourceClaim, ResourceClaimSpec, ResourceClass
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.driver import ControllerDriver, NodeDevices, ParametersError, Unsuitable
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.setup import ClassicControllers
from fake_dra_driver.dra.nodestate.ledgerlayout import LedgerLayout
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.claimworld import NOW, ClaimWorld, ControllerProcess
from tests.support.events import Recorder

__all__ = [
    "DRIVER",
    "FINALIZER",
    "NAMESPACE",
    "Entry",
    "LockerDriver",
    "LockerLayout",
    "LockerProcess",
    "LockerWorld",
    "Rack",
    "assert_sound",
]

DRIVER = "lockers.example.com"
FINALIZER = f"{DRIVER}/deletion-protection"
NAMESPACE = "lockers"

Entry = tuple[str, ...]
"""The lockers of a claim."""


class RackSpec(ApiModel):
    lockers: tuple[str, ...] = ()
    is_closed: bool = False


class RackStatus(ApiModel):
    held: Mapping[str, Entry] = Field(default_factory=dict)
    """By the UID of a claim: the ledger."""
    seen: Mapping[str, Entry] = Field(default_factory=dict)
    """By the UID of a claim: what the node says that it has."""


class Rack(KubeObject):
    """The lockers of a node."""

    resource = ResourceKind("example.com", "v1", "Rack", "racks")

    spec: RackSpec = Field(default_factory=RackSpec)
    status: RackStatus = Field(default_factory=RackStatus)


class LockerLayout(LedgerLayout[Rack, Entry]):
    kind = Rack
    path = ("status", "held")
    revision_annotation = "example.com/revision"

    @override
    def entries_of(self, state: Rack) -> Mapping[str, Entry]:
        return state.status.held

    @override
    def to_wire(self, entry: Entry) -> list[str]:
        return list(entry)

    @override
    def devices_of(self, entry: Entry) -> Sequence[str]:
        return entry


class LockerDriver(ControllerDriver[int, Rack, str, Entry]):
    """Gives the first lockers that are free."""

    name = DRIVER

    def __init__(self) -> None:
        self.calls = Counter[str]()
        """How often each question was asked."""

    @override
    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> int:
        self.calls["request_of"] += 1
        wanted = claim.metadata.labels.get("lockers", "1")
        if not wanted.isdecimal():
            raise ParametersError(f"{wanted} is no number of lockers", at_fault="claim")
        return int(wanted)

    @override
    def devices_of(self, state: Rack) -> NodeDevices[str]:
        self.calls["devices_of"] += 1
        closed = "the rack is closed" if state.spec.is_closed else None
        return NodeDevices({locker: locker for locker in state.spec.lockers}, closed)

    @override
    def choose(
        self, node: NodeDevices[str], free: Sequence[str], requests: Sequence[int]
    ) -> Sequence[Entry] | Unsuitable:
        self.calls["choose"] += 1
        if sum(requests) > len(free):
            return Unsuitable(f"{len(free)} of {len(node.devices)} lockers free")
        left = iter(free)
        return [tuple(next(left) for _ in range(count)) for count in requests]

    @override
    def handle_of(self, entry: Entry) -> str:
        self.calls["handle_of"] += 1
        return " ".join(entry)

    @override
    def entry_of(self, handle: str) -> Entry:
        if not handle.split():
            raise ValueError("no lockers")
        return tuple(handle.split())

    @override
    def entry_without_handle(self, uid: UID, state: Rack) -> Entry | None:
        return state.status.seen.get(uid)

    @override
    def describe_request(self, request: int) -> str:
        return f"{request} lockers"

    @override
    def describe_entry(self, entry: Entry) -> str:
        return ", ".join(entry)


class LockerWorld(ClaimWorld):
    """A cluster with lockers, and words for what people and the other side of the driver do."""

    def __init__(self) -> None:
        super().__init__()
        self.api.apply(ResourceClass(metadata=ObjectMeta(name="locker"), driver_name=DRIVER))

    def node(self, name: str, lockers: int = 1) -> None:
        """A node with lockers ``<name>-0``, ``<name>-1`` and so on."""
        self.ready_node(name)
        spec = RackSpec(lockers=tuple(f"{name}-{number}" for number in range(lockers)))
        self.api.apply(Rack(metadata=ObjectMeta(name=name, namespace=NAMESPACE), spec=spec))

    def claim(self, name: str, lockers: int = 1, mode: AllocationMode = "WaitForFirstConsumer") -> ResourceClaim:
        """A claim for so many lockers of one node."""
        metadata = ObjectMeta(name=name, namespace="default", labels={"lockers": str(lockers)})
        spec = ResourceClaimSpec(resource_class_name="locker", allocation_mode=mode)
        self.api.apply(ResourceClaim(metadata=metadata, spec=spec))
        return self.read_claim(name)

    def update_rack(self, node: str, *, spec: object = None, status: object = None) -> None:
        """Merges into the object of a node what a person, or the node itself, writes."""
        parts = {"spec": spec, "status": status}
        patch = {name: part for name, part in parts.items() if part is not None}
        self.api.update(Rack, node, NAMESPACE, patch)

    def lockers_of_claims(self) -> dict[str, list[str]]:
        """By claim: the lockers that its allocation names."""
        claims = [self.read_claim(key.name) for key in self.api.objects.get("ResourceClaim", {})]
        return {
            claim.metadata.name: claim.status.allocation.resource_handles[0].data.split()
            for claim in claims
            if claim.status.allocation is not None and claim.status.allocation.resource_handles
        }

    def ledger(self, node: str) -> dict[str, Entry]:
        """By UID: the lockers on record."""
        return dict(self.api.read(Rack, node, NAMESPACE).status.held)


class LockerProcess(ControllerProcess):
    """A controller process of the driver."""

    def __init__(self, world: LockerWorld) -> None:
        self.driver = LockerDriver()
        super().__init__(world.api, self._make)

    def _make(self, client: Client, cache: Cache, events: Recorder, _: Metrics) -> Iterable[Controller]:
        ledger = Ledger(LockerLayout(), client, cache.informer(Rack, namespace=NAMESPACE), NAMESPACE)
        caches = ClassicCaches.of(cache, DRIVER)
        classic = ClassicControllers(self.driver, ledger, caches, client, events, now=lambda: NOW, workers=4)
        return classic.controllers


def assert_sound(world: LockerWorld) -> None:
    """No locker is in two claims, by what the claims say or by the ledger, and each allocation is on record."""
    said = world.lockers_of_claims()
    given = [locker for lockers in said.values() for locker in lockers]
    assert len(given) == len(set(given)), f"a locker was given to two claims: {said}"
    ledgers = {key.name: world.ledger(key.name) for key in world.api.objects["Rack"]}
    recorded = [locker for ledger in ledgers.values() for entry in ledger.values() for locker in entry]
    assert len(recorded) == len(set(recorded)), f"a locker is on record for two claims: {ledgers}"
    on_record = {uid: list(entry) for ledger in ledgers.values() for uid, entry in ledger.items()}
    for name, lockers in said.items():
        assert on_record.get(world.read_claim(name).uid) == lockers, f"{name} holds {lockers}, recorded is {ledgers}"
