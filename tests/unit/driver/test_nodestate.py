"""The node's object: who makes it, what changes of it consist of, and ``set-nas-status``."""

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.nodestate.state import NOT_READY, READY, difference, make_state, set_status
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime.errors import ConflictError, NotFoundError, Status
from tests.support.memory_api import MemoryApi, no_fault, operate
from tests.support.node import NODE, STATE, NodeClient

pytestmark = pytest.mark.looptime

LAYOUT = FakeStateLayout()
INVENTORY = (Device("A", "M"), Device("B", "N"))
PREPARED = {"uid": PreparedClaim("uid", "d", "c", (FakePreparedDevice("A", "M"), FakePreparedDevice("B-0", "N", "B")))}
SPEC: dict[str, Any] = {
    "allocatableDevice": [{"fake": {"uuid": "A", "name": "M"}}, {"fake": {"uuid": "B", "name": "N"}}],
    "preparedDevices": {"uid": {"fake": {"devices": [{"uuid": "A"}, {"uuid": "B-0", "parentUUID": "B"}]}}},
}


@pytest.fixture
def api() -> MemoryApi:
    api = MemoryApi()
    api.apply(Node(metadata=ObjectMeta(name=NODE)))
    return api


@pytest.fixture
def client(api: MemoryApi) -> NodeClient:
    return NodeClient(api)


def conflict() -> ConflictError:
    return ConflictError(Status(409, "Conflict", "changed"), "patch", NodeAllocationState.resource, STATE)


def wire(api: MemoryApi) -> dict[str, Any]:
    found = api.wire(NodeAllocationState, STATE.name, STATE.namespace)
    assert found is not None
    return found


def test_devices_that_a_claim_only_looks_at_are_not_listed_as_prepared() -> None:
    result = RequestResult("fakes", NODE, "fake-0")
    admin = RequestResult("look", NODE, "fake-1", admin_access=True)
    own, watched = FakePreparedDevice("A", "M", result=result), FakePreparedDevice("B", "N", result=admin)
    claims = {
        "both": PreparedClaim("both", "d", "both", (watched, own)),
        "monitor": PreparedClaim("monitor", "d", "monitor", (watched,)),
    }
    assert LAYOUT.spec_for(INVENTORY, claims).to_wire()["preparedDevices"] == {
        "both": {"fake": {"devices": [{"uuid": "A"}]}}
    }


# --- set-nas-status ---


@pytest.mark.parametrize("status", [READY, NOT_READY])
async def test_setting_the_status_creates_a_missing_object(api: MemoryApi, client: NodeClient, status: str) -> None:
    await set_status(client, LAYOUT, STATE, status)
    found = wire(api)
    assert (found["status"], found["spec"]) == (status, {})
    node = api.read(Node, NODE)
    assert found["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": node.uid},
    ]


async def test_status_changes_nothing_else(api: MemoryApi, client: NodeClient) -> None:
    await set_status(client, LAYOUT, STATE, NOT_READY)
    api.update(NodeAllocationState, STATE.name, STATE.namespace, {"spec": SPEC})
    client.requests()
    await set_status(client, LAYOUT, STATE, READY)
    assert (wire(api)["status"], wire(api)["spec"]) == (READY, SPEC)
    assert client.requests() == [("merge_patch", "NodeAllocationState")], "one request is enough"


async def test_status_is_set_on_an_object_that_another_client_has_just_created(
    api: MemoryApi, client: NodeClient
) -> None:
    async def other_is_faster(verb: str, kind: str) -> None:
        if verb == "create":
            client.before_write = no_fault
            await set_status(NodeClient(api), LAYOUT, STATE, READY)

    client.before_write = other_is_faster
    await set_status(client, LAYOUT, STATE, NOT_READY)
    assert wire(api)["status"] == NOT_READY


async def test_setting_the_status_is_tried_again_after_conflicts(api: MemoryApi, client: NodeClient) -> None:
    conflicts = [conflict(), conflict()]

    async def busy(verb: str, kind: str) -> None:
        if conflicts:
            raise conflicts.pop()

    client.before_write = busy
    await set_status(client, LAYOUT, STATE, READY)
    assert wire(api)["status"] == READY


async def test_setting_the_status_fails_when_conflicts_do_not_end(client: NodeClient) -> None:
    async def busy(verb: str, kind: str) -> None:
        raise conflict()

    client.before_write = busy
    with pytest.raises(ConflictError):
        await asyncio.wait_for(set_status(client, LAYOUT, STATE, READY), 5)


async def test_setting_the_status_without_a_node_is_an_error(api: MemoryApi, client: NodeClient) -> None:
    api.delete(Node, NODE)
    with pytest.raises(NotFoundError, match="nodes"):
        await set_status(client, LAYOUT, STATE, READY)


async def test_unknown_status_is_refused(api: MemoryApi, client: NodeClient) -> None:
    with pytest.raises(ValueError, match="'Broken'; use Ready or NotReady"):
        await set_status(client, LAYOUT, STATE, "Broken")
    assert client.requests() == []


async def test_an_existing_object_is_used_as_it_is(api: MemoryApi, client: NodeClient) -> None:
    await set_status(client, LAYOUT, STATE, READY)
    assert (await make_state(client, LAYOUT, STATE, NOT_READY)).status == READY


# --- what a change consists of ---


def applied(state: Mapping[str, Any], status: str = READY, *, empty: bool = False) -> dict[str, Any]:
    """The object after the change that it takes to say what the node has."""
    metadata = {"metadata": {"name": NODE, "namespace": STATE.namespace, "uid": "u"}}
    found = {**copy.deepcopy(dict(state)), **metadata}
    spec = LAYOUT.spec_for((), {}) if empty else LAYOUT.spec_for(INVENTORY, PREPARED)
    operations = difference(LAYOUT, NodeAllocationState.from_wire(found), spec, status)
    for operation in operations:
        operate(found, operation)
    assert difference(LAYOUT, NodeAllocationState.from_wire(found), spec, status) == [], "not done in one write"
    return {name: value for name, value in found.items() if name != "metadata"}


ALLOCATED = {"allocatedClaims": {"uid": {"fake": {"devices": [{"uuid": "A"}]}}}}


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"spec": {}, "status": NOT_READY}, id="as it was made"),
        pytest.param({"spec": {"allocatableDevice": SPEC["allocatableDevice"][::-1]}}, id="as the Go driver sorts"),
        pytest.param({"spec": {"preparedDevices": {"stale": {}}}, "status": READY}, id="with a stale claim"),
        pytest.param({"spec": SPEC, "status": READY}, id="as it has to be"),
    ],
)
def test_a_change_updates_the_object_to_what_the_node_has(before: dict[str, Any]) -> None:
    assert applied(before) == {"spec": SPEC, "status": READY}


def test_nothing_is_left_of_what_the_node_no_longer_has() -> None:
    assert applied({"spec": SPEC, "status": READY}, NOT_READY, empty=True) == {"spec": {}, "status": NOT_READY}


def test_what_the_controller_writes_is_left_alone() -> None:
    assert applied({"spec": {**ALLOCATED, "other": 1}}) == {"spec": {**SPEC, **ALLOCATED, "other": 1}, "status": READY}
    before = NodeAllocationState.from_wire({"metadata": {"name": NODE}, "spec": ALLOCATED})
    assert all(
        "allocatedClaims" not in op["path"]
        for op in difference(LAYOUT, before, LAYOUT.spec_for(INVENTORY, PREPARED), READY)
    )


def test_an_object_without_spec_gets_one_only_while_it_has_none() -> None:
    """Else an allocation that the controller writes at the same moment would be replaced."""
    first, *_ = difference(
        LAYOUT, NodeAllocationState.from_wire({"metadata": {"name": NODE}}), LAYOUT.spec_for(INVENTORY, {}), READY
    )
    operate({}, first)
    with pytest.raises(LookupError, match="test of /spec failed"):
        operate({"spec": ALLOCATED}, first)
