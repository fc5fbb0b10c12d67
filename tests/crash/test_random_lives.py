"""Random lives: whatever people, faults and stops do in whatever order, in the end all is as a small model says.

hypothesis makes up the sequence, and shrinks one that fails to a short story, which it prints as a program of rules.
``make test`` tells the same stories each time. ``make soak`` tells more and others each time; a run of it that fails
names its seed, and is repeated with ``SOAK=1 pytest tests/crash/test_random_lives.py --hypothesis-seed=<seed>``.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import looptime
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from loguru import logger

import fake_dra_driver
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, ResourceClaim
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime import ratelimiter
from tests.crash.bounds import IS_SOAK, examples
from tests.crash.disk import Disk, PatientExecutor, PowerCut
from tests.crash.host import PLUGIN, Host
from tests.crash.kubernetes import Kubernetes
from tests.crash.mishaps import MISHAPS, Requests
from tests.crash.process import CONTROLLER, Steps, controller, supervised
from tests.crash.soundness import complaints
from tests.crash.stage import Stage
from tests.crash.story import Teller

T = TypeVar("T")

NAMES = st.sampled_from(["0", "1", "2", "3"])
_LIMIT_SECONDS = 2 * ratelimiter.MAX_SECONDS
"""Longer than the longest back-off, which many mishaps in a row lead to."""
WITH_PLUGIN, WITHOUT_PLUGIN, TEMPLATE = "a", "b", "template"


class Model:
    """What people have asked for."""

    def __init__(self) -> None:
        self.claims: set[str] = set()
        self.pods: dict[str, tuple[str, ...]] = {}
        """By name: the claims that the pod uses; the template is one of them."""

    def complaints(self, stage: Stage) -> list[str]:
        """What is not as people have asked for it; what else must hold says ``soundness``."""
        pods = {pod["metadata"]["name"] for pod in stage.all(Pod)}
        made = {f"{pod}-{TEMPLATE}" for pod, claims in self.pods.items() if TEMPLATE in claims}
        claims = {
            claim["metadata"]["name"]
            for claim in stage.all(ResourceClaim)
            if "deletionTimestamp" not in claim["metadata"]
        }
        found = []
        if pods != self.pods.keys():
            found.append(f"there are the pods {sorted(pods)}, and there should be {sorted(self.pods)}")
        if claims != self.claims | made:
            found.append(f"there are the claims {sorted(claims)}, and there should be {sorted(self.claims | made)}")
        return found


class Lives(RuleBasedStateMachine):
    """A cluster of two nodes, one with the real kubelet plugin, and the real controller."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
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
        self.stage = stage = Stage()
        await stage.furnish()
        self.host = Host(stage, WITH_PLUGIN, 2, disk)
        stage.install = self._install
        await stage.node(WITH_PLUGIN, 2)
        stage.install = stage.state
        await stage.node(WITHOUT_PLUGIN, 1)
        await stage.template(TEMPLATE)
        kubernetes = Kubernetes(stage, {WITH_PLUGIN: self.host})
        self.teller = Teller(stage, kubernetes, self._complaints, _LIMIT_SECONDS)
        self._kill_controller = await self._start_controller()

    async def _start_controller(self) -> Callable[[], None]:
        return await self._processes.enter_async_context(supervised(self.stage, controller, Steps()))

    async def _install(self, node: str, devices: int) -> None:
        self._kill_plugin = await self._processes.enter_async_context(
            supervised(self.stage, self.host.plugin, Steps(), self._plugin_stopped)
        )

    def _plugin_stopped(self) -> None:
        if self._cut is not None:
            self.host.reboot(self._cut)
            self._cut = None

    def _complaints(self) -> list[str]:
        return [*complaints(self.stage), *self.host.complaints(), *self.model.complaints(self.stage)]

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    @initialize(two=st.booleans())
    def begin(self, two: bool) -> None:
        """Without a lease between them, two controllers may be at work at once."""
        if two:
            self._run(self._start_controller())

    # --- people ---

    @rule(name=NAMES, count=st.integers(1, 2), split=st.sampled_from([0, 2]), immediate=st.booleans())
    def create_claim(self, name: str, count: int, split: int, immediate: bool) -> None:
        claim = f"claim-{name}"
        if self.stage.find(ResourceClaim, claim) is None:
            mode: AllocationMode = "Immediate" if immediate else "WaitForFirstConsumer"
            # Parameters stay when the claim goes, and are those of its successor.
            self._run(self.stage.claim(claim, count=count, split=split, mode=mode))
            self.model.claims.add(claim)

    @rule(name=NAMES, claims=st.sets(NAMES, max_size=2), with_template=st.booleans())
    def create_pod(self, name: str, claims: set[str], with_template: bool) -> None:
        pod, used = f"pod-{name}", tuple(f"claim-{claim}" for claim in sorted(claims))
        if self.stage.find(Pod, pod) is None:
            templates = (TEMPLATE,) if with_template else ()
            self._run(self.stage.pod(pod, *used, templates=templates))
            self.model.pods[pod] = (*used, *templates)

    @rule(name=NAMES)
    def delete_pod(self, name: str) -> None:
        if self.model.pods.pop(f"pod-{name}", None) is not None:
            self._run(self.stage.delete(Pod, f"pod-{name}"))

    @rule(name=NAMES)
    def delete_claim(self, name: str) -> None:
        if f"claim-{name}" in self.model.claims:
            self.model.claims.remove(f"claim-{name}")
            self._run(self.stage.delete(ResourceClaim, f"claim-{name}"))

    @rule(name=NAMES)
    def strip_claim(self, name: str) -> None:
        """Also of a pod that runs: no other claim may have its devices prepared meanwhile."""
        if f"claim-{name}" in self.model.claims:
            self.model.claims.remove(f"claim-{name}")
            self._run(self.stage.strip(f"claim-{name}"))

    # --- time ---

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.05, 0.5, 5.0]))
    def let_pass(self, seconds: float) -> None:
        self._run(self._let_pass(seconds))

    async def _let_pass(self, seconds: float) -> None:
        end = self._loop.time() + seconds
        while self._loop.time() < end:
            await self.teller.kubernetes.turn()
            await asyncio.sleep(min(seconds / 4, 1))

    @rule()
    def rest(self) -> None:
        self._run(self.teller.at_rest())

    # --- what goes wrong ---

    @rule()
    def kill_controller(self) -> None:
        self._kill_controller()

    @rule()
    def kill_plugin(self) -> None:
        self._kill_plugin()

    @rule(cut=st.sampled_from(["nothing unsynced is there", "names are there without their data"]))
    def cut_power(self, cut: PowerCut) -> None:
        self._cut = cut
        self._kill_plugin()

    @rule(who=st.sampled_from([CONTROLLER, PLUGIN]), mishap=st.sampled_from(sorted(MISHAPS)), wait=st.integers(0, 5))
    def have_a_mishap(self, who: str, mishap: str, wait: int) -> None:
        self._faults.enter_context(Requests(who, wait, MISHAPS[mishap]).watched(self.stage))

    @invariant()
    def nothing_is_given_twice_or_forgotten(self) -> None:
        assert not [*self.host.forgotten, *self.host.given_twice(), *self.stage.given_twice]

    def teardown(self) -> None:
        try:
            self._run(self.teller.at_rest())
        finally:
            self._faults.close()
            self._run(self._processes.aclose())
            self._stack.close()


Lives.TestCase.settings = hypothesis.settings(examples(30, 2_000), stateful_step_count=60 if IS_SOAK else 20)
test_random_lives = Lives.TestCase
