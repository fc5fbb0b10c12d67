"""DeviceFaults at work on one node: what is wrong with it at each moment.

What a fault does is a function of the objects and of the time (``fault.evaluation``); only how many calls have failed
is remembered, on disk (``failurecounts``). So it makes no difference whether the plugin was started before or after it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, cast

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.dra.program import NodeAccess
from fake_dra_driver.driver.fault.effects import NO_FAULTS, in_classic
from fake_dra_driver.driver.fault.evaluation import Evaluation, FaultHit, effects_of
from fake_dra_driver.driver.fault.target import Holders, Place
from fake_dra_driver.driver.live.failurecounts import Call, FailureCounts
from fake_dra_driver.driver.live.faultedcalls import FaultedCalls, names_of
from fake_dra_driver.driver.live.faultmetrics import FaultMetrics
from fake_dra_driver.driver.live.faultstatus import FaultStatusWriter, own_entry
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.live.nodelabels import NodeLabels
from fake_dra_driver.driver.live.readablekind import LOOK_AGAIN_SECONDS, why_unreadable
from fake_dra_driver.driver.live.specchange import has_other_spec
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.reason import DEVICES_FAULTED, DEVICES_HEALED, FAULT_UNUSABLE, FAULTS_UNREADABLE
from fake_dra_driver.runtime import (
    Controller,
    Informer,
    Reconciler,
    Request,
    Result,
    RuntimeLayerError,
    utc_now,
)

__all__ = ["LiveFaults"]

_RETRY_SECONDS: Final = 1.0
"""Until an API server that gave no answer is asked again."""
_SHORTEST_PAUSE_SECONDS: Final = 0.05
"""Between two looks at what has changed by itself."""
_RANDOM_PAUSE_SECONDS: Final = 1.0
"""The same where devices fail at random: of thousands, one always has, and each time slices are written."""
_LONGEST_PAUSE_SECONDS: Final = 30.0
"""While something is to change by itself: a wall clock that was set is noticed by then."""
_HOLDERS_PAUSE_SECONDS: Final = 2.0
"""While a fault is about the devices of a claim, which come and go."""
_SHOWN_DEVICES: Final = 8

log = logger.bind(component="devicefaults")


class LiveFaults(Reconciler):
    """Applies the faults that hit a node.

    Args:
        node: the node.
        driver: its name.
        counts: of the calls that have failed.
        labels: of the Node.
        now: the wall clock.
    """

    def __init__(
        self,
        node: LiveNode,
        driver: str,
        counts: FailureCounts,
        labels: NodeLabels,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._node = node
        self._driver = driver
        self._counts = counts
        self._labels = labels
        self._now = now
        self.calls = FaultedCalls(node, counts, self._known, self._call_failed, self._look)
        """For the calls of the kubelet."""
        self._access: NodeAccess[FakePreparedDevice] | None = None
        self._faults: Informer[DeviceFault] | None = None
        self._status: FaultStatusWriter | None = None
        self._metrics: FaultMetrics | None = None
        self._connected = asyncio.Event()
        self._evaluation = Evaluation(NO_FAULTS, {}, None)
        self._controller = Controller("devicefault", self)
        self._request = Request("", node.current.node)
        self._transform = own_entry(node.current.node)

    async def connect(self, access: NodeAccess[FakePreparedDevice]) -> None:
        """Returns once it is known what is wrong with the node, or that this cannot be known for now."""
        self._access = access
        while True:
            try:
                problem = await self._begin(access)
                break
            except RuntimeLayerError as error:
                log.warning("DeviceFaults cannot be read, will ask again", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        if problem:
            log.warning("DeviceFaults have no effect", error=problem)
            self._node.tell(FAULTS_UNREADABLE, problem)
        self._connected.set()

    async def run(self) -> None:
        """Keeps the node in line for as long as the plugin runs. May be called before ``connect``."""
        await self._connected.wait()
        while self._status is None:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            with suppress(RuntimeLayerError):
                await self._begin(cast("NodeAccess[FakePreparedDevice]", self._access))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._controller.run(), name="devicefaults")
            group.create_task(self._status.controller.run(), name="devicefault-status")

    async def _begin(self, access: NodeAccess[FakePreparedDevice]) -> str:
        """Begins to watch the faults. Returns why that cannot be done; empty when it is. Raises RuntimeLayerError."""
        if problem := await why_unreadable(access.client, DeviceFault):
            return problem
        faults = access.cache.informer(DeviceFault, transform=self._transform)
        await faults.wait_for_sync()
        await self._read_labels(faults)
        self._faults = faults
        self._status = FaultStatusWriter(access.client, faults, access.node, self._driver, self._counts, self._now)
        self._metrics = FaultMetrics(access.metrics, access.node)
        for controller in (self._controller, self._status.controller):
            controller.use_metrics(access.metrics)
        await self._evaluate(faults)
        self._controller.watch(faults, lambda _change: [self._request], has_other_spec)
        self._node.subscribe(self._look)
        self._labels.subscribe(self._look)
        return ""

    def _known(self) -> Collection[UID]:
        return () if self._faults is None else {each.uid for each in self._faults.list()}

    def _call_failed(self, fault: str, call: Call) -> None:
        if self._status is not None:
            self._status.count_changed(fault)
        if self._metrics is not None:
            self._metrics.failed(fault, call)

    def _look(self) -> None:
        self._controller.enqueue(self._request)

    # --- what is wrong with the node ---

    @override
    async def reconcile(self, request: Request) -> Result:
        if self._faults is None:
            return Result()
        await self._read_labels(self._faults)
        return Result(requeue_after=await self._evaluate(self._faults))

    async def _read_labels(self, faults: Informer[DeviceFault]) -> None:
        if any(fault.spec.target.node_selector is not None for fault in faults.list()):
            await self._labels.read()

    async def _evaluate(self, faults: Informer[DeviceFault]) -> float | None:
        """Applies what is wrong now. Returns in how many seconds to look again; None: when something has changed."""
        objects, now = faults.list(), self._now()
        place = Place(self._node.current, self._driver, self._labels.current(), self._holders(), self.calls.callers())
        if any(fault.spec.target.cel for fault in objects):
            # Expressions may take seconds, when they are new to the node; calls are answered all the while.
            found = await asyncio.to_thread(effects_of, objects, place, now)
        else:
            found = effects_of(objects, place, now)
        self._tell(self._evaluation.hits, found.hits)
        self._evaluation = found
        if self._access is not None and self._access.api.structured is None:
            self._node.apply(in_classic(found.effects, [device.name for device in place.node.devices]))
        else:
            self._node.apply(found.effects)
        if self._status is not None:
            self._status.report(found.hits)
        if self._metrics is not None:
            self._metrics.show(found.hits)
        pauses = [_HOLDERS_PAUSE_SECONDS] if any(fault.spec.target.claim for fault in objects) else []
        if found.next_change is not None:
            until = (found.next_change - now).total_seconds()
            is_random = any(fault.spec.random is not None for fault in objects)
            shortest = _RANDOM_PAUSE_SECONDS if is_random else _SHORTEST_PAUSE_SECONDS
            pauses.append(min(max(until, shortest), _LONGEST_PAUSE_SECONDS))
        return min(pauses, default=None)

    def _holders(self) -> Holders:
        holders: defaultdict[str, set[NamespacedName]] = defaultdict(set)
        if self._access is None:
            return holders
        names = {device.device.uuid: device.name for device in self._node.current.devices}
        for claim in self._access.prepared().values():
            for name in names_of(claim, names):
                holders[name].add(NamespacedName(claim.namespace, claim.name))
        return holders

    def _tell(self, before: Mapping[str, FaultHit], after: Mapping[str, FaultHit]) -> None:
        for name in sorted(before.keys() | after.keys()):
            was, is_now = before.get(name, FaultHit()), after.get(name, FaultHit())
            if is_now.problem and is_now.problem != was.problem:
                self._node.tell(FAULT_UNUSABLE, f"DeviceFault {name}: {is_now.problem}")
            if was.does_something and not is_now.does_something:
                log.info("Devices healed", fault=name)
                self._node.tell(DEVICES_HEALED, f"DeviceFault {name} hits nothing on this node any more")
            elif is_now.does_something and (was.devices, was.whole_node) != (is_now.devices, is_now.whole_node):
                log.info("Devices faulted", fault=name, devices=len(is_now.devices))
                self._node.tell(DEVICES_FAULTED, f"DeviceFault {name} hits {_shown(is_now)}")


def _shown(hit: FaultHit) -> str:
    names = list(hit.devices[:_SHOWN_DEVICES])
    if len(hit.devices) > _SHOWN_DEVICES:
        names.append(f"{len(hit.devices) - _SHOWN_DEVICES} others")
    parts = ["the whole node"] if hit.whole_node else []
    return ", ".join([*parts, *names])
