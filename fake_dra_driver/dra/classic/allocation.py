"""Which devices claims get: those that are free by the ledger, by the claims, and by what is being written down.

Devices are set aside on the selected node only, never on all potential nodes, and in memory only for the few
milliseconds between the choice and the record. Nothing that is needed after a restart lives here.

From the watch event to the ledger, an allocation asks the driver four things, once each: what the claim asks for, which
devices the node has, which of the free ones it gets, and how the node is told.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic import shortage
from fake_dra_driver.dra.classic.allocationresult import handle_of, make_allocation, node_of
from fake_dra_driver.dra.classic.caches import is_to_be_released
from fake_dra_driver.dra.classic.driver import ControllerDriver, NodeDevices, Unsuitable
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.protocol import is_outdated
from fake_dra_driver.dra.nodestate.sharing import Holding, Occupancy, Room, contested_devices
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError

__all__ = ["Allocator", "Hold", "OutdatedRecord", "PendingClaim", "Shortage"]

DeviceT = TypeVar("DeviceT")
EntryT = TypeVar("EntryT")
RequestT = TypeVar("RequestT")
StateT = TypeVar("StateT", bound=KubeObject)


@dataclass(frozen=True, slots=True)
class PendingClaim(Generic[RequestT]):
    """A claim that waits for devices, with what it asks for."""

    claim: ResourceClaim
    request: RequestT


@dataclass(frozen=True, slots=True)
class OutdatedRecord:
    """A claim that is to be released before it can be allocated: it has records that it cannot use."""

    claim: ResourceClaim
    nodes: Sequence[str]
    """Where it is on record."""
    why: str
    """In words for an event."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """No node can take the claim."""

    unsuitable: Mapping[str, Unsuitable]
    """Every node that has devices of this driver."""


@dataclass(frozen=True, slots=True)
class _Choice(Generic[EntryT]):
    """Devices for claims on one node."""

    node: str
    entries: Mapping[UID, EntryT]
    unusable: Collection[UID]
    """The claims that have another entry there."""
    free: int
    """How many devices were free."""


class Hold(Generic[EntryT]):
    """Devices set aside on one node, in memory, for claims of one pod, while the block runs."""

    def __init__(
        self,
        choice: _Choice[EntryT],
        driver: ControllerDriver[RequestT, StateT, DeviceT, EntryT],
        ledger: Ledger[StateT, EntryT],
        held: dict[str, dict[UID, Holding]],
    ) -> None:
        self.node = choice.node
        self._entries = choice.entries
        self._driver = driver
        self._ledger = ledger
        self._held = held

    def __enter__(self) -> "Hold[EntryT]":
        holding_of = self._ledger.layout.holding_of
        self._held.setdefault(self.node, {}).update({uid: holding_of(entry) for uid, entry in self._entries.items()})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        held = self._held[self.node]
        for uid in self._entries:
            held.pop(uid, None)
        if not held:
            del self._held[self.node]

    async def record(self) -> Mapping[UID, AllocationResult]:
        """Writes into the ledger which claim gets which devices; returns the allocation of each claim, by its UID.

        Raises as ``Ledger.put``; then nothing was recorded, or it is unknown whether it was.
        """
        await self._ledger.put(self.node, self._entries)
        return {
            uid: make_allocation(self._driver.name, self.node, self._driver.handle_of(entry))
            for uid, entry in self._entries.items()
        }


class Allocator(Generic[RequestT, StateT, DeviceT, EntryT]):
    """Finds devices for claims. Answers from caches, and without waiting: what it says holds until the next await.

    Args:
        driver: knows the devices.
        ledger: the record.
        claims: the ResourceClaim cache.
        unusable_reason: why no pod can run on a node of that name, in words for an event; None when one can.
    """

    def __init__(
        self,
        driver: ControllerDriver[RequestT, StateT, DeviceT, EntryT],
        ledger: Ledger[StateT, EntryT],
        claims: Informer[ResourceClaim],
        unusable_reason: Callable[[str], str | None] = lambda _node: None,
    ) -> None:
        self._driver = driver
        self._ledger = ledger
        self._claims = claims
        self._unusable_reason = unusable_reason
        self._held: dict[str, dict[UID, Holding]] = {}
        """By node: devices set aside for claims that are being written down at this moment."""
        self._claimed: dict[str, dict[UID, Holding]] = {}
        """By node: devices that claims have by their own word. On record as well, unless the record is to be
        corrected; until it is, they must not go to another claim."""
        self._claim_nodes: dict[UID, str] = {}
        """Where to find a claim in ``_claimed``."""
        claims.subscribe(self._note)

    def pending(self, claim: ResourceClaim, resource_class: ResourceClass) -> PendingClaim[RequestT]:
        """The claim with what it asks for. Raises ParametersError."""
        return PendingClaim(claim, self._driver.request_of(claim, resource_class))

    def nodes(self) -> Sequence[str]:
        """Every node that has devices of this driver."""
        return [state.metadata.name for state in self._ledger.states()]

    def unsuitable_nodes(
        self, pending: Sequence[PendingClaim[RequestT]], nodes: Sequence[str]
    ) -> Mapping[str, Unsuitable]:
        """Those of ``nodes`` that cannot take all of the claims of a pod together, and why.

        Whether the pod can run there is left to the scheduler, which knows what the pod tolerates.
        """
        found = {}
        for node in nodes:
            choice = self._choose(pending, node)
            if isinstance(choice, Unsuitable):
                found[node] = choice
        return found

    def unsuitable_for_immediate(self, pending: PendingClaim[RequestT]) -> Mapping[str, Unsuitable]:
        """The nodes that cannot take a claim in mode Immediate, and why."""
        return {node: choice for node, choice in self._choose_anywhere(pending) if isinstance(choice, Unsuitable)}

    def hold(self, pending: Sequence[PendingClaim[RequestT]], node: str) -> Hold[EntryT] | Unsuitable | OutdatedRecord:
        """Devices for all of the claims of a pod on ``node``; those that a claim has on record there, if they fit."""
        choice = self._choose(pending, node)
        if isinstance(choice, Unsuitable):
            return choice
        for waiting in pending:
            records = self._ledger.nodes_of(waiting.claim.uid)
            if is_outdated(records, node) or waiting.claim.uid in choice.unusable:
                why = "they are not what it asks for now, or it can have only one of them"
                return OutdatedRecord(waiting.claim, records, why)
        return self._hold(choice)

    def hold_anywhere(self, pending: PendingClaim[RequestT]) -> Hold[EntryT] | Shortage | OutdatedRecord:
        """Devices for a claim in mode Immediate: where it is on record, else on the node where most are free."""
        records = self._ledger.nodes_of(pending.claim.uid)
        if records:
            held = self._closed(records[0]) or self.hold([pending], records[0])
            if isinstance(held, Unsuitable):
                return OutdatedRecord(pending.claim, records, "the node cannot be used now")
            return held
        best: _Choice[EntryT] | None = None
        unsuitable: dict[str, Unsuitable] = {}
        for node, choice in self._choose_anywhere(pending):
            if isinstance(choice, Unsuitable):
                unsuitable[node] = choice
            elif best is None or choice.free > best.free:
                best = choice
        return Shortage(unsuitable) if best is None else self._hold(best)

    def describe_shortage(self, pending: Sequence[PendingClaim[RequestT]], unsuitable: Mapping[str, Unsuitable]) -> str:
        """For an event: what the claims ask for, what the unsuitable nodes have, and what a person can do.

        Args:
            pending: the claims of a pod, or one in mode Immediate.
            unsuitable: every node that was considered.
        """
        requests = [waiting.request for waiting in pending]
        asked = " and ".join(map(self._driver.describe_request, requests))
        if not unsuitable:
            return (
                f"asked for {asked} on one node, and no node runs the kubelet plugin of this driver: look at its pods"
            )
        nodes = {state.metadata.name: self._driver.devices_of(state) for state in self._ledger.states()}
        considered = [node for node in unsuitable if node in nodes and self._could_serve(nodes[node], requests)]
        others = () if considered else nodes.keys() - unsuitable.keys()
        able = [node for node in others if self._could_serve(nodes[node], requests)]
        if considered:
            in_use = [node for node in considered if not unsuitable[node].is_closed]
            states = [state for state in self._ledger.states() if state.metadata.name in in_use]
            rooms = [self._occupancy(state).room(nodes[state.metadata.name].devices) for state in states]
            hopes = shortage.Hopes(
                namespace=pending[0].claim.metadata.namespace,
                closed=[node for node in considered if unsuitable[node].is_closed],
                in_use=in_use,
                holders=self._keys_of(uid for state in states for uid in self._holders(state)),
                fewer_are_free=any(room.free for room in rooms),
                less_is_left=any(room.left for room in rooms),
            )
            advice = shortage.advise_to_wait(hopes)
        elif able:
            advice = shortage.advise_to_open({node: nodes[node].closed or self._unusable_reason(node) for node in able})
        else:
            advice = self._driver.advise(requests, list(nodes.values()))
        # The nodes come last: their list may be long, and what to do must be seen before it.
        return (
            f"asked for {asked} on one node, which no node can give now: {advice} ({shortage.list_nodes(unsuitable)})"
        )

    def _keys_of(self, uids: Iterable[UID]) -> Sequence[NamespacedName]:
        """The claims of these UIDs, as far as they are here and can be read."""
        found = []
        for uid in dict.fromkeys(uids):
            with suppress(InvalidObjectError):
                if (claim := self._claims.by_uid(uid)) is not None:
                    found.append(claim.key)
        return found

    def room_on(self, state: StateT) -> Room:
        """What no claim has on record on a node, nor prepared; none where it takes no claims."""
        node = self._driver.devices_of(state)
        if node.closed is not None:
            return Room()
        return self._occupancy(state, is_as_listed=True).room(node.devices)

    def claimed_devices(self, claim: ResourceClaim) -> tuple[str, Holding] | None:
        """The node of an allocated claim, and what it has there by its own word, until it is to be released."""
        allocation = claim.status.allocation
        if allocation is None or claim.status.driver_name != self._driver.name or is_to_be_released(claim):
            return None
        node = node_of(allocation)
        if node is None:
            return None
        try:
            entry = self._driver.entry_of(handle_of(allocation, self._driver.name))
        except ValueError:
            return None  # another implementation's, without a handle, or nonsense
        return node, self._ledger.layout.holding_of(entry)

    def _note(self, change: Change[ResourceClaim]) -> None:
        before = None if change.old is None else self._claim_nodes.pop(change.old.uid, None)
        if change.old is not None and before is not None:
            del self._claimed[before][change.old.uid]
            if not self._claimed[before]:
                del self._claimed[before]
        now = None if change.new is None else self.claimed_devices(change.new)
        if change.new is not None and now is not None:
            node, holding = now
            self._claim_nodes[change.new.uid] = node
            self._claimed.setdefault(node, {})[change.new.uid] = holding

    def _hold(self, choice: _Choice[EntryT]) -> Hold[EntryT]:
        return Hold(choice, self._driver, self._ledger, self._held)

    def _choose_anywhere(self, pending: PendingClaim[RequestT]) -> Iterator[tuple[str, _Choice[EntryT] | Unsuitable]]:
        """What each node has for a claim in mode Immediate, for which no scheduler has looked at the node."""
        for state in self._ledger.states():
            node = state.metadata.name
            yield node, self._closed(node) or self._choose_on([pending], state)

    def _closed(self, node: str) -> Unsuitable | None:
        reason = self._unusable_reason(node)
        return None if reason is None else Unsuitable(reason, is_closed=True)

    def _choose(self, pending: Sequence[PendingClaim[RequestT]], node: str) -> _Choice[EntryT] | Unsuitable:
        kind = self._ledger.layout.kind.resource.kind
        try:
            state = self._ledger.state(node)
        except InvalidObjectError as error:
            return Unsuitable(f"its {kind} cannot be read: {'; '.join(error.problems)}", is_closed=True)
        if state is None:
            return Unsuitable(f"no {kind}, so no kubelet plugin of this driver runs there", is_closed=True)
        return self._choose_on(pending, state)

    def _choose_on(self, pending: Sequence[PendingClaim[RequestT]], state: StateT) -> _Choice[EntryT] | Unsuitable:
        """Devices for each of the claims. Claims on record there keep what they have, where it is what they ask for."""
        node = self._driver.devices_of(state)
        if node.closed is not None:
            return Unsuitable(node.closed, is_closed=True)
        recorded = self._ledger.layout.entries_of(state)
        kept = {
            waiting.claim.uid: recorded[waiting.claim.uid]
            for waiting in pending
            if waiting.claim.uid in recorded
            and self._fits(recorded[waiting.claim.uid], waiting.request, node)
            and self._is_sound(waiting.claim.uid, state)
        }
        fresh = [waiting for waiting in pending if waiting.claim.uid not in kept]
        uids = {waiting.claim.uid for waiting in fresh}
        # Records of the claims themselves go before anything else is done.
        free = self._occupancy(state, without=uids).rest(node.devices, self._driver.rest_of)
        chosen = self._driver.choose(node, free, [waiting.request for waiting in fresh]) if fresh else ()
        if isinstance(chosen, Unsuitable):
            return chosen
        new = {waiting.claim.uid: entry for waiting, entry in zip(fresh, chosen, strict=True)}
        return _Choice(state.metadata.name, {**kept, **new}, uids & recorded.keys(), len(free))

    def _occupancy(self, state: StateT, *, without: Collection[str] = (), is_as_listed: bool = False) -> Occupancy:
        """What claims have of a node, or are about to have, by all that says so.

        Args:
            state: the object of the node.
            without: claims of which it does not count what the object lists.
            is_as_listed: whether nothing counts but what the object lists.
        """
        layout, node = self._ledger.layout, state.metadata.name
        entries = layout.entries_of(state)
        said = () if is_as_listed else (self._claimed.get(node, {}), self._held.get(node, {}))
        capacities = layout.capacities_of(state)
        # Whatever has become of a claim that is prepared: its containers may still run, until the node says that it is
        # ended.
        if not capacities:  # as with most drivers: it does not matter how much of a device a claim has
            devices_of = layout.devices_of
            taken = {device for uid, entry in entries.items() if uid not in without for device in devices_of(entry)}
            taken.update(*(devices for uid, devices in layout.prepared_of(state).items() if uid not in without))
            for holdings in said:
                taken.update(*holdings.values())
            return Occupancy(capacities, taken)
        occupancy = Occupancy(capacities)
        for uid, holding in layout.prepared_holdings_of(state).items():
            if uid not in without:
                occupancy.add(uid, holding)
        for uid, entry in entries.items():
            if uid not in without:
                occupancy.add(uid, layout.holding_of(entry))
        for holdings in said:
            for uid, holding in holdings.items():
                occupancy.add(uid, holding)
        return occupancy

    def _holders(self, state: StateT) -> Iterator[UID]:
        """The claims that have anything of a node. One may come several times."""
        layout, node = self._ledger.layout, state.metadata.name
        yield from map(UID, layout.prepared_of(state))
        yield from map(UID, layout.entries_of(state))
        for holdings in (self._claimed, self._held):
            yield from holdings.get(node, {})

    def _is_sound(self, uid: UID, state: StateT) -> bool:
        """Whether a record can stay beside the others: a device may have been given less capacity since."""
        layout = self._ledger.layout
        capacities = layout.capacities_of(state)
        if not capacities:
            return True
        entries = layout.entries_of(state)
        others = [layout.holding_of(entry) for other, entry in entries.items() if other != uid]
        return not contested_devices(layout.holding_of(entries[uid]), others, capacities)

    def _fits(self, entry: EntryT, request: RequestT, node: NodeDevices[DeviceT]) -> bool:
        """Whether an entry is what a claim asks for now: it would get the same if there were nothing else."""
        keys = self._ledger.layout.devices_of(entry)
        if not all(key in node.devices for key in keys):
            return False
        chosen = self._driver.choose(node, [node.devices[key] for key in keys], [request])
        return not isinstance(chosen, Unsuitable) and self._driver.says_the_same(chosen[0], entry)

    def _could_serve(self, node: NodeDevices[DeviceT], requests: Sequence[RequestT]) -> bool:
        """Whether the node could take the claims if no other claim had any of its devices."""
        return not isinstance(self._driver.choose(node, list(node.devices.values()), requests), Unsuitable)
