"""How many requests the driver sends for a pod with one claim: controller and plugin together, from start to end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench.api import all_of
from tests.bench.audit import AuditedRequest, Traffic, read_audit_log
from tests.bench.lab import CONTROLLER_AGENT, PLUGIN_AGENT, Lab
from tests.bench.structured.kubelet import Kubelet
from tests.bench.structured.world import AllocatedClaim, StructuredWorld

__all__ = ["PodTraffic", "count_requests"]

_NODE = "bench-pods"
_SETTLE_SECONDS = 5.0
"""By then everything that is written behind is written."""
_BIND_SECONDS = 60


@dataclass(frozen=True, slots=True)
class PodTraffic:
    """The requests for pods that came at once, from their creation until nothing is left of them."""

    pods: int
    plugin: Traffic
    controller: Traffic
    plugin_until_running: Traffic
    """Its part until the devices of all pods were prepared and reported."""
    controller_until_running: Traffic

    @property
    def reads_a_pod(self) -> float:
        """Of the whole life."""
        return (self.plugin.reads + self.controller.reads) / self.pods

    @property
    def writes_a_pod(self) -> float:
        """Of the whole life."""
        return (self.plugin.writes + self.controller.writes) / self.pods

    @property
    def reads_until_running(self) -> float:
        """Of a pod."""
        return (self.plugin_until_running.reads + self.controller_until_running.reads) / self.pods

    @property
    def writes_until_running(self) -> float:
        """Of a pod."""
        return (self.plugin_until_running.writes + self.controller_until_running.writes) / self.pods


async def count_requests(lab: Lab[StructuredWorld], *, pods: Sequence[int] = (1, 8)) -> Sequence[PodTraffic]:
    """Has the scheduler place pods on a node with as many devices as the largest number of pods."""
    await lab.world.add_ready_node(_NODE)
    async with (
        lab.plugin(_NODE, max(pods)) as (_, folders),
        Kubelet.register(folders.registry) as kubelet,
        lab.controller(),
    ):
        await asyncio.sleep(_SETTLE_SECONDS)
        found = [await _run(lab, kubelet, number) for number in pods]
    await lab.world.remove_node(_NODE)
    return found


async def _run(lab: Lab[StructuredWorld], kubelet: Kubelet, pods: int) -> PodTraffic:
    names = [f"pod-{number:05}" for number in range(pods)]
    since = datetime.now(UTC)
    async with lab.world.bindings() as bindings:

        async def bring_up(name: str) -> AllocatedClaim:
            await lab.world.add_pod(name)
            if not await bindings.wait([name], _BIND_SECONDS):
                raise RuntimeError(f"pod {name} was not bound within {_BIND_SECONDS} s")
            claim = await lab.world.claim_of(name)
            await kubelet.prepare([claim])
            return claim

        claims = await all_of(bring_up(name) for name in names)
    await lab.world.wait_reported(claims)
    await asyncio.sleep(_SETTLE_SECONDS)
    running = datetime.now(UTC)
    for claim in claims:
        await kubelet.unprepare([claim])
    await lab.world.remove_pods()
    await asyncio.sleep(_SETTLE_SECONDS)
    requests: Sequence[AuditedRequest] = await asyncio.to_thread(
        lambda: list(read_audit_log(lab.plane.audit_folder, since))
    )
    before = [request for request in requests if request.received < running]
    return PodTraffic(
        pods=pods,
        plugin=Traffic.of(requests, PLUGIN_AGENT),
        controller=Traffic.of(requests, CONTROLLER_AGENT),
        plugin_until_running=Traffic.of(before, PLUGIN_AGENT),
        controller_until_running=Traffic.of(before, CONTROLLER_AGENT),
    )
