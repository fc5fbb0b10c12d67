"""The claims of simulated nodes in structured DRA: what they get there, and what their status says of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.structured import (
    AllocatedClaim,
    DeviceStatusWriter,
    StructuredCaches,
    request_result,
    statuses_of,
)
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.fault.offer import present_node
from fake_dra_driver.driver.live.source import SteadyNode
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.claimsofmode import ClaimsOfMode, NodeClaims
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.driver.structured.inventory import devices_by_name
from fake_dra_driver.driver.structured.pool import FakePool
from fake_dra_driver.runtime import Change

__all__ = ["StructuredClaims"]


class StructuredClaims(ClaimsOfMode[AllocatedClaim]):
    """As the scheduler has allocated them.

    Args:
        caches: with what is reported about devices, and who may use claims.
        driver: whose devices count.
        reports: writes what people are told on claims.
    """

    def __init__(self, caches: StructuredCaches, driver: str, reports: DeviceStatusWriter) -> None:
        self.kind = caches.claims.kind.resource
        self._caches = caches
        self._driver = driver
        self._reports = reports
        self._layout = FakeStateLayout()

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the name of each node on which something else may be to be prepared."""

        def handle(change: Change[v1.ResourceClaim]) -> None:
            old, new = change.old, change.new
            if old is not None and new is not None and _use_of(old) == _use_of(new):
                return
            for node in {node for claim in (old, new) if claim is not None for node in self._caches.pools_of(claim)}:
                changed(node)

        self._caches.claims.subscribe(handle)

    @override
    def in_use(self, state: NodeAllocationState) -> Sequence[AllocatedClaim]:
        node = state.metadata.name
        claims = self._caches.claims_on_node(node)
        return [AllocatedClaim.of(claim, self._driver, node) for claim in claims if claim.status.reserved_for]

    @override
    def is_current(self, used: AllocatedClaim, prepared: FakePreparedClaim) -> bool:
        results = dict.fromkeys(device.result for device in prepared.devices)
        return list(results) == [request_result(result) for result in used.results]

    @override
    def restored(self, used: AllocatedClaim, state: NodeAllocationState) -> Sequence[FakePreparedDevice]:
        listed = self._layout.prepared_parts_of(state).get(used.identity.uid, {})
        by_name = devices_by_name(self._layout.inventory_of(state))
        devices = [self._restored(used.claim, result, listed, by_name) for result in used.results]
        return [] if None in devices else list(chain.from_iterable(each for each in devices if each is not None))

    def _restored(
        self,
        claim: v1.ResourceClaim,
        result: v1.DeviceRequestAllocationResult,
        listed: Mapping[str, Sequence[str]],
        by_name: Mapping[str, Device],
    ) -> Sequence[FakePreparedDevice] | None:
        """A device with its parts; None where it cannot be told which one the claim has got.

        The claim itself says it best: its node may have another device of that name by now.
        """
        there = by_name.get(result.device)
        said = _Said.of(claim, result) or _Said(*(("", "") if there is None else (there.uuid, there.model)))
        if said.uuid not in listed and not result.admin_access:
            return None
        parts = said.children if result.admin_access else listed[said.uuid]
        allocated = request_result(result)
        if not parts:
            return [FakePreparedDevice(said.uuid, said.model, None, allocated)] if said.uuid else None
        return [FakePreparedDevice(part, said.model, said.uuid, allocated) for part in parts]

    @override
    def on_node(
        self, mock: MockNode, effects: FaultEffects, prepared: Mapping[str, FakePreparedClaim]
    ) -> NodeClaims[AllocatedClaim]:
        return _OnNode(mock, effects, self._driver, prepared, self._reports)

    @override
    def withdraw(self, prepared: FakePreparedClaim) -> None:
        node = next(device.result.pool for device in prepared.devices if device.result is not None)
        self._reports.withdraw(NamespacedName(prepared.namespace, prepared.name), UID(prepared.uid), node)

    @override
    def withdraw_unused(self, state: NodeAllocationState) -> None:
        for claim in self._caches.claims_on_node(state.metadata.name):
            if claim.status.devices and not claim.status.reserved_for:
                self._reports.withdraw(claim.key, claim.uid, state.metadata.name)

    @override
    def forget(self, node: str) -> None:
        self._reports.forget(node)


class _OnNode(NodeClaims[AllocatedClaim]):
    """By the same code as on a node with a plugin."""

    def __init__(
        self,
        mock: MockNode,
        effects: FaultEffects,
        driver: str,
        prepared: Mapping[str, FakePreparedClaim],
        reports: DeviceStatusWriter,
    ) -> None:
        present = present_node(mock, effects)
        planner = FakePlanner(lambda: present, lambda: prepared)
        self._pool = FakePool(SteadyNode(mock, effects), planner, driver)
        self._driver = driver
        self._reports = reports

    @override
    def devices(self, used: AllocatedClaim) -> Sequence[FakePreparedDevice]:
        return self._pool.prepared(used, None)

    @override
    def report(self, used: AllocatedClaim, prepared: FakePreparedClaim) -> None:
        self._reports.report(used.claim, statuses_of(self._driver, prepared, self._pool))


def _use_of(claim: v1.ResourceClaim) -> tuple[object, ...]:
    """What it depends on whether, and with what, a claim is to be prepared."""
    return bool(claim.status.reserved_for), claim.status.allocation


@dataclass(frozen=True, slots=True)
class _Said:
    """What a claim says of a device that it has."""

    uuid: str
    model: str
    children: Sequence[str] = ()

    @classmethod
    def of(cls, claim: v1.ResourceClaim, result: v1.DeviceRequestAllocationResult) -> Self | None:
        """None where it says nothing, or what this driver does not say: others may write it as well."""
        match next((each.data for each in claim.status.devices if _is_about(each, result)), None):
            case {"uuid": str(uuid), "model": str(model), **others} if uuid:
                children = others.get("children", [])
                if isinstance(children, list) and all(isinstance(child, str) for child in children):
                    return cls(uuid, model, children)
        return None


def _is_about(status: v1.AllocatedDeviceStatus, result: v1.DeviceRequestAllocationResult) -> bool:
    return (status.pool, status.device, status.share_id) == (result.pool, result.device, result.share_id)
