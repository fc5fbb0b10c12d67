"""A cluster in memory with claims and pods, and controllers whose caches see changes only when a test says so."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

from fake_dra_driver.api.kube.core import (
    ClaimSource,
    Condition,
    Node,
    NodeStatus,
    Pod,
    PodResourceClaim,
    PodSpec,
)
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, PodSchedulingContextSpec, ResourceClaim
from fake_dra_driver.driver.metricfamilies import METRICS_PREFIX
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.reconcile import Result
from tests.support.events import Recorder
from tests.support.memory_api import MemoryApi, MemoryClient

__all__ = ["NOW", "ClaimWorld", "ControllerProcess", "MakeControllers"]

NOW = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)

MakeControllers = Callable[[Client, Cache, Recorder, Metrics], Iterable[Controller]]


class ControllerProcess:
    """One controller process: a client, caches, controllers. Its caches see changes when ``deliver`` is called.

    ``pass_over`` runs one pass of one reconciler, for tests that need to say what happens in which order. ``running``
    starts the controllers themselves, so that what a change leads to is tested as well; ``settle`` then delivers
    changes until nothing happens any more.
    """

    def __init__(self, api: MemoryApi, make: MakeControllers) -> None:
        self.client = MemoryClient(api)
        self.events = Recorder()
        self.metrics = Metrics(METRICS_PREFIX)
        self._cache = Cache(cast("Client", self.client))
        made = make(cast("Client", self.client), self._cache, self.events, self.metrics)
        self.controllers = {controller.name: controller for controller in made}
        for controller in self.controllers.values():
            controller.use_metrics(self.metrics)  # as the manager does
        self._api = api
        self._delivered = 0
        self._informers = {informer.kind.resource.kind: informer for informer in self._cache._informers.values()}

    def deliver(self, *kinds: str) -> bool:
        """The watches bring what they have not brought yet; with ``kinds``, the others' news is lost until a relist."""
        news = self._api.events[self._delivered :]
        self._delivered = len(self._api.events)
        for event, kind, wire in news:
            if kind in self._informers and (not kinds or kind in kinds):
                self._informers[kind].handle(event, copy.deepcopy(wire))
        return bool(news)

    async def pass_over(self, controller: str, name: str, namespace: str = "default") -> Result:
        """One pass of one reconciler, with what the caches have seen so far."""
        reconciler = self.controllers[controller]._reconciler
        return await reconciler.reconcile(NamespacedName(namespace, name))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the controllers; the test needs looptime, so that back-off takes no time. No pass may end in a bug."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(c.run(), name=c.name) for c in self.controllers.values()]
            try:
                yield
            finally:
                for controller in self.controllers.values():
                    controller.stop()
                for task in tasks:
                    task.cancel()
        bugs = [
            sample.labels["controller"]
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == "controller_runtime_reconcile_panics_total" and sample.value
        ]
        assert not bugs, f"passes of these controllers ended in an unexpected exception: {bugs}"

    async def settle(self) -> None:
        """Delivers changes and lets (simulated) time pass until nothing happens any more."""
        quiet = 0
        while quiet < 3:
            quiet = 0 if self.deliver() else quiet + 1
            await asyncio.sleep(0.5)


class ClaimWorld:
    """The store, with words for what users and the scheduler do, whatever the device."""

    def __init__(self) -> None:
        self.api = MemoryApi()

    def ready_node(self, name: str) -> dict[str, Any]:
        """A Node whose kubelet reports; returned as it is on the wire."""
        status = NodeStatus(conditions=(Condition(type="Ready", status="True", reason="KubeletReady"),))
        return self.api.apply(Node(metadata=ObjectMeta(name=name), status=status))

    def cordon(self, node: str, *, undo: bool = False) -> None:
        """What ``kubectl cordon`` writes, and ``kubectl uncordon``."""
        self.api.update(Node, node, "", {"spec": {"unschedulable": None if undo else True}})

    def stop_reporting(self, node: str) -> None:
        """What the node lifecycle controller writes once a kubelet has been silent for 40 seconds."""
        conditions = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
        self.api.update(Node, node, "", {"status": {"conditions": conditions}})

    def pod(self, name: str, claims: Sequence[str], *, selected: str = "", potential: Sequence[str] = ()) -> Pod:
        """A pod that uses the claims, and the scheduler's PodSchedulingContext for it."""
        entries = tuple(PodResourceClaim(name=c, source=ClaimSource(resource_claim_name=c)) for c in claims)
        self.api.apply(Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=PodSpec(resource_claims=entries)))
        self.select(name, selected, potential)
        return self.api.read(Pod, name, "default")

    def select(self, pod: str, selected: str, potential: Sequence[str] = ()) -> None:
        """The scheduler writes its side of the negotiation."""
        uid = self.api.read(Pod, pod, "default").uid
        owner = OwnerReference(api_version="v1", kind="Pod", name=pod, uid=uid, controller=True)
        spec = PodSchedulingContextSpec(selected_node=selected, potential_nodes=tuple(potential or [selected]))
        metadata = ObjectMeta(name=pod, namespace="default", owner_references=(owner,))
        there = self.api.wire(PodSchedulingContext, pod, "default")
        context = PodSchedulingContext(metadata=metadata, spec=spec)
        if there and "status" in there:
            context = PodSchedulingContext.from_wire({**context.to_wire(), "status": there["status"]})
        self.api.apply(context)

    def read_claim(self, name: str) -> ResourceClaim:
        """The claim as it is now."""
        return self.api.read(ResourceClaim, name, "default")
