"""A whole DRA driver of its own device, for the example in docs/embedded-cluster.md: lamps, of which no node runs out.

What is here is what an author of a driver writes: where devices are chosen (``LampController``), where they are made
ready (``LampNode``), and the program that puts them together. A real driver keeps a durable record of who has what.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import (
    AllocationResult,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ResourceClaim,
    ResourceClass,
    ResourceHandle,
)
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.driver import Hold, Marks, PendingClaim, Unsuitable
from fake_dra_driver.dra.classic.setup import ClassicControllers
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import ReadyDevice
from fake_dra_driver.dra.node.interface import CLASSIC
from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin, PluginSockets
from fake_dra_driver.runtime import Cache, Client, EventRecorder, Manager

__all__ = ["DRIVER_NAME", "run_toy_driver"]

DRIVER_NAME = "lamp.example.com"
Claims = Sequence[PendingClaim[None]]


class LampController:
    """Gives every claim a lamp on the node that the scheduler selects."""

    name = DRIVER_NAME
    finalizer = f"{DRIVER_NAME}/deletion-protection"

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes

    def check_class(self, resource_class: ResourceClass) -> None:
        """Classes have no parameters."""

    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> None:
        """Claims have none either."""

    def unsuitable_nodes(self, pending: Claims, nodes: Sequence[str]) -> Mapping[str, Unsuitable]:
        """Nodes without lamps."""
        return {node: Unsuitable("there are no lamps") for node in nodes if node not in self._nodes}

    def describe_shortage(self, pending: Claims, unsuitable: Mapping[str, Unsuitable]) -> str:
        """For an event."""
        return f"{len(pending)} lamps wanted, none on {', '.join(unsuitable)}"

    def nodes(self) -> Sequence[str]:
        """Nodes with lamps."""
        return self._nodes

    def choose_node(self, pending: PendingClaim[None]) -> str | None:
        """Any of them."""
        return self._nodes[0]

    @contextmanager
    def hold(self, pending: Claims, node: str) -> Iterator[Hold]:
        """Nothing has to be set aside."""
        yield _LampHold(pending, node)

    def recorded_nodes(self, uid: UID) -> Sequence[str]:
        """Nothing is recorded."""
        return ()

    def fits_record(self, pending: PendingClaim[None], node: str) -> bool:
        """See above."""
        return True

    def mark(self, nodes: Sequence[str]) -> Marks:
        """See above."""
        return {}

    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        """See above."""

    def node_of(self, allocation: AllocationResult) -> str | None:
        """What ``_LampHold`` wrote down."""
        terms = allocation.available_on_nodes.node_selector_terms if allocation.available_on_nodes else ()
        return terms[0].match_fields[0].values[0] if terms else None

    async def is_gone(self, node: str) -> bool:
        """Nodes stay."""
        return False


class _LampHold:
    def __init__(self, pending: Claims, node: str) -> None:
        self._pending = pending
        self._node = node

    async def record(self) -> Mapping[UID, AllocationResult]:
        here = NodeSelectorRequirement(key="metadata.name", operator="In", values=(self._node,))
        result = AllocationResult(
            available_on_nodes=NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(here,)),)),
            resource_handles=(ResourceHandle(driver_name=DRIVER_NAME, data="bright"),),
        )
        return {pending.claim.uid: result for pending in self._pending}


class LampNode:
    """Switches lamps on: a CDI file for each claim, with a variable for the containers that use it."""

    def __init__(self, node: str, cdi_root: Path) -> None:
        self._node = node
        self._cdi_root = cdi_root

    async def prepare(self, claim: ClassicClaim) -> Sequence[ReadyDevice]:
        """The lamp is on."""
        edits = {"env": [f"LAMP={claim.name} is {claim.resource_handle}"]}
        spec = {
            "cdiVersion": "0.5.0",
            "kind": "example.com/lamp",
            "devices": [{"name": claim.uid, "containerEdits": edits}],
        }
        await asyncio.to_thread(self._file(claim).write_text, json.dumps(spec))
        return [ReadyDevice(self._node, "lamp", (f"example.com/lamp={claim.uid}",))]

    async def unprepare(self, claim: ClassicClaim) -> None:
        """The lamp is off."""
        await asyncio.to_thread(self._file(claim).unlink, missing_ok=True)

    def _file(self, claim: ClassicClaim) -> Path:
        return self._cdi_root / f"example.com-lamp_{claim.uid}.json"


async def run_toy_driver(client: Client, node: str, root: Path, registered: asyncio.Event) -> None:
    """Controller and kubelet plugin in one, until cancelled.

    Args:
        client: of the cluster.
        node: the only one that has lamps.
        root: its root file system.
        registered: set once the kubelet knows the plugin.
    """
    cdi_root = root / "var/run/cdi"
    await asyncio.to_thread(cdi_root.mkdir, parents=True, exist_ok=True)
    kubelet = root / "var/lib/kubelet"
    sockets = PluginSockets.of(
        DRIVER_NAME, registry_folder=kubelet / "plugins_registry", plugins_folder=kubelet / "plugins"
    )
    cache, driver = Cache(client), LampController([node])
    events = EventRecorder(client, DRIVER_NAME)
    classic = ClassicControllers(
        driver, ClassicCaches.of(cache, driver), client, events, now=lambda: datetime.now(UTC), workers=2
    )
    manager = Manager(client, cache, events=events, grace_period_seconds=2, signals=())
    for controller in classic.controllers:
        manager.add_controller(controller)
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, LampNode(node, cdi_root), on_registration=registered.set)
    manager.add_runnable("plugin", plugin.run)
    await manager.run()
