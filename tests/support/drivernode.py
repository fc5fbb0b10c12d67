"""A node with cards of a ``Driver``, in memory, whose author's code can be stopped, made to fail, and held up.

``CardMachine`` is what outlives a process: the disk, and what was done to the cards. ``CardPlugin`` is one process.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ResourceKind
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.node import DriverPreparedModel
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice, prepared_device
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimevents import ClaimEvents
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, NodeLookup
from fake_dra_driver.dra.node.containeredits import ContainerEdits, DeviceNode
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.recovery import Recovery
from fake_dra_driver.dra.node.retry import RetryBudget
from fake_dra_driver.runtime.keyedlock import KeyedLock
from fake_dra_driver.runtime.reconcile import Request, Result
from tests.support.disk import MemoryFiles
from tests.support.events import Recorder

NODE = "worker"
CDI_ROOT = Path("/var/run/cdi")
CHECKPOINT = Path("/plugin/checkpoint.json")
NAMES = DriverNames.of("card.example.com")
REQUEST = NamespacedName("", NODE)
_in_turn: ContextVar[bool] = ContextVar("in_turn", default=False)
"""Whether the running task uses the files of the node."""
_PREFIX = "k8s.card.example.com-card_"


class CardConfig(DeviceConfig):
    """What a card is loaded with."""

    image: str = "blank"
    clock: int = 100


class CardDriver(Driver[CardConfig]):
    """Cards that are loaded for a claim, and unloaded after it."""

    name = "card.example.com"
    config = CardConfig

    def __init__(self, machine: "CardMachine") -> None:
        self._machine = machine

    @override
    def devices(self, node: str) -> Iterable[Device]:
        return self._machine.cards.values()

    @override
    async def prepare(self, device: AllocatedDevice[CardConfig]) -> ContainerEdits:
        await self._machine.called("prepare", device)
        self._machine.loaded[device.claim.uid, device.name] = device.config.image
        self._machine.files.steps.step()
        return self._machine.edits(device)

    @override
    async def unprepare(self, device: AllocatedDevice[CardConfig]) -> None:
        await self._machine.called("unprepare", device)
        self._machine.loaded.pop((device.claim.uid, device.name), None)
        self._machine.files.steps.step()


def card_edits(device: AllocatedDevice[CardConfig]) -> ContainerEdits:
    """What a container gets for a card."""
    return ContainerEdits(
        env={f"CARD_{device.index}": device.name}, device_nodes=(DeviceNode(path=f"/dev/{device.name}"),)
    )


class Lookup(NodeLookup[DriverPreparedDevice]):
    """Claims in memory."""

    claim_kind = ResourceKind("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")

    def __init__(self) -> None:
        self.claims: dict[str, ClaimInUse[DriverPreparedDevice]] = {}
        """By UID: what the API server has."""
        self.abandoned: set[str] = set()

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        return frozenset()

    @override
    async def still_held(self, prepared: PreparedClaim[DriverPreparedDevice]) -> Collection[str]:
        found = self.claims.get(prepared.uid)
        return () if found is None else [device.name for device in found.devices]

    @override
    def is_abandoned(self, uid: str) -> bool:
        return uid in self.abandoned

    @override
    async def in_use(self) -> Sequence[ClaimInUse[DriverPreparedDevice]]:
        return list(self.claims.values())


class CardMachine:
    """The node, and what the API server has of its claims."""

    def __init__(self) -> None:
        self.files = MemoryFiles()
        self.lookup = Lookup()
        self.cards = {name: Device(name, {"model": "C1"}) for name in (f"card-{number}" for number in range(4))}
        self.loaded: dict[tuple[str, str], str] = {}
        """By claim and card: what the card is loaded with, whatever any process knows of it."""
        self.calls: list[tuple[str, str, str]] = []
        """What the author's code was asked: method, claim and card."""
        self.seen: list[AllocatedDevice[CardConfig]] = []
        """What it was told, in that order."""
        self.broken: set[tuple[str, str]] = set()
        """Method and card: what cannot be done at present."""
        self.gates: dict[str, asyncio.Event] = {}
        """By claim: the author's code waits for this."""
        self.waits = asyncio.Event()
        """Set once it does."""
        self.edits: Callable[[AllocatedDevice[CardConfig]], ContainerEdits] = card_edits
        self.locks: KeyedLock[str] = KeyedLock()
        """By claim: held by the process that works on its devices."""
        self.lock_error: OSError | None = None
        """What keeps a process from taking such a lock."""

    async def called(self, method: str, device: AllocatedDevice[CardConfig]) -> None:
        """The author's code was called."""
        uid = device.claim.uid
        assert not _in_turn.get(), f"{method} keeps the files from other claims"
        assert device.name in [entry["name"] for entry in self.recorded(uid)], f"{method} without a record"
        self.calls.append((method, uid, device.name))
        self.seen.append(device)
        self.files.steps.step()
        if uid in self.gates:
            self.waits.set()
            await self.gates[uid].wait()
        if (method, device.name) in self.broken:
            raise PrepareError(f"{method} is out of order")

    def claim(self, name: str, *cards: int, image: str = "", result: RequestResult | None = None) -> "CardClaim":
        """The cards are allocated to a claim."""
        identity = NodeClaim("default", name, UID(f"uid-{name}"))
        config = CardConfig(image=image) if image else CardConfig()
        devices = [prepared_device(f"card-{card}", index, config, {}, result) for index, card in enumerate(cards)]
        self.lookup.claims[identity.uid] = ClaimInUse(identity, devices)
        return CardClaim(identity, devices)

    def delete(self, claim: "CardClaim") -> None:
        """The claim and its pod are gone, and the controller has found that out."""
        del self.lookup.claims[claim.uid]
        self.lookup.abandoned.add(claim.uid)

    def stop(self, *emptied: Path) -> None:
        """The process dies, or the machine."""
        self.files = self.files.after_stop(*emptied)

    async def start(self) -> "CardPlugin":
        """A new process."""
        plugin = CardPlugin(self)
        await plugin.recovery.start()
        return plugin

    # --- What there is

    def recorded(self, uid: str) -> list[dict[str, Any]]:
        """The devices of a claim in the checkpoint on disk."""
        if CHECKPOINT not in self.files.contents:
            return []
        claims = json.loads(self.files.contents[CHECKPOINT])["contents"]["claims"]
        found: list[dict[str, Any]] = claims.get(uid, {"devices": []})["devices"]
        return found

    def specification(self, claim: "CardClaim") -> dict[str, Any] | None:
        """The CDI file of a claim."""
        data = self.files.contents.get(CDI_ROOT / f"{_PREFIX}{claim.uid}.yaml")
        return None if data is None else yaml.safe_load(data)

    def cdi_names(self, claim: "CardClaim") -> list[str]:
        """The devices that the CDI file of a claim defines."""
        found = self.specification(claim)
        return [] if found is None else [device["name"] for device in found["devices"]]

    def assert_sound(self, *claims: "CardClaim") -> None:
        """Exactly these claims are prepared: on record, loaded, and known to container runtimes."""
        expected = {(claim.uid, device.name) for claim in claims for device in claim.devices}
        assert self.loaded.keys() == expected
        stored = json.loads(self.files.contents[CHECKPOINT])["contents"]["claims"]
        assert {(uid, entry["name"]) for uid, each in stored.items() for entry in each["devices"]} == expected
        assert all("edits" in entry for each in stored.values() for entry in each["devices"])
        files = {path.name for path in self.files.contents if path.parent == CDI_ROOT}
        assert files == {f"{_PREFIX}{claim.uid}.yaml" for claim in claims}


class CardClaim:
    """A claim as the kubelet names it, and what it holds."""

    def __init__(self, identity: NodeClaim, devices: Sequence[DriverPreparedDevice]) -> None:
        self.identity = identity
        self.uid = identity.uid
        self.devices = devices


class CardPlugin:
    """One process of the kubelet plugin, without its sockets."""

    def __init__(self, machine: CardMachine) -> None:
        self._machine = machine
        calls = AuthorCalls(CardDriver(machine))
        self.model = DriverPreparedModel(calls, NAMES, machine.cards.get)
        self.checkpoint = Checkpoint(machine.files, CHECKPOINT, self.model)
        self.events = Recorder()
        about = ObjectReference(api_version="v1", kind="Node", name=NODE, uid=UID(NODE))
        files = NodeFiles(self.checkpoint, CdiFolder(machine.files, CDI_ROOT, self.model), self._hold, self._hold_claim)
        node_events = NodeEvents(self.events, about)
        claim_events = ClaimEvents(self.events, NODE, lambda: machine.lookup.claim_kind)
        lookup = machine.lookup
        self.preparer = Preparer(NODE, self.model, files, lookup, node_events, self._changed)
        self._asked_for: list[Request] = []
        """Passes of the recovery about one claim each."""
        self.recovery = Recovery(
            self.preparer, files, lookup, node_events, claim_events, self._changed, self._asked_for.append
        )

    @asynccontextmanager
    async def _hold(self) -> AsyncIterator[None]:
        token = _in_turn.set(True)
        try:
            await self.checkpoint.refresh()
            yield
        finally:
            _in_turn.reset(token)

    @asynccontextmanager
    async def _hold_claim(self, uid: str) -> AsyncIterator[None]:
        assert not _in_turn.get(), "a process waits for another one while it keeps the files from it"
        if self._machine.lock_error is not None:
            raise self._machine.lock_error
        async with self._machine.locks.hold(uid):
            yield

    def _changed(self) -> None:
        pass

    async def prepare(self, claim: CardClaim) -> Sequence[ReadyDevice]:
        """What the kubelet calls."""
        return await self.preparer.prepare(claim.identity, claim.devices, RetryBudget())

    async def unprepare(self, claim: CardClaim) -> None:
        """What the kubelet calls."""
        await self.preparer.unprepare(claim.identity)

    async def reconcile(self) -> Result:
        """A pass of the recovery, and those that this asks for, each in a task of its own, as its controller has them.

        Returns:
            The first result that says to come back.
        """
        first = await self.recovery.reconcile(REQUEST)
        asked_for, self._asked_for[:] = tuple(self._asked_for), ()
        async with asyncio.TaskGroup() as group:
            passes = [
                group.create_task(self.recovery.reconcile(request), name=f"recovery of {request}")
                for request in asked_for
            ]
        results = [first, *(each.result() for each in passes)]
        return next((result for result in results if result.requeue_after), first)
