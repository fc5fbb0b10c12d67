"""Kills in every phase of a claim's life: the end is the same as if nothing had happened.

A phase is held, not hit by luck: while those who allocate are stopped (SIGSTOP: the controller in classic DRA, the
scheduler in structured DRA) claims stay pending, or stay half deleted; with the plugin stopped they stay allocated but
not prepared, or not yet unprepared. Then the victim is killed with SIGKILL, the phase is let go, and the demo must come
out as the quickstart says and leave nothing behind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, get_args

import pytest

from tests.e2e.demo import Demo, Outputs
from tests.e2e.driver import CONTROLLER, PLUGIN, Driver
from tests.e2e.killer import RECOVERY_SECONDS, Killer, Phase, Victim, nothing_allocated
from tests.e2e.local import LocalCluster, Process
from tests.e2e.waiting import let_pass, wait_until

# One share has each victim, each phase and each workload at least once: tests/unit/support/test_sample.py.
pytestmark = [pytest.mark.e2e, pytest.mark.sampled("kills", one_in=9)]

Workload = tuple[int, ...]
Specs = Mapping[str, Mapping[str, object]]

HANG_SECONDS: Final = 40
"""Longer than the deadline of any call of the driver; shorter than what makes the kubelet kill a container."""

WORKLOADS: Final[Sequence[Workload]] = ((1, 2, 3, 4), (5,), (6,))


def check_tests_1_to_4(outputs: Outputs) -> None:
    assert [len(uuids) for _, uuids in sorted(outputs.items())] == [1, 1, 1, 1, 1, 1, 4]
    assert outputs["test2", "pod0", "ctr0"] == outputs["test2", "pod0", "ctr1"]
    assert outputs["test3", "pod0", "ctr0"] == outputs["test3", "pod1", "ctr0"]
    assert len({uuid for uuids in outputs.values() for uuid in uuids}) == 8


def check_test_5(outputs: Outputs) -> None:
    assert [len(uuids) for uuids in outputs.values()] == [8]


def check_test_6(outputs: Outputs) -> None:
    assert [len(uuids) for uuids in outputs.values()] == [20, 20]
    assert len({uuid for uuids in outputs.values() for uuid in uuids}) == 40


CHECKS: Final[Mapping[Workload, Callable[[Outputs], None]]] = {
    (1, 2, 3, 4): check_tests_1_to_4,
    (5,): check_test_5,
    (6,): check_test_6,
}


@pytest.fixture
def leave_nothing(request: pytest.FixtureRequest, demo: Demo, driver: Driver) -> Iterator[None]:
    """Takes away what a failed test left, and gives the killed part a new pod, whose restarts are not delayed."""
    yield
    demo.delete(range(1, 7))
    demo.wait_gone(range(1, 7), RECOVERY_SECONDS)
    driver.wait_ready(RECOVERY_SECONDS)
    for part in (CONTROLLER, PLUGIN):
        if driver.part(part).restarts:
            driver.replace(part)


@pytest.mark.parametrize("phase", get_args(Phase))
@pytest.mark.parametrize("victim", get_args(Victim))
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda numbers: "tests-" + "-".join(str(n) for n in numbers))
@pytest.mark.usefixtures("leave_nothing")
def test_a_kill_changes_nothing_in_the_end(
    local_cluster: LocalCluster,
    driver: Driver,
    demo: Demo,
    initial_specs: Specs,
    started: datetime,
    victim: Victim,
    phase: Phase,
    workload: Workload,
) -> None:
    offers = driver.offers()
    killer = Killer(local_cluster, driver, victim)
    match phase:
        case "pending":
            with nothing_allocated(local_cluster, driver):
                demo.apply(workload)
                demo.wait_scheduling(workload)
                assert not any(claim.status.allocation for claim in demo.claims(workload))
                killer.strike()
        case "allocated":
            with local_cluster.stopped(driver.plugin(), PLUGIN):
                demo.apply(workload)
                demo.wait_allocated(workload)
                assert driver.prepared_claims() == set()
                killer.strike()
        case "prepared" | "deleting":
            demo.apply(workload)
    demo.wait_running(workload, RECOVERY_SECONDS)
    before = demo.check_agreement(workload)
    pods = {pod.uid for pod in demo.pods(workload)}

    match phase:
        case "pending" | "allocated":
            killer.wait_back()
        case "prepared":
            killer.strike()
            killer.wait_back()
        case "deleting":
            # In structured DRA no controller of the driver's takes part in the end of a claim.
            is_held_by_controller = victim == "controller" and driver.protocol.structured is None
            held = CONTROLLER if is_held_by_controller else PLUGIN
            with local_cluster.stopped(driver.part(held), held):
                demo.delete(workload)
                if held == CONTROLLER:
                    demo.wait_deallocating(workload)
                else:
                    demo.wait_unprepared(workload)
                killer.strike()

    if phase != "deleting":
        demo.wait_logs_served(workload)
        assert demo.check_agreement(workload) == before
        assert [(pod.uid in pods, pod.restarts) for pod in demo.pods(workload)] == [(True, 0)] * len(pods)
        CHECKS[workload](before)
        demo.delete(workload)
    demo.wait_gone(workload, RECOVERY_SECONDS)
    killer.wait_back()
    driver.wait_initial(initial_specs, RECOVERY_SECONDS)
    assert driver.offers() == offers
    driver.check_logs(started, killed=True)


@pytest.mark.classic
@pytest.mark.usefixtures("leave_nothing")
def test_controller_killed_at_its_first_write(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, initial_specs: Specs, started: datetime
) -> None:
    """The half-states of design section 2: some claims have a finalizer, some an entry in the ledger, some a status."""
    workload = (1, 2, 3, 4)
    killer = Killer(local_cluster, driver, "controller")
    demo.apply(workload)
    wait_until("first finalizer", lambda: any(claim.metadata.finalizers for claim in demo.claims(workload)), 30)
    killer.strike()
    demo.wait_running(workload, RECOVERY_SECONDS)
    CHECKS[workload](demo.check_agreement(workload))
    killer.wait_back()
    demo.delete(workload)
    demo.wait_gone(workload, RECOVERY_SECONDS)
    driver.wait_initial(initial_specs, RECOVERY_SECONDS)
    driver.check_logs(started, killed=True)


@pytest.mark.parametrize("process", ["kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager"])
@pytest.mark.usefixtures("leave_nothing")
def test_control_plane_restarted_while_pods_start_and_end(
    local_cluster: LocalCluster,
    driver: Driver,
    demo: Demo,
    initial_specs: Specs,
    started: datetime,
    process: Process,
) -> None:
    workload = (1, 2, 3, 4)
    demo.apply(workload)
    demo.wait_claims(workload)
    local_cluster.restart(process)
    demo.wait_running(workload, RECOVERY_SECONDS)
    CHECKS[workload](demo.check_agreement(workload))
    demo.delete(workload)
    local_cluster.restart(process)
    demo.wait_gone(workload, RECOVERY_SECONDS)
    driver.wait_initial(initial_specs, RECOVERY_SECONDS)
    driver.check_logs(started, killed=True)


@pytest.mark.usefixtures("leave_nothing")
def test_api_server_hangs_for_a_while(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, initial_specs: Specs, started: datetime
) -> None:
    """Not refused, not closed: connections stay open and nothing comes, which only a deadline ends."""
    workload = (1, 2, 3, 4)
    demo.apply(workload)
    with local_cluster.paused("kube-apiserver"):
        let_pass(HANG_SECONDS)
    demo.wait_running(workload, RECOVERY_SECONDS)
    CHECKS[workload](demo.check_agreement(workload))
    demo.delete(workload)
    demo.wait_gone(workload, RECOVERY_SECONDS)
    driver.wait_ready(RECOVERY_SECONDS)
    driver.wait_initial(initial_specs, RECOVERY_SECONDS)
    driver.check_logs(started, killed=True)
