"""The drivers of ``demo/drivers``, from images and charts of their own: their pods get and lose what they ask for.

That holds when something is killed in any phase of a claim's life, while the author's code works, with two controllers,
and in a rolling update. The phases are held as in ``test_recovery_from_kills``.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, get_args

import pytest

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.dra.nodestate.kind import ClaimEntry
from fake_dra_driver.quantity import number_of
from tests.e2e.client import Manifest
from tests.e2e.driver import CONTROLLER, PLUGIN, Driver
from tests.e2e.killer import RECOVERY_SECONDS, Killer, Phase, Victim, nothing_allocated
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster
from tests.e2e.objects import RunningPod
from tests.e2e.otherdriver import CARD_LUTS, CARDS_FOLDER, OTHER_DRIVERS, OtherDriver
from tests.e2e.waiting import wait_until

# One share has both drivers, but for one in classic DRA: tests/unit/support/test_sample.py.
pytestmark = [pytest.mark.e2e, pytest.mark.sampled("other drivers", one_in=13)]

PREPARE_FAILED: Final = "FailedPrepareDynamicResources"
"""The kubelet's reason (pkg/kubelet/events)."""
MOST_ROUNDS: Final = 30
"""In a rolling update, which takes less than a minute; pods that come and go take two seconds or more."""
LUTS: Final = 300_000
"""Of each of the claims that compete for the card."""

# Their manifests are of v1, and the card is shared.
LAMP = pytest.param("lamp", marks=pytest.mark.needs(minor=34, only="structured"))
FPGA = pytest.param("fpga", marks=pytest.mark.needs(gate="DRAConsumableCapacity", only="structured"))
any_driver = pytest.mark.parametrize("other", [LAMP, FPGA], indirect=True)
only_fpga = pytest.mark.parametrize("other", [FPGA], indirect=True)

Specs = Mapping[str, Mapping[str, object]]


@pytest.fixture(scope="module")
def other(
    request: pytest.FixtureRequest, kubectl: Kubectl, local_cluster: LocalCluster, driver: Driver
) -> Iterator[OtherDriver]:
    """The driver of this name, installed. ``driver`` is there as well: no driver minds another."""
    other = OTHER_DRIVERS[request.param](kubectl, driver.protocol)
    other.install()
    yield other
    other.uninstall()


@pytest.fixture
def initial(other: OtherDriver, started: datetime) -> Iterator[Specs]:
    """``spec`` of its NodeAllocationStates, which is the same after the test; also what is in slices, and in logs."""
    for part in (CONTROLLER, PLUGIN):
        if other.part(part).restarts:  # the kubelet would wait longer and longer before it starts the container again
            other.replace(part)
    initial, offers = other.specs(), other.offers()
    other.wait_initial(initial, seconds=0)
    yield initial
    other.delete()
    other.wait_ready(RECOVERY_SECONDS)
    other.wait_initial(initial, RECOVERY_SECONDS)
    assert other.offers() == offers
    other.check_logs(started, killed=True)


@any_driver
@pytest.mark.parametrize("phase", get_args(Phase))
@pytest.mark.parametrize("victim", get_args(Victim))
def test_a_kill_changes_nothing_in_the_end(
    local_cluster: LocalCluster, other: OtherDriver, initial: Specs, victim: Victim, phase: Phase
) -> None:
    killer = Killer(local_cluster, other, victim)
    match phase:
        case "pending":
            with nothing_allocated(local_cluster, other):
                other.apply()
                claims = other.wait_scheduling()
                assert not any(claim.status.allocation for claim in claims)
                killer.strike()
        case "allocated":
            with local_cluster.stopped(other.plugin(), PLUGIN):
                other.apply()
                other.wait_allocated()
                assert other.prepared_claims() == set()
                killer.strike()
        case "prepared" | "deleting":
            other.apply()
    other.wait_running(RECOVERY_SECONDS)
    before, pods = other.check_agreement(), other.example_pods()

    match phase:
        case "prepared":
            killer.strike()
        case "deleting":
            # In structured DRA no controller of the driver's takes part in the end of a claim.
            is_held_by_controller = victim == "controller" and other.protocol.structured is None
            held = CONTROLLER if is_held_by_controller else PLUGIN
            with local_cluster.stopped(other.part(held), held):
                other.delete()
                if is_held_by_controller:
                    other.wait_deallocating()
                else:
                    other.wait_ended(local_cluster, pods)
                killer.strike()
    killer.wait_back()
    if phase != "deleting":
        assert other.check_agreement() == before
        now = [(pod.uid, pod.restarts) for pod in other.example_pods()]
        assert now == [(pod.uid, 0) for pod in pods]
        other.delete()
    other.wait_initial(initial, RECOVERY_SECONDS)


@only_fpga
def test_plugin_killed_while_the_authors_code_prepares(
    local_cluster: LocalCluster, other: OtherDriver, initial: Specs
) -> None:
    """Who opens a FIFO waits for the other end, and the driver opens a file for what is loaded for a claim."""
    killer = Killer(local_cluster, other, "plugin")
    folder, checkpoint = CARDS_FOLDER / "regions/card0", Path(other.plugin_folder()) / "checkpoint.json"
    folder.mkdir(parents=True, exist_ok=True)
    with nothing_allocated(local_cluster, other):
        other.apply()
        claims = {claim.uid: folder / f"{claim.uid}-0" for claim in other.wait_scheduling()}
        for path in claims.values():
            os.mkfifo(path)
    wait_until("a claim has begun", lambda: any(uid in checkpoint.read_text() for uid in claims), RECOVERY_SECONDS)
    for path in claims.values():
        path.unlink()
    killer.strike()
    other.wait_running(RECOVERY_SECONDS)
    killer.wait_back()
    other.check_agreement()
    other.delete()
    other.wait_initial(initial, RECOVERY_SECONDS)


# --- Two controllers


def competing(count: int) -> Sequence[Manifest]:
    """So many pods, each with a claim for a share of the card, which has not enough for all."""
    group, where = "fpga.example.com", {"name": "share", "namespace": "default"}
    parameters = {"apiVersion": f"{group}/v1alpha1", "kind": "FpgaConfig", "metadata": where, "spec": {"luts": LUTS}}
    reference = {"apiGroup": group, "kind": "FpgaConfig", "name": "share"}
    template = {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaimTemplate",
        "metadata": where,
        "spec": {"spec": {"resourceClassName": group, "parametersRef": reference}},
    }
    return [parameters, template, *(competitor(f"share-{number}") for number in range(count))]


def competitor(name: str) -> Manifest:
    """One of these pods."""
    container = {
        "name": "main",
        "image": "busybox:1.37",
        "command": ["sleep", "86400"],
        "resources": {"claims": [{"name": "card"}]},
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "resourceClaims": [{"name": "card", "source": {"resourceClaimTemplateName": "share"}}],
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def luts_of(entry: ClaimEntry) -> int:
    """How much of the card a claim holds."""
    return sum(int(number_of(device.capacity["luts"])) for device in entry.devices)


@pytest.fixture
def controllers(request: pytest.FixtureRequest, kubectl: Kubectl, other: OtherDriver) -> Iterator[Sequence[RunningPod]]:
    """Two of them; without election both allocate, which the chart refuses to install."""
    other.install(f"controller.settings.leaderElect={request.param}")
    kubectl("scale", f"deployment/{other.names.program}-controller", "--replicas=2", f"--namespace={other.namespace}")
    other.replicas = 2
    other.wait_ready(RECOVERY_SECONDS)
    yield other.controllers()
    other.replicas = 1
    other.install()


@pytest.mark.classic
@only_fpga
@pytest.mark.parametrize("controllers", ["true", "false"], ids=["one-leads", "both-allocate"], indirect=True)
def test_one_of_two_controllers_is_killed_while_claims_compete(
    kubectl: Kubectl,
    local_cluster: LocalCluster,
    other: OtherDriver,
    initial: Specs,
    controllers: Sequence[RunningPod],
) -> None:
    """Never is more of the card given away than there is, and what is left over is given to those who wait."""
    fitting = CARD_LUTS // LUTS

    def running() -> Sequence[str]:
        (state,) = other.nodes()
        held = sum(luts_of(entry) for entry in state.spec.allocated_claims.values())
        assert held <= CARD_LUTS, f"{held} of {CARD_LUTS} LUTs are given away"
        return [pod.key.name for pod in kubectl.list(RunningPod, "default") if pod.is_ready]

    def all_that_fit(but: Sequence[str] = ()) -> Sequence[str]:
        found = [name for name in running() if name not in but]
        assert len(found) == fitting, f"running: {found}"
        return found

    kubectl.create(*competing(2 * fitting))
    wait_until("first finalizer", lambda: any(claim.metadata.finalizers for claim in other.claims()), 30)
    leases = kubectl.list(Lease, other.namespace)
    leaders = [lease.spec.holder_identity or "" for lease in leases]
    victims = [pod for pod in controllers if any(leader.startswith(pod.key.name) for leader in leaders)] or controllers
    local_cluster.kill(victims[0], CONTROLLER)
    first = wait_until("as many pods run as fit", all_that_fit, RECOVERY_SECONDS)
    for name in first:
        kubectl.delete(RunningPod, name)
    wait_until("the others run", lambda: all_that_fit(first), RECOVERY_SECONDS)
    kubectl("delete", "pods,resourceclaimtemplates,fpgaconfigs", "--all", "--namespace=default")
    other.wait_initial(initial, RECOVERY_SECONDS)


# --- A rolling update


@pytest.mark.structured
@any_driver
def test_rolling_update_fails_no_pod(kubectl: Kubectl, other: OtherDriver, initial: Specs) -> None:
    """The chart surges where the kubelet takes two instances of a plugin, so that one always serves."""

    def failed() -> int:
        events = kubectl.list(Event, "default")
        return sum(event.count for event in events if event.reason == PREPARE_FAILED)

    old, failed_before = other.plugin().uid, failed()
    kubectl("rollout", "restart", f"daemonset/{other.names.program}-kubeletplugin", f"--namespace={other.namespace}")
    is_replaced = False
    for _ in range(MOST_ROUNDS):
        other.apply()
        other.wait_running()
        other.check_agreement()
        other.delete()
        other.wait_gone()
        if is_replaced:
            break
        # One more round after that, which the new instance alone can have served.
        is_replaced = old not in {pod.uid for pod in other.pods()}
    assert is_replaced, f"the old instance is still there after {MOST_ROUNDS} rounds"
    assert failed() == failed_before
    other.wait_initial(initial)
