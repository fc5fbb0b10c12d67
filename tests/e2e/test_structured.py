"""What only structured DRA has: forms of requests, opaque parameters, slices, status of devices, a rolling update."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.core import Event, Node
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.reason import INVALID_PARAMETERS, Reason
from fake_dra_driver.dra.structured.slicereason import SLICES_CORRECTED, SLICES_REMOVED, SLICES_RESTORED
from tests.e2e.app import App
from tests.e2e.driver import DRIVER_NAMESPACE, PLUGIN, Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster
from tests.e2e.objects import RunningPod
from tests.e2e.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.structured]

DAEMON_SET: Final = "daemonset/fake-dra-driver-kubeletplugin"
PREPARE_FAILED: Final = "FailedPrepareDynamicResources"
"""The kubelet's reason (pkg/kubelet/events)."""
MOST_PODS: Final = 60
"""In a rolling update, which takes less than a minute; a pod takes a second or more."""

Specs = Mapping[str, Mapping[str, object]]


@pytest.fixture
def api(driver: Driver) -> ResourceApi:
    """The kinds of the version that the cluster serves."""
    assert driver.protocol.structured is not None
    return driver.protocol.structured


@pytest.fixture
def app(
    request: pytest.FixtureRequest,
    kubectl: Kubectl,
    driver: Driver,
    api: ResourceApi,
    initial_specs: Specs,
    started: datetime,
) -> Iterator[App]:
    """A namespace of its own. Afterwards the node is as before: no claim, no file, the same slices."""
    offers = driver.offers()
    app = App(kubectl, api, request.node.originalname.removeprefix("test_").replace("_", "-")[:60])
    kubectl("create", "namespace", app.namespace)
    yield app
    app.delete()
    driver.wait_initial(initial_specs)
    assert driver.offers() == offers
    driver.check_logs(started, killed=False)


# --- Forms of requests


@pytest.mark.needs(gate="DRAPrioritizedList")
def test_first_alternative_that_there_is(app: App) -> None:
    app.start("prioritized-list")
    allocation = app.claim_of("pod0").status.allocation
    assert allocation is not None
    assert [result.request for result in allocation.devices.results] == ["fake/any-two"] * 2
    assert len(app.devices("pod0", "ctr0")) == 2


@pytest.mark.needs(gate="DRAAdminAccess")
def test_admin_access_to_every_device_beside_its_user(kubectl: Kubectl, driver: Driver, app: App) -> None:
    kubectl("label", "namespace", app.namespace, f"{v1.ADMIN_ACCESS_LABEL}=true")
    app.start("admin-access")
    (nas,) = driver.nodes()
    everything = sorted(device.fake.uuid for device in nas.spec.allocatable_device if device.fake)
    assert app.devices("monitor", "ctr0") == everything
    (used,) = app.devices("user", "ctr0")
    assert used in everything
    admin = {
        (pod, container): app.variables(pod, container).get("DRA_ADMIN_ACCESS")
        for pod, container in (("monitor", "ctr0"), ("monitor", "without"), ("user", "ctr0"))
    }
    assert admin == {("monitor", "ctr0"): "true", ("monitor", "without"): None, ("user", "ctr0"): None}
    assert set(nas.spec.allocated_claims) == {app.claim_of("user").uid}, "who looks after a device does not hold it"


def test_containers_that_have_one_of_the_requests_of_a_claim(app: App) -> None:
    app.start("several-requests")
    one, two = app.devices("pod0", "only-one"), app.devices("pod0", "only-two")
    assert (len(one), len(two)) == (1, 2)
    assert app.devices("pod0", "all") == sorted([*one, *two])


def test_init_container_and_container_share_a_claim(app: App) -> None:
    app.start("init-container")
    (device,) = app.devices("pod0", "ctr0")
    assert app.devices("pod0", "init") == [device]


@pytest.mark.needs(gate="DRAExtendedResource")
def test_devices_as_an_extended_resource(kubectl: Kubectl, api: ResourceApi, app: App) -> None:
    try:
        app.start("extended-resource")
        devices = app.devices("pod0", "ctr0")
        assert len(set(devices)) == 2
        app.delete_pod("pod0")
        wait_until("the claim that the scheduler made is gone", lambda: not app.claims(), 60)
    finally:
        kubectl.delete(api.classes, "fake-as-resource")


# --- What is said about claims


@pytest.mark.needs(gate="DRAResourceClaimDeviceStatus")
def test_claim_says_which_device_is_ready(driver: Driver, app: App) -> None:
    app.start("one-device")
    (uuid,) = app.devices("pod0", "ctr0")
    (status,) = wait_until("the claim has a device in its status", lambda: app.claim_of("pod0").status.devices, 30)
    assert status.driver == DRIVER_NAME
    assert status.pool == driver.plugin().spec.node_name
    assert status.data["uuid"] == uuid
    assert {condition.type: condition.status for condition in status.conditions or ()} == {"Ready": "True"}


def test_parameters_that_cannot_be_used(driver: Driver, api: ResourceApi, app: App) -> None:
    """Named in an Event on the claim, and by the kubelet on the pod; the other claim of the same call is prepared."""
    app.create(*app.manifests("unusable-parameters"))
    app.wait_running("other")
    assert len(app.devices("other", "ctr0")) == 2
    parameters = "spec.devices.config[0].opaque.parameters"
    for claim, path, problem in (
        ("misspelt", f"{parameters}.spec.splits", "split"),
        ("miscounted", f"{parameters}.spec.count", "must be 1"),
    ):

        def told(claim: str = claim, path: str = path, problem: str = problem) -> bool:
            said = app.messages(api.claims, claim, INVALID_PARAMETERS.name)
            assert any(path in message and problem in message for message in said), said
            return True

        wait_until(f"Event about claim {claim}", told, 30)

    def refused() -> bool:
        said = app.messages(RunningPod, "kept-waiting", PREPARE_FAILED)
        assert any(".spec.splits" in message or ".spec.count" in message for message in said), said
        return True

    wait_until("the kubelet says what the driver said", refused, 60)
    claims = {claim.key.name: claim.uid for claim in app.claims()}
    wait_until("the good claim is prepared, and no other", lambda: driver.prepared_claims() == {claims["good"]}, 30)


# --- Slices


def our_slices(kubectl: Kubectl, api: ResourceApi) -> Mapping[str, v1.ResourceSlice]:
    """By name."""
    slices = kubectl.list(api.slices)
    return {one.metadata.name: one for one in slices if one.spec.driver == DRIVER_NAME}


def delete(kubectl: Kubectl, api: ResourceApi, found: v1.ResourceSlice) -> None:
    kubectl.delete(api.slices, found.metadata.name)


def take_devices_away(kubectl: Kubectl, api: ResourceApi, found: v1.ResourceSlice) -> None:
    kubectl.patch(api.slices, found.metadata.name, {"spec": {"devices": found.to_wire()["spec"]["devices"][:1]}})


def add_a_pool(kubectl: Kubectl, api: ResourceApi, found: v1.ResourceSlice) -> None:
    wire = found.to_wire()
    pool = {"name": "foreign", "generation": 1, "resourceSliceCount": 1}
    kubectl.create({**wire, "metadata": {"name": "foreign"}, "spec": {**wire["spec"], "pool": pool}})


Damage = Callable[[Kubectl, ResourceApi, v1.ResourceSlice], None]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(delete, SLICES_RESTORED), (take_devices_away, SLICES_CORRECTED), (add_a_pool, SLICES_REMOVED)],
    ids=["deleted", "edited", "added"],
)
def test_slices_are_repaired(
    kubectl: Kubectl, driver: Driver, api: ResourceApi, started: datetime, damage: Damage, reason: Reason
) -> None:
    node = driver.plugin().spec.node_name

    def told() -> int:
        events = kubectl.list(Event, "default")
        about = [
            event
            for event in events
            if event.involved_object.kind == Node.resource.kind and event.involved_object.name == node
        ]
        return sum(event.count for event in about if event.reason == reason.name)

    offers, names, told_before = driver.offers(), set(our_slices(kubectl, api)), told()
    (found,) = our_slices(kubectl, api).values()
    damage(kubectl, api, found)
    wait_until(
        "the slices are as before",
        lambda: driver.offers() == offers and set(our_slices(kubectl, api)) == names,
        10,
    )
    wait_until("an Event about the node", lambda: told() > told_before, 30)
    assert told() == told_before + 1
    driver.check_logs(started, killed=False)


# --- Pods that come and go


@pytest.mark.needs(minor=33)
def test_rolling_update_fails_no_pod(kubectl: Kubectl, driver: Driver, app: App) -> None:
    """The kubelet takes two instances of a plugin, from 1.33 on, so that one always serves."""
    template, pod = app.manifests("one-device")
    app.create(template)
    old = driver.plugin().uid
    kubectl("rollout", "restart", DAEMON_SET, f"--namespace={DRIVER_NAMESPACE}")
    is_replaced = False
    for number in range(MOST_PODS):
        name = f"pod{number}"
        app.create({**pod, "metadata": {"name": name}})
        app.wait_running(name)
        app.delete_pod(name)
        if is_replaced:
            break
        # One more pod after that, which the new instance alone can have served.
        is_replaced = old not in {found.uid for found in driver.pods()}
    assert is_replaced, f"the old instance is still there after {MOST_PODS} pods"
    wait_until("all claims are gone", lambda: not app.claims(), 90)
    driver.wait_ready()
    assert PREPARE_FAILED not in app.reasons()


def test_pod_deleted_by_force(driver: Driver, app: App, initial_specs: Specs) -> None:
    app.start("one-device")
    app.delete_pod("pod0", now=True)
    driver.wait_initial(initial_specs)


def test_pod_deleted_by_force_while_the_plugin_hangs(
    local_cluster: LocalCluster, driver: Driver, app: App, initial_specs: Specs
) -> None:
    """The claim is gone before the plugin hears of its end, and can be read no more."""
    app.start("one-device")
    with local_cluster.stopped(driver.plugin(), PLUGIN):
        app.delete_pod("pod0", now=True)
        wait_until("the claim is gone", lambda: not app.claims(), 60)
    driver.wait_initial(initial_specs, 90)
