"""Nodes without a kubelet plugin, which KWOK looks after: they have devices, and pods on them get some."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource import v1
from tests.e2e.driver import DRIVER_NAMESPACE, Driver
from tests.e2e.objects import Namespace, RunningPod
from tests.e2e.waiting import wait_until
from tests.scenarios.structured.fleet import (
    Fleet,
    KwokMachines,
    cards_of,
    fleet_pod,
    pool_template,
    profile_manifest,
)
from tests.scenarios.target import Target
from tests.support.autoscaler import Autoscaler

pytestmark = pytest.mark.sampled("scenarios of fleets", one_in=1)

SMALL, LARGE = profile_manifest("small", 2), profile_manifest("large", 8)
SECONDS = 60


@pytest.fixture(scope="module")
def kwok(target: Target, driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """KWOK at work, and two profiles, each for the nodes of a pool."""
    fleet = Fleet(target.client)
    with target.kwok(tmp_path_factory.mktemp("kwok")):
        target.client.create(SMALL, LARGE)
        yield fleet
        for profile in (SMALL, LARGE):
            target.client.delete(DeviceProfile, profile["metadata"]["name"])


@pytest.fixture
def fleet(kwok: Fleet) -> Iterator[Fleet]:
    """No nodes yet. Afterwards none are left, and nothing of them."""
    yield kwok
    kwok.remove(*kwok.names())
    kwok.wait_gone()


@pytest.fixture
def namespace(target: Target, fleet: Fleet) -> Iterator[str]:
    """Where the pods are. Afterwards they are gone, before their nodes."""
    name = f"fleet-{uuid.uuid4().hex[:6]}"
    target.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    target.client.delete(Namespace, name)
    wait_until("no claim is left", lambda: not target.client.list(v1.ResourceClaim, name), SECONDS)


def wait_running(target: Target, namespace: str, count: int) -> None:
    """Waits until so many pods run, and no more are there."""

    def run() -> bool:
        phases = Counter(pod.status.phase for pod in target.client.list(RunningPod, namespace))
        assert phases == {"Running": count}
        return True

    wait_until(f"{count} pods run", run, SECONDS)


def test_the_life_of_a_fleet(target: Target, fleet: Fleet, namespace: str) -> None:
    """Twenty nodes come with their devices, run pods with claims, get other devices, and go."""
    client = target.client
    nodes = {f"small-{number}": 2 for number in range(15)} | {f"large-{number}": 8 for number in range(5)}
    fleet.add("small", [name for name in nodes if name.startswith("small")])
    fleet.add("large", [name for name in nodes if name.startswith("large")])
    fleet.wait_devices(nodes)
    parts = client.list(RunningPod, DRIVER_NAMESPACE)
    assert not [pod.metadata.name for pod in parts if pod.spec.node_name in nodes], "no plugin runs on them"

    client.create(cards_of("small", namespace), cards_of("large", namespace, count=4))
    client.create(*(fleet_pod(f"small-{number}", namespace, "small") for number in range(10)))
    client.create(*(fleet_pod(f"large-{number}", namespace, "large") for number in range(10)))
    wait_running(target, namespace, 20)
    assert Counter(pod.spec.node_name[:5] for pod in client.list(Pod, namespace)) == {"small": 10, "large": 10}

    def is_reported() -> bool:
        claims = client.list(v1.ResourceClaim, namespace)
        prepared = {
            uid: state.metadata.name for state in fleet.states().values() for uid in state.spec.prepared_devices
        }
        for claim in claims:
            assert claim.status.allocation is not None
            held = [(each.pool, each.device) for each in claim.status.allocation.devices.results]
            assert [(each.pool, each.device) for each in claim.status.devices] == held
            assert prepared[claim.uid] == held[0][0]
        return len(prepared) == len(claims) == 20

    wait_until("what is prepared is reported", is_reported, SECONDS)

    client.patch(DeviceProfile, "small", {"spec": profile_manifest("small", 3)["spec"]})
    try:
        nodes |= {name: 3 for name in nodes if name.startswith("small")}
        fleet.wait_devices(nodes)
        fleet.remove("small-0", "large-0")
        fleet.wait_devices({name: count for name, count in nodes.items() if name not in ("small-0", "large-0")})
    finally:
        client.patch(DeviceProfile, "small", {"spec": SMALL["spec"]})

    client.delete_all(Pod, namespace)
    wait_until("no pod is left", lambda: not client.list(Pod, namespace), SECONDS)

    def is_unprepared() -> bool:
        assert not [name for name, state in fleet.states().items() if state.spec.prepared_devices]
        return not client.list(v1.ResourceClaim, namespace)

    wait_until("nothing is prepared any more", is_unprepared, SECONDS)


def test_an_autoscaler_follows_the_pods(target: Target, fleet: Fleet, namespace: str) -> None:
    """Pods wait, their pools grow by what they need, they run, and the pools shrink when they are gone."""
    client = target.client
    pools = [pool_template(SMALL, most=5), pool_template(LARGE, most=5)]
    autoscaler = Autoscaler(client, KwokMachines(fleet), pools, namespace)
    assert autoscaler.sizes() == {"small": 0, "large": 0}
    client.create(cards_of("small", namespace), cards_of("large", namespace, count=3))
    client.create(*(fleet_pod(f"small-{number}", namespace, "small") for number in range(3)))
    client.create(*(fleet_pod(f"large-{number}", namespace, "large") for number in range(5)))

    def run() -> bool:
        autoscaler.step()
        phases = Counter(pod.status.phase for pod in client.list(RunningPod, namespace))
        assert phases == {"Running": 8}
        return True

    wait_until("the pods run", run, SECONDS)
    # Two cards of a small node are for two pods, eight of a large one for two pods that want three each.
    assert autoscaler.sizes() == {"small": 2, "large": 3}

    for number in range(5):
        client.delete(Pod, f"large-{number}", namespace)

    def has_shrunk(sizes: Mapping[str, int]) -> bool:
        autoscaler.step()
        assert autoscaler.sizes() == sizes
        return True

    wait_until("the pool of large nodes is empty", lambda: has_shrunk({"small": 2, "large": 0}), SECONDS)
    assert {each.status.phase for each in client.list(RunningPod, namespace)} == {"Running"}
    client.delete_all(Pod, namespace)
    wait_until("both pools are empty", lambda: has_shrunk({"small": 0, "large": 0}), SECONDS)
    fleet.wait_gone()
