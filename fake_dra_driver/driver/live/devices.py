"""The mock devices of a node for as long as its plugin runs: what watches profiles and faults, put together."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from typing_extensions import override

from fake_dra_driver.dra import Reason
from fake_dra_driver.dra.program import LiveDevices, NodeAccess
from fake_dra_driver.driver.live.annotations import profile_annotations
from fake_dra_driver.driver.live.failurecounts import FailureCounts
from fake_dra_driver.driver.live.faults import LiveFaults
from fake_dra_driver.driver.live.lastgood import LastGoodProfile
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.live.lostdevices import LostDevices
from fake_dra_driver.driver.live.nodelabels import NodeLabels
from fake_dra_driver.driver.live.profiles import LiveProfiles
from fake_dra_driver.driver.node.prepared import FakePreparedDevice

__all__ = ["MockDevices"]


class MockDevices(LiveDevices):
    """Keeps a node in line with what describes it.

    Args:
        node: is told what it has. What it has at first is what it has without a profile.
        driver: its name.
        folder: of the plugin.
    """

    def __init__(self, node: LiveNode, driver: str, folder: Path) -> None:
        self._node = node
        self._driver = driver
        self._labels = NodeLabels(node.current.node)
        self._profiles = LiveProfiles(node, driver, self._labels, LastGoodProfile(folder))
        self.faults = LiveFaults(node, driver, FailureCounts(folder), self._labels)
        """They meet the calls of the kubelet, too."""

    async def connect(self, access: NodeAccess[FakePreparedDevice]) -> None:
        """Returns once it is known what the node has."""
        self._labels.connect(access.cache)
        if access.api.structured is None:
            self._node.serve_classic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._profiles.connect(access), name="first deviceprofiles")
            group.create_task(self.faults.connect(access), name="first devicefaults")
        lost = LostDevices(access.node, f"resource.k8s.io/{access.api.version}", access.events)

        def look() -> None:
            lost.look({device.uuid for device in self._node.devices}, access.prepared())

        self._node.subscribe(look)
        look()

    @override
    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._profiles.run(), name="deviceprofiles")
            group.create_task(self.faults.run(), name="devicefaults")

    @override
    def subscribe(self, changed: Callable[[], None]) -> None:
        self._node.subscribe(changed)

    @override
    def report_to(self, tell: Callable[[Reason, str], None]) -> None:
        self._node.report_to(tell)

    @override
    def refusal(self) -> str:
        return self._profiles.problem

    @override
    def problem(self) -> str | None:
        return None

    def annotations(self) -> Mapping[str, str]:
        """What the node's NodeAllocationState says of its driver and its profile."""
        return profile_annotations(self._driver, self._node.current.profile, self._profiles.problem)
