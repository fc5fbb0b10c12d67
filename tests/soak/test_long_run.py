"""The long run on a real node: pods come and go at random, everything is killed at random, and nothing is left of it.

Needs what ``tests/e2e`` needs, and a cluster whose node is this machine (``tests.e2e.local``). SOAK_SECONDS says how
long, 600 by default, two thirds of it with kills; SOAK_SEED repeats the choices of a run, which prints its own.
"""

import os
import random
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Final, get_args

import pytest
from loguru import logger

from tests.e2e.client import ClientError
from tests.e2e.demo import Demo
from tests.e2e.driver import CONTROLLER, PLUGIN, Driver, check_ledger
from tests.e2e.killer import RECOVERY_SECONDS, Killer, Victim
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster, Process
from tests.e2e.waiting import let_pass, wait_until
from tests.soak.footprint import Footprint, footprint

pytestmark = pytest.mark.e2e

Specs = Mapping[str, Mapping[str, object]]

SECONDS: Final = float(os.environ.get("SOAK_SECONDS", "600"))
APPS: Final = (1, 2, 3, 5)
"""They fit on the node together, so that each of them has to run whenever it is there. Those of 5 are split."""
SERVER: Final[Process] = "kube-apiserver"
MOST_RESTARTS: Final = 3
"""After more of them the kubelet waits for minutes before it starts a container again: its pod is replaced."""
WARM_UP_ROUNDS: Final = 5
GROWTH_MIB: Final = 4.0
"""What an allocator may keep; a leak of one claim's objects in each round is more than that at the end."""
MOST_PYTHON_THREADS: Final = 2 + min(32, (os.cpu_count() or 1) + 4)
"""The main thread, gRPC's poller, and asyncio's pool (``concurrent.futures.ThreadPoolExecutor``) when it is full."""


class Chaos:
    """One run: what is there, and what may happen to it next."""

    def __init__(self, cluster: LocalCluster, driver: Driver, demo: Demo, rng: random.Random) -> None:
        self._cluster = cluster
        self._driver = driver
        self._demo = demo
        self._rng = rng
        self.there: set[int] = set()
        self.told: list[str] = []
        """What has happened."""

    def happen(self) -> None:
        """Something happens, and a moment passes."""
        gone = [app for app in APPS if app not in self.there]
        events: list[Callable[[], None]] = [*[self._kill] * 5, self._restart_server]
        events += [lambda: self._apply(self._rng.choice(gone))] * 4 if gone else []
        events += [lambda: self._delete(self._rng.choice(sorted(self.there)))] * 4 if self.there else []
        self._rng.choice(events)()
        let_pass(self._rng.uniform(0, 4))

    def settle(self) -> None:
        """Waits until everything that is there runs, and looks at the ledger."""
        self._driver.wait_ready(RECOVERY_SECONDS)
        self._demo.wait_running(sorted(self.there), RECOVERY_SECONDS)
        check_ledger(self._driver.nodes(), self._driver.claims())
        for part in (CONTROLLER, PLUGIN):
            if self._driver.part(part).restarts > MOST_RESTARTS:
                self._driver.replace(part)

    def _apply(self, app: int) -> None:
        self.told.append(f"apply {app}")
        # What is being deleted has to be gone: kubectl would apply to what is going.
        self._demo.wait_gone([app], RECOVERY_SECONDS)
        _do(lambda: self._demo.apply([app]))
        self.there.add(app)

    def _delete(self, app: int) -> None:
        self.told.append(f"delete {app}")
        _do(lambda: self._demo.delete([app]))
        self.there.discard(app)

    def _kill(self) -> None:
        victim: Victim = self._rng.choice(get_args(Victim))
        self.told.append(f"kill {victim}")
        killer = Killer(self._cluster, self._driver, victim)
        killer.strike()

    def _restart_server(self) -> None:
        self.told.append(f"restart {SERVER}")
        self._cluster.restart(SERVER)


def _do(act: Callable[[], None]) -> None:
    """What a person does, again until the API server has answered."""

    def done() -> bool:
        act()
        return True

    wait_until("the API server answers", done, RECOVERY_SECONDS)


def test_kills_at_random_leave_the_node_as_it_was(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, initial_specs: Specs
) -> None:
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**6))
    logger.info("A run with these choices is repeated by SOAK_SEED={}", seed)
    chaos = Chaos(local_cluster, driver, demo, random.Random(seed))
    end, rounds = time.monotonic() + SECONDS * 2 / 3, 0
    try:
        while time.monotonic() < end:
            for _ in range(5):
                try:
                    chaos.happen()
                except (ClientError, AssertionError, StopIteration, subprocess.SubprocessError) as error:
                    # The victim is on its way down or up already, or the API server is: the next event will do.
                    chaos.told.append(f"  which did not happen: {type(error).__name__}: {error}")
            chaos.settle()
            rounds += 1
    finally:
        logger.info("What has happened:\n{}", "\n".join(chaos.told))
        _do(lambda: demo.delete(APPS))
    demo.wait_gone(APPS, RECOVERY_SECONDS)
    driver.wait_ready(RECOVERY_SECONDS)
    driver.wait_initial(initial_specs, RECOVERY_SECONDS)
    assert rounds >= 2
    assert any(line.startswith("kill") for line in chaos.told)


def test_nothing_grows(
    local_cluster: LocalCluster, kubectl: Kubectl, driver: Driver, demo: Demo, initial_specs: Specs
) -> None:
    def held() -> Mapping[str, Footprint]:
        return {part: footprint(local_cluster, kubectl, driver.part(part), part) for part in (CONTROLLER, PLUGIN)}

    def live() -> None:
        demo.apply(APPS)
        demo.wait_running(APPS, RECOVERY_SECONDS)
        demo.delete(APPS)
        demo.wait_gone(APPS, RECOVERY_SECONDS)
        driver.wait_initial(initial_specs, RECOVERY_SECONDS)

    for part in (CONTROLLER, PLUGIN):
        driver.replace(part)
    for _ in range(WARM_UP_ROUNDS):
        live()
    before, end, rounds = held(), time.monotonic() + SECONDS / 3, 0
    while time.monotonic() < end or not rounds:
        live()
        rounds += 1
    after = held()
    logger.info("What is held before and after {} rounds:\n{}\n{}", rounds, before, after)
    for part, at_first in before.items():
        at_last = after[part]
        assert at_last.memory_mib <= at_first.memory_mib + GROWTH_MIB, f"{part} after {rounds} rounds: {after}"
        assert at_last.library_threads <= at_first.library_threads, f"{part} after {rounds} rounds: {after}"
        # Not against what was at first: the pool starts a thread only when more calls overlap than ever before, which a
        # busy machine may bring about late, and never ends one.
        assert at_last.python_threads <= MOST_PYTHON_THREADS, f"{part} after {rounds} rounds: {after}"
        assert at_last.tasks <= at_first.tasks, f"{part} after {rounds} rounds: {after}"
        # A connection more or less is what pools do.
        assert at_last.descriptors <= at_first.descriptors + 4, f"{part} after {rounds} rounds: {after}"
