"""Random lives of a node of structured DRA: whatever pods, faults and stops do, in the end all is as a model says.

How sequences are made up and reproduced is said in ``test_random_lives``.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import looptime
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from loguru import logger

import fake_dra_driver
from tests.crash.bounds import IS_SOAK, examples
from tests.crash.disk import Disk, PatientExecutor, PowerCut
from tests.crash.mishaps import MISHAPS, Requests
from tests.crash.process import Steps, supervised
from tests.crash.structuredcluster import StructuredCluster
from tests.crash.structuredhost import PLUGIN

T = TypeVar("T")

NAMES = st.sampled_from(["0", "1", "2", "3"])
SUCCESSORS = NAMES.map(lambda name: f"{name}-next")
"""Pods whose claims ``replace_claim`` has made."""


class Lives(RuleBasedStateMachine):
    """The model is the cluster's ``pods``: what they use, and nothing else, is to be prepared in the end."""

    def __init__(self) -> None:
        super().__init__()
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
        self.cluster = StructuredCluster(disk)
        self.host = self.cluster.host
        await self.cluster.furnish()
        self._kill = await self._processes.enter_async_context(
            supervised(self.cluster.stage, self.host.plugin, Steps(), self._stopped)
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
            self._run(self.cluster.run_pod("0", 1))
            self._run(self.cluster.run_pod("1", 1, split=2))
            self._run(self.cluster.at_rest())

    # --- pods, and time ---

    @rule(name=NAMES, count=st.integers(1, 2), split=st.sampled_from([0, 2]), admin=st.booleans())
    def run_pod(self, name: str, count: int, split: int, admin: bool) -> None:
        self._run(self.cluster.run_pod(name, count, split, admin=admin))

    @rule(name=NAMES | SUCCESSORS, deleted=st.booleans(), by_force=st.booleans())
    def end_pod(self, name: str, deleted: bool, by_force: bool) -> None:
        self._run(self.cluster.end_pod(name, deleted=deleted, by_force=by_force))

    @rule(deleted=st.booleans(), split=st.sampled_from([0, 2]))
    def hand_over(self, deleted: bool, split: int) -> None:
        """All pods are removed by force, and the next one gets their devices before the kubelet has noticed."""
        for name in list(self.cluster.pods):
            self._run(self.cluster.end_pod(name, deleted=deleted, by_force=True))
        self._run(self.cluster.run_pod("next", 2, split))

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.5, 5.0]))
    def let_pass(self, seconds: float) -> None:
        self._run(self.cluster.turn())
        self._run(asyncio.sleep(seconds))

    @rule()
    def rest(self) -> None:
        self._run(self.cluster.at_rest())

    # --- what goes wrong ---

    @rule(name=NAMES)
    def lose_claim(self, name: str) -> None:
        self._run(self.cluster.lose_claim(name))

    @rule(name=NAMES, split=st.sampled_from([0, 2]))
    def replace_claim(self, name: str, split: int) -> None:
        """A claim is stripped of its finalizers while its pod runs, and made again under its name."""
        self._run(self.cluster.lose_claim(name))
        self._run(self.cluster.replace_claim(name, split))

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
        self._faults.enter_context(Requests(PLUGIN, wait, MISHAPS[mishap]).watched(self.cluster.stage))

    @rule()
    def lose_slices(self) -> None:
        self._run(self.cluster.lose_slices())

    @invariant()
    def nothing_is_given_twice(self) -> None:
        assert not [*self.host.wrong, *self.host.given_twice()]

    def teardown(self) -> None:
        try:
            self._run(self.cluster.at_rest())
        finally:
            self._faults.close()
            self._run(self._processes.aclose())
            self._stack.close()


Lives.TestCase.settings = hypothesis.settings(examples(30, 2_000), stateful_step_count=60 if IS_SOAK else 20)
test_structured_lives = Lives.TestCase
