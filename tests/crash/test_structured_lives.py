"""Random lives of a node of structured DRA: whatever pods, faults and stops do, in the end all is as a model says.

How sequences are made up and reproduced is said in ``test_random_lives``.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import looptime
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from loguru import logger

import fake_dra_driver
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Namespace
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.runtime import ratelimiter
from tests.crash.bounds import IS_SOAK, examples
from tests.crash.disk import Disk, PatientExecutor, PowerCut
from tests.crash.mishaps import MISHAPS, Requests
from tests.crash.process import Steps, supervised
from tests.crash.scenery import Scenery, persistently
from tests.crash.structuredhost import PLUGIN, StructuredHost, node_claim
from tests.support.structurednode import parameters, result

T = TypeVar("T")

NODE, DEVICES = "n", 3
NAMES = st.sampled_from(["0", "1", "2", "3"])
_LIMIT_SECONDS = 2 * ratelimiter.MAX_SECONDS
"""Longer than the longest back-off, which many mishaps in a row lead to."""
_QUIET_SECONDS = 3.0


class Lives(RuleBasedStateMachine):
    """A cluster of one node with the real kubelet plugin; scheduler, controller manager and kubelet are played."""

    def __init__(self) -> None:
        super().__init__()
        self.pods: dict[str, NodeClaim] = {}
        """By claim's name: the claims that a pod on the node uses."""
        self._stack = ExitStack()
        logger.disable(fake_dra_driver.__name__)
        self._stack.callback(logger.enable, fake_dra_driver.__name__)
        self._loop = looptime.new_event_loop(noop_cycles=1)
        self._stack.callback(self._loop.close)
        self._loop.set_default_executor(PatientExecutor(1))
        root = Path(tempfile.mkdtemp(prefix="lives-"))
        self._stack.callback(shutil.rmtree, root)
        disk = Disk(root / "node")
        self._stack.enter_context(disk.watched())
        self._faults = self._stack.enter_context(ExitStack())
        self._processes = AsyncExitStack()
        self._cut: PowerCut | None = None
        self._run(self._open(disk))

    async def _open(self, disk: Disk) -> None:
        self.stage = Scenery("1.37")
        await self.stage.furnish()
        await self.stage.create(Node, NODE, namespace="")
        labels = {"metadata": {"labels": {v1.ADMIN_ACCESS_LABEL: "true"}}}
        await self.stage.admin.merge_patch(Namespace, NamespacedName("", "default"), labels)
        self.host = StructuredHost(self.stage, NODE, DEVICES, disk)
        self._kill = await self._processes.enter_async_context(
            supervised(self.stage, self.host.plugin, Steps(), self._stopped)
        )

    def _stopped(self) -> None:
        if self._cut is not None:
            self.host.reboot(self._cut)
            self._cut = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    @initialize(has_pods=st.booleans())
    def begin(self, has_pods: bool) -> None:
        """A plugin that is yet to start, or one that has prepared claims of pods."""
        if has_pods:
            self._run_pod("0", 1, 0, admin=False)
            self._run_pod("1", 1, 2, admin=False)
            self._run(self._at_rest())

    # --- scheduler and controller manager ---

    def _find(self, name: str) -> Mapping[str, Any] | None:
        return self.stage.find(v1.ResourceClaim, f"claim-{name}")

    def _free(self) -> list[int]:
        """The devices that the scheduler has to give."""
        taken = {
            each["device"]
            for claim in self.stage.all(v1.ResourceClaim)
            for each in (claim.get("status", {}).get("allocation") or {}).get("devices", {}).get("results", ())
            if not each.get("adminAccess")
        }
        return [number for number in range(DEVICES) if f"fake-{number}" not in taken]

    @rule(name=NAMES, count=st.integers(1, 2), split=st.sampled_from([0, 2]), admin=st.booleans())
    def run_pod(self, name: str, count: int, split: int, admin: bool) -> None:
        """A pod is scheduled with a claim, which may be there already."""
        self._run_pod(name, count, split, admin)

    def _run_pod(self, name: str, count: int, split: int, admin: bool) -> None:
        numbers = list(range(DEVICES))[:count] if admin else self._free()[:count]
        if f"claim-{name}" in self.pods or len(numbers) < count:
            return
        there = self._find(name)
        if there is not None and self.host.knows(node_claim(there)):
            return  # the kubelet holds a new pod up until it has ended what the one before used
        found = [result(number, admin_access=True) if admin else result(number) for number in numbers]
        self._run(self._allocate(name, [each.model_copy(update={"pool": NODE}) for each in found], split))

    async def _allocate(self, name: str, results: list[v1.DeviceRequestAllocationResult], split: int) -> None:
        request = {"name": "fakes", "exactly": {"deviceClassName": "fake.3-shake.com"}}
        await self.stage.create(v1.ResourceClaim, f"claim-{name}", spec={"devices": {"requests": [request]}})
        wire = self._find(name)
        assert wire is not None
        if not wire.get("status", {}).get("allocation"):
            config = (parameters(split=split),) if split else ()
            devices = v1.DeviceAllocationResult(results=tuple(results), config=config)
            consumer = v1.ConsumerReference(resource="pods", name="p", uid=node_claim(wire).uid)
            status = v1.ResourceClaimStatus(allocation=v1.AllocationResult(devices=devices), reserved_for=(consumer,))
            await self._write_status(name, status.to_wire())
        self.pods[f"claim-{name}"] = node_claim(wire)

    async def _write_status(self, name: str, status: Mapping[str, Any]) -> None:
        key = NamespacedName("default", f"claim-{name}")
        await persistently(
            lambda: self.stage.admin.merge_patch(v1.ResourceClaim, key, {"status": status}, subresource="status")
        )

    @rule(name=NAMES, deleted=st.booleans(), by_force=st.booleans())
    def end_pod(self, name: str, deleted: bool, by_force: bool) -> None:
        """The claim is deallocated once it is unprepared; at once where the pod was removed by force."""
        self._end_pod(name, deleted, by_force)

    @rule(deleted=st.booleans(), split=st.sampled_from([0, 2]))
    def hand_over(self, deleted: bool, split: int) -> None:
        """All pods are removed by force, and the next one gets their devices before the kubelet has noticed."""
        for claim in list(self.pods):
            self._end_pod(claim.removeprefix("claim-"), deleted, by_force=True)
        self._run_pod("next", 2, split, admin=False)

    def _end_pod(self, name: str, deleted: bool, by_force: bool) -> None:
        if self.pods.pop(f"claim-{name}", None) is None:
            return
        if not by_force:
            self._run(self._kubelet())
        self._run(self._deallocate(name))
        if deleted:
            self._run(self.stage.delete(v1.ResourceClaim, f"claim-{name}"))

    async def _deallocate(self, name: str) -> None:
        await self._write_status(name, {"allocation": None, "reservedFor": None})

    # --- the kubelet, and time ---

    async def _kubelet(self) -> None:
        for claim in list(self.pods.values()):
            await self.host.prepare(claim)
        await self.host.unprepare_all_but({claim.uid: claim for claim in self.pods.values()})

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.5, 5.0]))
    def let_pass(self, seconds: float) -> None:
        async def both() -> None:
            await self._kubelet()
            await asyncio.sleep(seconds)

        self._run(both())

    @rule()
    def rest(self) -> None:
        self._run(self._at_rest())

    async def _at_rest(self) -> None:
        """Until all is as it should be, and nothing is written any more."""
        deadline = self._loop.time() + _LIMIT_SECONDS
        seen, since = -1, self._loop.time()
        while self._loop.time() - since < _QUIET_SECONDS:
            await self._kubelet()
            used = {claim.uid: claim for claim in self.pods.values()}
            complaints = self.host.complaints(used)
            if self.stage.revision != seen or complaints:
                seen, since = self.stage.revision, self._loop.time()
            if self._loop.time() > deadline:
                raise AssertionError("\n".join(complaints) or "something is written again and again")
            await asyncio.sleep(0.5)

    # --- what goes wrong ---

    @rule()
    def kill_plugin(self) -> None:
        self._kill()

    @rule(cut=st.sampled_from(["nothing unsynced is there", "names are there without their data"]))
    def cut_power(self, cut: PowerCut) -> None:
        self._cut = cut
        self._kill()

    @rule()
    def wipe_the_kubelet(self) -> None:
        """What no pod uses any more, the plugin alone can find out then, when it starts."""
        self.host.forget()
        self._kill()

    @rule(mishap=st.sampled_from(sorted(MISHAPS)), wait=st.integers(0, 5))
    def have_a_mishap(self, mishap: str, wait: int) -> None:
        self._faults.enter_context(Requests(PLUGIN, wait, MISHAPS[mishap]).watched(self.stage))

    @rule()
    def lose_slices(self) -> None:
        """A kubelet deletes them when it starts."""
        for one in list(self.stage.all(v1.ResourceSlice)):
            self._run(self.stage.delete(v1.ResourceSlice, one["metadata"]["name"], ""))

    @invariant()
    def nothing_is_given_twice(self) -> None:
        assert not [*self.host.wrong, *self.host.given_twice()]

    def teardown(self) -> None:
        try:
            self._run(self._at_rest())
        finally:
            self._faults.close()
            self._run(self._processes.aclose())
            self._stack.close()


Lives.TestCase.settings = hypothesis.settings(examples(30, 2_000), stateful_step_count=60 if IS_SOAK else 20)
test_structured_lives = Lives.TestCase
