"""The claims of simulated nodes in classic DRA: what the ledger has for them, as soon as a pod may use them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.split import children
from fake_dra_driver.dra import NodeClaim
from fake_dra_driver.driver.classic.holdings import wanted_by_entry
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.fault.offer import present_node
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.claimsofmode import ClaimsOfMode, NodeClaims
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime import Change, Informer, InvalidObjectError

__all__ = ["ClassicClaims", "LedgerClaim"]

STATES_BY_CLAIM: Final = "ledger"
"""Index of the cache of NodeAllocationStates: the claims that have devices of the node, by UID."""

_LAYOUT: Final = FakeStateLayout()


@dataclass(frozen=True, slots=True)
class LedgerClaim:
    """A claim, and its entry in the ledger."""

    identity: NodeClaim
    entry: AllocatedDevices

    @property
    def holding(self) -> AllocatedDevices:
        """What it was allocated."""
        return self.entry


class ClassicClaims(ClaimsOfMode[LedgerClaim]):
    """As the controller has allocated them.

    Args:
        claims: the cache of the claims.
        states: that of the objects that have the ledger.
    """

    kind = ResourceClaim.resource

    def __init__(self, claims: Informer[ResourceClaim], states: Informer[NodeAllocationState]) -> None:
        self._claims = claims
        self._states = states
        states.add_index(STATES_BY_CLAIM, _LAYOUT.entries_of)

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the name of each node on which something else may be to be prepared.

        Not for changes of the ledger, which are changes of a node's own object.
        """

        def handle(change: Change[ResourceClaim]) -> None:
            old, new = change.old, change.new
            if old is not None and new is not None and _is_usable(old) == _is_usable(new):
                return
            for uid in {claim.uid for claim in (old, new) if claim is not None}:
                for state in self._states.by_index(STATES_BY_CLAIM, uid):
                    changed(state.metadata.name)

        self._claims.subscribe(handle)

    @override
    def in_use(self, state: NodeAllocationState) -> Sequence[LedgerClaim]:
        found = []
        for uid, entry in _LAYOUT.entries_of(state).items():
            try:
                claim = self._claims.by_uid(UID(uid))
            except InvalidObjectError:
                continue  # the ledger's controller says why
            if claim is not None and _is_usable(claim):
                identity = NodeClaim(claim.metadata.namespace, claim.metadata.name, claim.uid)
                found.append(LedgerClaim(identity, entry))
        return found

    @override
    def is_current(self, used: LedgerClaim, prepared: FakePreparedClaim) -> bool:
        wanted = [(each.uuid, children(each.uuid, each.split)) for each in wanted_by_entry(used.entry)]
        expected = [part for uuid, parts in wanted for part in (parts or (uuid,))]
        return sorted(device.uuid for device in prepared.devices) == sorted(expected)

    @override
    def restored(self, used: LedgerClaim, state: NodeAllocationState) -> Sequence[FakePreparedDevice]:
        models = {device.uuid: device.model for device in _LAYOUT.inventory_of(state)}
        listed = _LAYOUT.prepared_parts_of(state).get(used.identity.uid, {})
        found = []
        for uuid, parts in listed.items():
            model = models.get(uuid, "")
            found += [FakePreparedDevice(part, model, uuid) for part in parts] or [FakePreparedDevice(uuid, model)]
        return found

    @override
    def on_node(
        self, mock: MockNode, effects: FaultEffects, prepared: Mapping[str, FakePreparedClaim]
    ) -> NodeClaims[LedgerClaim]:
        present = present_node(mock, effects)
        return _OnNode(FakePlanner(lambda: present, lambda: prepared))

    @override
    def withdraw(self, prepared: FakePreparedClaim) -> None:
        return  # claims of classic DRA say nothing about their devices

    @override
    def withdraw_unused(self, state: NodeAllocationState) -> None:
        return

    @override
    def forget(self, node: str) -> None:
        return


class _OnNode(NodeClaims[LedgerClaim]):
    """By the same code as on a node with a plugin."""

    def __init__(self, planner: FakePlanner) -> None:
        self._planner = planner

    @override
    def devices(self, used: LedgerClaim) -> Sequence[FakePreparedDevice]:
        return self._planner.devices(used.identity, wanted_by_entry(used.entry))

    @override
    def report(self, used: LedgerClaim, prepared: FakePreparedClaim) -> None:
        return


def _is_usable(claim: ResourceClaim) -> bool:
    """Whether a pod may use it, so that a kubelet has it prepared."""
    return claim.status.allocation is not None and any(user.resource == "pods" for user in claim.status.reserved_for)
