"""Random lives of ``nas.spec.allocatedClaims``: whatever happens in whatever order, it ends as what claims hold."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any

import looptime
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from loguru import logger

import fake_dra_driver
from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.runtime.errors import DeadlineError, Status, api_error
from tests.crash.bounds import examples
from tests.support.structuredworld import NAMESPACE, StructuredBrain, StructuredWorld, opaque, parameters, result

NODES = st.sampled_from(["n", "m"])
NAMES = st.sampled_from(["a", "b", "c"])
DEVICES = st.lists(st.tuples(NODES, st.integers(0, 3), st.booleans()), min_size=1, max_size=3)
EDITS: list[dict[str, Any]] = [
    {"spec": {"allocatedClaims": None}},
    {"spec": {"allocatedClaims": {"stranger": {"fake": {"devices": [{"uuid": "x"}]}}}}},
    {"metadata": {"annotations": {ALLOCATED_ANNOTATION: "9/9"}}},
    {"metadata": {"annotations": None}},
    {"spec": {"preparedDevices": {"uid": {"fake": {"devices": [{"uuid": "n-0"}]}}}}},
    {"spec": {"allocatableDevice": [{"fake": {"uuid": "other", "name": "NEW"}}]}},
    {"spec": None},
]


class Lives(RuleBasedStateMachine):
    """Two nodes, three names of claims, and controllers that stop at any time."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        logger.disable(fake_dra_driver.__name__)
        self._stack.callback(logger.enable, fake_dra_driver.__name__)
        self._loop = looptime.new_event_loop(noop_cycles=1)
        self._stack.callback(self._loop.close)
        self.world = StructuredWorld()
        for node in ("n", "m"):
            self.world.node(node, devices=3)
        self._fault = ""

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(work)

    @rule(name=NAMES, devices=DEVICES, split=st.integers(0, 2))
    def allocate(self, name: str, devices: list[tuple[str, int, bool]], split: int) -> None:
        """A claim is made if there is none, and allocated again if there is one."""
        results = [
            result(node, index, adminAccess=True) if is_admin else result(node, index)
            for node, index, is_admin in devices
        ]
        self.world.claim(name, *results, config=[opaque(parameters(split=split))])

    @rule(name=NAMES)
    def deallocate(self, name: str) -> None:
        if self.world.api.wire(v1.ResourceClaim, name, "default") is not None:
            self.world.deallocate(name)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if self.world.api.wire(v1.ResourceClaim, name, "default") is not None:
            self.world.api.delete(v1.ResourceClaim, name, "default")

    @rule(node=NODES, edit=st.sampled_from(EDITS))
    def edit(self, node: str, edit: dict[str, Any]) -> None:
        self.world.api.update(NodeAllocationState, node, NAMESPACE, edit)

    @rule(node=NODES)
    def recreate(self, node: str) -> None:
        self.world.api.delete(NodeAllocationState, node, NAMESPACE)
        self.world.node(node, devices=3)

    @rule(fault=st.sampled_from(["refused", "lost"]))
    def fail_the_next_write(self, fault: str) -> None:
        """The API server refuses it, or its answer is lost."""
        self._fault = fault

    async def _refuse(self, verb: str, kind: str) -> None:
        if self._fault == "refused":
            self._fault = ""
            raise api_error(Status(500), verb, NodeAllocationState.resource, NamespacedName(NAMESPACE, "n"))

    async def _lose(self, verb: str, kind: str) -> None:
        if self._fault == "lost":
            self._fault = ""
            raise DeadlineError(verb, NodeAllocationState.resource, NamespacedName(NAMESPACE, "n"), 1)

    @rule()
    def run_for_a_moment(self) -> None:
        """Passes begin, and are cancelled wherever they are."""

        async def run() -> None:
            brain = self._fresh()
            async with brain.running():
                brain.deliver()
                await asyncio.sleep(0.5)

        self._run(run())

    @rule(node=NODES, edit=st.sampled_from(EDITS))
    def settle(self, node: str, edit: dict[str, Any]) -> None:
        """Another writer comes while a controller is at work, and in the end all is as the claims have it."""

        async def run() -> None:
            brain = self._fresh()
            async with brain.running():
                await brain.settle()
                self.edit(node, edit)
                await brain.settle()
                await asyncio.sleep(60)  # longer than the back-off after a fault
                await brain.settle()

        self._run(run())
        for each in ("n", "m"):
            self._check(each)

    def _fresh(self) -> StructuredBrain:
        """Another process goes on, and what the old one remembered is lost with it."""
        brain = StructuredBrain(self.world)
        brain.client.before_write, brain.client.after_write = self._refuse, self._lose
        return brain

    def _check(self, node: str) -> None:
        state = self.world.state(node)
        uuids = [device.fake.uuid for device in state.spec.allocatable_device if device.fake is not None]
        expected: dict[str, list[tuple[str, int | None]]] = {}
        for claim in self.world.claims():
            allocation = claim.status.allocation
            for found in allocation.devices.results if allocation is not None else ():
                if found.pool == node and not found.admin_access:
                    index = int(found.device.removeprefix("fake-"))
                    split = claim.spec.devices.config[0].opaque
                    assert split is not None
                    uuid = uuids[index] if index < len(uuids) else found.device
                    expected.setdefault(claim.uid, []).append((uuid, split.parameters["spec"]["split"] or None))
        shown = {
            uid: [(device.uuid, device.split) for device in entry.fake.devices]
            for uid, entry in state.spec.allocated_claims.items()
            if entry.fake is not None
        }
        assert shown == expected
        held = {uuid for devices in expected.values() for uuid, _ in devices}
        assert state.metadata.annotations[ALLOCATED_ANNOTATION] == f"{len(held)}/{len(uuids)}"

    def teardown(self) -> None:
        self.settle("n", {})
        self._stack.close()


TestLives = Lives.TestCase
TestLives.settings = examples(15, 2_000)
