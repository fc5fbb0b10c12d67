"""A cluster of structured DRA with one node and the real plugin; scheduler, controllers and kubelet are played."""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from fake_dra_driver.api.fake import ABANDONED_ANNOTATION, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Namespace
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.runtime import ratelimiter
from tests.crash.disk import Disk
from tests.crash.scenery import NAMESPACE, Scenery, persistently
from tests.crash.structuredhost import StructuredHost, node_claim
from tests.support.structurednode import parameters, result

__all__ = ["StructuredCluster"]

NODE, DEVICES = "n", 3
_LIMIT_SECONDS = 2 * ratelimiter.MAX_SECONDS
"""Longer than the longest back-off, which many mishaps in a row lead to."""
_QUIET_SECONDS = 3.0


class StructuredCluster:
    """``furnish`` it before anything else, and run ``host.plugin`` beside it."""

    def __init__(self, disk: Disk) -> None:
        self.stage = Scenery("1.37")
        self.host = StructuredHost(self.stage, NODE, DEVICES, disk)
        self.pods: dict[str, NodeClaim] = {}
        """By name: the claim that the pod uses, which has the same name but in ``replace_claim``."""
        self._lost: dict[str, Set[str]] = {}
        """By name: the devices of pods whose claim was taken away while they ran."""

    async def furnish(self) -> None:
        """Makes the node, in a cluster in which claims may ask for adminAccess."""
        await self.stage.furnish()
        await self.stage.create(Node, NODE, namespace="")
        labels = {"metadata": {"labels": {v1.ADMIN_ACCESS_LABEL: "true"}}}
        await self.stage.admin.merge_patch(Namespace, NamespacedName("", "default"), labels)

    # --- pods ---

    async def run_pod(self, name: str, count: int, split: int = 0, *, admin: bool = False) -> None:
        """A pod is scheduled with a claim, which may be there already; not while another pod of that name ends.

        Nothing happens where the node has too few devices.
        """
        numbers = list(range(DEVICES))[:count] if admin else self._free()[:count]
        there = self._find(name)
        if name in self.pods or _successor(name) in self.pods or len(numbers) < count:
            return
        if there is not None and self.host.knows(node_claim(there)):
            return  # the kubelet holds a new pod up until it has ended what the one before used
        fields: dict[str, Any] = {"pool": NODE, **({"admin_access": True} if admin else {})}
        await self._allocate(name, [result(number, **fields) for number in numbers], split)

    async def end_pod(self, name: str, *, deleted: bool, by_force: bool = False) -> None:
        """The claim is deallocated once it is unprepared; at once where the pod was removed by force."""
        claim = self.pods.pop(name, None)
        if claim is None:
            return
        if self._lost.pop(name, None) is not None:
            return
        if not by_force:
            await self.turn()
        await self._write_status(claim.name, {"allocation": None, "reservedFor": None})
        if deleted:
            await self.stage.delete(v1.ResourceClaim, claim.name)

    async def lose_claim(self, name: str) -> None:
        """A user takes the claim of a pod that runs away; the scheduler gives its devices to the next one."""
        claim, wire = self.pods.get(name), self._find(name)
        if claim is None or wire is None or name in self._lost or not self.host.runs(claim):
            return
        self._lost[name] = _devices_of(wire)
        await self.stage.delete(v1.ResourceClaim, name)

    async def replace_claim(self, name: str, split: int) -> None:
        """The claim that was taken from a pod is made again under its name, and allocated for another pod.

        Nothing happens where it was not taken, or where the node has too few devices.
        """
        lost = self._lost.get(name, ())
        numbers = self._free()[: len(lost)]
        if lost and len(numbers) == len(lost) and _successor(name) not in self.pods:
            results = [result(number, pool=NODE) for number in numbers]
            await self._allocate(name, results, split, pod=_successor(name))

    async def lose_slices(self) -> None:
        """A kubelet deletes them when it starts."""
        for one in list(self.stage.all(v1.ResourceSlice)):
            await self.stage.delete(v1.ResourceSlice, one["metadata"]["name"], "")

    def _find(self, name: str) -> Mapping[str, Any] | None:
        return self.stage.find(v1.ResourceClaim, name)

    def _free(self) -> list[int]:
        """The devices that the scheduler has to give."""
        taken = set().union(*map(_devices_of, self.stage.all(v1.ResourceClaim)))
        return [number for number in range(DEVICES) if f"fake-{number}" not in taken]

    async def _allocate(
        self, name: str, results: Sequence[v1.DeviceRequestAllocationResult], split: int, *, pod: str = ""
    ) -> None:
        request = {"name": "fakes", "exactly": {"deviceClassName": "fake.3-shake.com"}}
        await self.stage.create(v1.ResourceClaim, name, spec={"devices": {"requests": [request]}})
        wire = self._find(name)
        assert wire is not None
        if not wire.get("status", {}).get("allocation"):
            config = (parameters(split=split),) if split else ()
            devices = v1.DeviceAllocationResult(results=tuple(results), config=config)
            consumer = v1.ConsumerReference(resource="pods", name="p", uid=node_claim(wire).uid)
            status = v1.ResourceClaimStatus(allocation=v1.AllocationResult(devices=devices), reserved_for=(consumer,))
            await self._write_status(name, status.to_wire())
        self.pods[pod or name] = node_claim(wire)

    async def _write_status(self, name: str, status: Mapping[str, Any]) -> None:
        key = NamespacedName("default", name)
        await persistently(
            lambda: self.stage.admin.merge_patch(v1.ResourceClaim, key, {"status": status}, subresource="status")
        )

    # --- the kubelet, and time ---

    async def turn(self) -> None:
        """The kubelet does for each pod what is due."""
        for name, claim in list(self.pods.items()):
            if name in self._lost and not self.host.runs(claim):
                await self.end_pod(name, deleted=False)  # it cannot be started again without its claim
                continue
            await self.host.prepare(claim)
        await self.host.unprepare_all_but({claim.uid: claim for claim in self.pods.values()})
        await self._tell_abandoned()

    async def _tell_abandoned(self) -> None:
        """The controller tells the plugin what neither a pod uses nor the kubelet will end."""
        state = self.stage.find(NodeAllocationState, NODE, NAMESPACE)
        if state is None:
            return
        used = {claim.uid for claim in self.pods.values()}
        prepared = state.get("spec", {}).get("preparedDevices", {})
        abandoned = ",".join(sorted(uid for uid in prepared if uid not in used and not self.host.knows_uid(uid)))
        if state["metadata"].get("annotations", {}).get(ABANDONED_ANNOTATION, "") != abandoned:
            patch = {"metadata": {"annotations": {ABANDONED_ANNOTATION: abandoned or None}}}
            key = NamespacedName(NAMESPACE, NODE)
            await persistently(lambda: self.stage.admin.merge_patch(NodeAllocationState, key, patch))

    def _used(self) -> Mapping[UID, NodeClaim]:
        """The claims of all pods but those that wait for devices of a pod whose claim was taken away."""
        held = set().union(*self._lost.values())
        waiting = {
            name
            for name, claim in self.pods.items()
            if name not in self._lost and (wire := self._find(claim.name)) is not None and held & _devices_of(wire)
        }
        return {claim.uid: claim for name, claim in self.pods.items() if name not in waiting}

    async def at_rest(self) -> None:
        """Until all is as it should be, and nothing is written any more."""
        now: Callable[[], float] = asyncio.get_running_loop().time
        deadline, seen, since = now() + _LIMIT_SECONDS, -1, now()
        while now() - since < _QUIET_SECONDS:
            await self.turn()
            complaints = self.host.complaints(self._used())
            if self.stage.revision != seen or complaints:
                seen, since = self.stage.revision, now()
            if now() > deadline:
                raise AssertionError("\n".join(complaints) or "something is written again and again")
            await asyncio.sleep(0.5)
        assert not self.host.wrong, self.host.wrong


def _successor(name: str) -> str:
    """The pod that uses the claim which was made again under that name."""
    return f"{name}-next"


def _devices_of(claim: Mapping[str, Any]) -> Set[str]:
    """The devices that no other claim can have beside it."""
    allocation = claim.get("status", {}).get("allocation") or {}
    results = allocation.get("devices", {}).get("results", ())
    return {each["device"] for each in results if not each.get("adminAccess")}
