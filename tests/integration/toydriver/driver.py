"""A whole DRA driver of its own device, for the example in docs/embedded-cluster.md: lamps, two on each node.

What is here is what an author of a driver writes: which devices there are and which of them a claim gets
(``LampController``), where that is recorded (``LampLedger``), where devices are made ready (``LampNode``), and the
program that puts them together.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field
from typing_extensions import override

from fake_dra_driver.api.kube.meta import KubeObject, ObjectMeta, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra import CLASSIC, ClassicClaim, KubeletPlugin, PluginSockets, ReadyDevice
from fake_dra_driver.dra.classic import (
    ClassicCaches,
    ClassicControllers,
    ControllerDriver,
    Ledger,
    LedgerLayout,
    NodeDevices,
    Unsuitable,
)
from fake_dra_driver.runtime import Cache, Client, EventRecorder, Manager

__all__ = ["DRIVER_NAME", "run_toy_driver"]

DRIVER_NAME = "lamp.example.com"
NAMESPACE = "default"
LAMPS = ("ceiling", "desk")
"""The lamps of every node."""


class ConfigMap(KubeObject):
    """Of each node: by the UID of a claim, the lamp that it has."""

    resource = ResourceKind("", "v1", "ConfigMap", "configmaps")

    data: Mapping[str, str] = Field(default_factory=dict)


class LampLedger(LedgerLayout[ConfigMap, str]):
    """Who has which lamp, in a ConfigMap."""

    kind = ConfigMap
    path = ("data",)
    revision_annotation = f"{DRIVER_NAME}/revision"

    @override
    def entries_of(self, state: ConfigMap) -> Mapping[str, str]:
        return state.data

    @override
    def devices_of(self, entry: str) -> Sequence[str]:
        return [entry]


class LampController(ControllerDriver[None, ConfigMap, str, str]):
    """Gives every claim a lamp."""

    name = DRIVER_NAME

    @override
    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> None:
        return None  # every claim asks for the same

    @override
    def devices_of(self, state: ConfigMap) -> NodeDevices[str]:
        return NodeDevices({lamp: lamp for lamp in LAMPS})

    @override
    def choose(
        self, node: NodeDevices[str], free: Sequence[str], requests: Sequence[None]
    ) -> Sequence[str] | Unsuitable:
        return free[: len(requests)] if len(requests) <= len(free) else Unsuitable(f"{len(free)} lamps are free")

    @override
    def handle_of(self, entry: str) -> str:
        return entry

    @override
    def entry_of(self, handle: str) -> str:
        if handle not in LAMPS:
            raise ValueError(f"there is no lamp {handle}")
        return handle

    @override
    def describe_request(self, request: None) -> str:
        return "a lamp"

    @override
    def describe_entry(self, entry: str) -> str:
        return f"the {entry} lamp"


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
    await client.create(ConfigMap(metadata=ObjectMeta(name=node, namespace=NAMESPACE)))
    cache, events = Cache(client), EventRecorder(client, DRIVER_NAME)
    ledger = Ledger(LampLedger(), client, cache.informer(ConfigMap, namespace=NAMESPACE), NAMESPACE)
    caches = ClassicCaches.of(cache, DRIVER_NAME)
    classic = ClassicControllers(
        LampController(), ledger, caches, client, events, now=lambda: datetime.now(UTC), workers=2
    )
    manager = Manager(client, cache, events=events, grace_period_seconds=2, signals=())
    for controller in classic.controllers:
        manager.add_controller(controller)
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, LampNode(node, cdi_root), on_registration=registered.set)
    manager.add_runnable("plugin", plugin.run)
    await manager.run()
