"""The quickstart, step by step, with its own commands and its own output.

The tests are the steps of one walk and run in the order in which they stand here; after a failed step the others are
not tried. Expected UUIDs are computed from the node's name; for the quickstart's own node they are also compared with
what the quickstart prints.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.device.inventory import make_inventory
from tests.e2e.demo import Demo
from tests.e2e.driver import DRIVER_NAMESPACE, Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster

pytestmark = pytest.mark.e2e

MODEL = "LATEST-FAKE-MODEL"
DEVICES_PER_NODE = 8
READY_SECONDS = 30

QUICKSTART_NODE = "fake-dra-driver-cluster-worker"
QUICKSTART_DEVICES = {
    "FAKE-b944f3e9-c628-b1dc-edb1-262aaee87362": (
        "c3d6644d-29b2-c7b6-5393-95af636f14f8",
        "b60e3cc1-54b4-1093-36b6-b8b0d59938c0",
    ),
    "FAKE-5bb9fd80-12c1-17f8-de47-7a3e76d565dc": (
        "612391cf-f75b-bd17-fb90-92b63e26f37e",
        "5151740b-00c1-88f9-0d1b-018f6d8b3986",
    ),
    "FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5": (
        "d54e4b82-88d3-5d4b-a30b-b692b3805590",
        "8e0f322e-bab9-0b81-64f1-eaf4736e2b9d",
    ),
    "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a": (
        "bcca8f6c-bacb-4aa3-dcfd-4398db24f464",
        "83fde35b-4eca-d530-17b0-390d716f4fdd",
    ),
    "FAKE-a1e41d9f-5b3a-d8f8-1b08-177352484a68": (
        "ada51adc-03ff-7b1d-3544-19d383c65050",
        "56987ca9-c08b-aa42-6aa6-fd8a86c8a133",
    ),
    "FAKE-5d25fe96-37be-6082-ae92-d398d7d7038d": (
        "2a8de7eb-9452-21e3-6d05-f450a477b5d0",
        "72c1b335-926a-17e5-9315-1e2e5a7f6624",
    ),
    "FAKE-9fe9fc83-a0ec-2e8a-8749-e1a9423947d4": (
        "f1b6fb52-bb42-7cc5-742c-ae90f97e7f70",
        "cc350b90-eca1-5076-83d0-4b6dd7cb9a9c",
    ),
    "FAKE-68cb1988-7257-2eff-4c68-f58c5ba83bd8": (
        "f53ce980-a727-5c42-8e81-88a4da5d44a2",
        "66e9f270-80d3-d369-54f4-c823390711d2",
    ),
}
"""The devices of the quickstart's node, and the children of each when it is split in two (vectors of the Go driver)."""

LOG_LOOP_OUTPUT = """\
test1:
pod0 ctr0:
export FAKE_DEVICE_0='<uuid>'
pod1 ctr0:
export FAKE_DEVICE_0='<uuid>'

test2:
pod0 ctr0:
export FAKE_DEVICE_0='<uuid>'
pod0 ctr1:
export FAKE_DEVICE_0='<uuid>'

test3:
pod0 ctr0:
export FAKE_DEVICE_0='<uuid>'
pod1 ctr0:
export FAKE_DEVICE_0='<uuid>'

test4:
pod0 ctr0:
export FAKE_DEVICE_0='<uuid>'
export FAKE_DEVICE_1='<uuid>'
export FAKE_DEVICE_2='<uuid>'
export FAKE_DEVICE_3='<uuid>'

"""

Specs = Mapping[str, Mapping[str, object]]


@pytest.fixture(scope="module", autouse=True)
def walk_started() -> datetime:
    """When the walk began."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def failed_steps() -> list[str]:
    """Names of the steps of the walk that failed."""
    return []


@pytest.fixture(autouse=True)
def in_order(request: pytest.FixtureRequest, failed_steps: list[str]) -> Iterator[None]:
    """After a failed step the next ones fail without being tried."""
    if failed_steps:
        pytest.fail(f"not tried, since the step {failed_steps[0]} failed")
    before = request.session.testsfailed
    yield
    if request.session.testsfailed > before:
        failed_steps.append(request.node.name)


@pytest.fixture(scope="module", autouse=True)
def _leave_nothing(demo: Demo, kubectl: Kubectl) -> Iterator[None]:
    """Takes away what a failed walk left, so that the other tests find the cluster as it was."""
    yield
    demo.delete(range(1, 7))
    demo.wait_gone(range(1, 7))


def described_spec(kubectl: Kubectl, node: str) -> list[str]:
    """The lines below ``Spec:`` of ``kubectl describe -n fake-system nas/<node>``, with their indentation."""
    text = kubectl("describe", "-n", DRIVER_NAMESPACE, f"nas/{node}")
    match = re.search(r"^Spec:\n((?:  .*\n)*)", text, re.MULTILINE)
    assert match is not None, text
    return match[1].splitlines()


def section(lines: list[str], heading: str) -> list[str]:
    """The lines below a heading of the spec, as deep as they are indented under it."""
    start = lines.index(f"  {heading}:") + 1
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("    ")), len(lines))
    return lines[start:end]


def test_components_are_ready(driver: Driver) -> None:
    driver.wait_ready(READY_SECONDS)
    pods = [driver.controller(), *driver.plugins().values()]
    assert [pod.restarts for pod in pods] == [0] * len(pods)
    for pod in pods:
        created, ready = pod.metadata.creation_timestamp, pod.ready_since
        assert created is not None
        assert ready is not None
        assert (ready - created).total_seconds() <= READY_SECONDS, f"{pod.key} was Ready only after {ready - created}"


def test_each_node_shows_its_devices(kubectl: Kubectl, driver: Driver, initial_specs: Specs) -> None:
    assert set(driver.plugins()) <= set(initial_specs)
    for node in driver.plugins():
        lines = described_spec(kubectl, node)
        expected = sorted(device.uuid for device in make_inventory(node, DEVICES_PER_NODE, [MODEL]))
        assert lines[0] == "  Allocatable Device:"
        assert lines[1::3] == ["    Fake:"] * DEVICES_PER_NODE
        assert lines[2::3] == [f"      Name:  {MODEL}"] * DEVICES_PER_NODE
        assert sorted(lines[3::3]) == [f"      Uuid:  {uuid}" for uuid in expected]
        if node == QUICKSTART_NODE:
            assert set(expected) == set(QUICKSTART_DEVICES)


def test_nodeallocationstate_belongs_to_its_node(kubectl: Kubectl, driver: Driver) -> None:
    for node in driver.plugins():
        nas = kubectl.get(NodeAllocationState, node, DRIVER_NAMESPACE)
        (owner,) = nas.metadata.owner_references
        assert (owner.api_version, owner.kind, owner.name) == ("v1", "Node", node)
        assert owner.uid == kubectl.get(Node, node).uid
        assert nas.status == "Ready"


def test_four_example_apps_run(demo: Demo, initial_specs: Specs) -> None:
    demo.apply([1, 2, 3, 4])
    demo.wait_running([1, 2, 3, 4])


def test_log_loop_prints_what_the_quickstart_prints(demo: Demo) -> None:
    text = demo.log_loop([1, 2, 3, 4])
    assert re.sub(r"'FAKE-[0-9a-f-]{36}'", "'<uuid>'", text) == LOG_LOOP_OUTPUT
    outputs = demo.check_agreement([1, 2, 3, 4])
    assert outputs["test2", "pod0", "ctr0"] == outputs["test2", "pod0", "ctr1"]
    assert outputs["test3", "pod0", "ctr0"] == outputs["test3", "pod1", "ctr0"]
    devices = [
        *outputs["test1", "pod0", "ctr0"],
        *outputs["test1", "pod1", "ctr0"],
        *outputs["test2", "pod0", "ctr0"],
        *outputs["test3", "pod0", "ctr0"],
        *outputs["test4", "pod0", "ctr0"],
    ]
    assert len(devices) == len(set(devices)) == DEVICES_PER_NODE


def test_describe_shows_prepared_devices(kubectl: Kubectl, driver: Driver, demo: Demo) -> None:
    shown = 0
    for node in driver.plugins():
        spec = kubectl.get(NodeAllocationState, node, DRIVER_NAMESPACE).spec
        lines = described_spec(kubectl, node)
        expected_prepared, expected_allocated = list[str](), list[str]()
        for uid in sorted(spec.prepared_devices):
            prepared, allocated = spec.prepared_devices[uid].fake, spec.allocated_claims[uid].fake
            assert prepared is not None
            assert allocated is not None
            head = [f"    {uid}:", "      Fake:", "        Devices:"]
            expected_prepared += [*head, *(f"          Uuid:  {device.uuid}" for device in prepared.devices)]
            expected_allocated += [*head, *(f"          Uuid:  {device.uuid}" for device in allocated.devices)]
            shown += 1
        if spec.prepared_devices:
            assert section(lines, "Prepared Devices") == expected_prepared
            assert section(lines, "Allocated Claims") == expected_allocated
    assert shown == len(demo.claims([1, 2, 3, 4])) == 5


def test_deleting_the_apps_gives_everything_back(driver: Driver, demo: Demo, initial_specs: Specs) -> None:
    demo.delete([1, 2, 3, 4])
    demo.wait_gone([1, 2, 3, 4])
    driver.wait_initial(initial_specs)


def test_split_devices(kubectl: Kubectl, demo: Demo) -> None:
    demo.apply([5])
    demo.wait_running([5])
    outputs = demo.check_agreement([5])
    (claim,) = demo.claims([5])
    (pod,) = demo.pods([5])
    node = pod.spec.node_name
    spec = kubectl.get(NodeAllocationState, node, DRIVER_NAMESPACE).spec
    lines = described_spec(kubectl, node)
    allocated, prepared = spec.allocated_claims[claim.uid].fake, spec.prepared_devices[claim.uid].fake
    assert allocated is not None
    assert prepared is not None
    head = [f"    {claim.uid}:", "      Fake:", "        Devices:"]
    parents = [device.uuid for device in allocated.devices]
    assert section(lines, "Allocated Claims") == [
        *head,
        *(line for uuid in parents for line in ("          Split:  2", f"          Uuid:   {uuid}")),
    ]
    assert section(lines, "Prepared Devices") == [
        *head,
        *(
            line
            for device in prepared.devices
            for line in (f"          Parent UUID:  {device.parent_uuid}", f"          Uuid:         {device.uuid}")
        ),
    ]
    assert len(set(parents)) == 4
    assert [len(uuids) for uuids in outputs.values()] == [8]
    if node == QUICKSTART_NODE:
        shown = [(device.parent_uuid, device.uuid) for device in prepared.devices]
        assert shown == [(parent, f"FAKE-{child}") for parent in parents for child in QUICKSTART_DEVICES[parent]]


def test_deleting_the_split_app_gives_everything_back(driver: Driver, demo: Demo, initial_specs: Specs) -> None:
    demo.delete([5])
    demo.wait_gone([5])
    driver.wait_initial(initial_specs)


def test_deployment_fills_the_node_with_children(demo: Demo) -> None:
    demo.apply([6])
    demo.wait_running([6])
    outputs = demo.check_agreement([6])
    assert [len(uuids) for uuids in outputs.values()] == [20, 20]
    assert len({uuid for uuids in outputs.values() for uuid in uuids}) == 40


def test_deleting_the_deployment_gives_everything_back(driver: Driver, demo: Demo, initial_specs: Specs) -> None:
    demo.delete([6])
    demo.wait_gone([6])
    driver.wait_initial(initial_specs)


def test_driver_logged_no_error(driver: Driver, walk_started: datetime) -> None:
    driver.check_logs(walk_started, killed=False)


def test_each_part_has_an_account_of_its_own_with_enough_rights(local_cluster: LocalCluster) -> None:
    accounts = local_cluster.service_accounts(DRIVER_NAMESPACE)
    assert len(accounts) == 2, f"not one for the controller and one for the plugin: {accounts}"
    assert "default" not in accounts
    local_cluster.check_nothing_forbidden(DRIVER_NAMESPACE, datetime.min.replace(tzinfo=UTC))
