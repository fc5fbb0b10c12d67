"""Which devices claims get, and how often a driver is asked on the way."""

from collections import Counter
from collections.abc import Callable

import pytest

from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.classic.allocation import Allocator
from fake_dra_driver.dra.classic.allocationresult import handle_of, make_allocation, node_of
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.listwatch import Selection
from tests.support.memory_api import MemoryApi, MemoryClient
from tests.unit.dra.classic.lockers import (
    DRIVER,
    FINALIZER,
    NAMESPACE,
    LockerDriver,
    LockerLayout,
    LockerProcess,
    LockerWorld,
    Rack,
    assert_sound,
)


@pytest.fixture
def world() -> LockerWorld:
    """Nodes n and m with three lockers each."""
    world = LockerWorld()
    world.node("n", lockers=3)
    world.node("m", lockers=3)
    return world


# --- How often the driver is asked


async def questions(world: LockerWorld, controller: str, name: str) -> tuple[Counter[str], Counter[str]]:
    """What the driver is asked in one pass before the ledger is written, and in all."""
    process = LockerProcess(world)
    process.deliver()
    process.driver.calls.clear()
    before: list[Counter[str]] = []

    async def note(verb: str, kind: str) -> None:
        if kind == "Rack":
            before.append(Counter(process.driver.calls))
            process.driver.calls["devices_of"] = 0  # what follows looks at what has become of the node

    process.client.before_write = note
    await process.pass_over(controller, name)
    [asked] = before
    return asked, process.driver.calls


async def test_a_driver_is_asked_each_question_once_for_an_allocation(world: LockerWorld) -> None:
    """What is asked for, what there is, and what of it the claim gets; then how the node is told."""
    world.claim("c")
    world.pod("p", ["c"], selected="n")
    asked, in_all = await questions(world, "podschedulingcontext", "p")
    assert asked == {"request_of": 1, "devices_of": 1, "choose": 1}
    assert world.lockers_of_claims() == {"c": ["n-0"]}
    assert (in_all["request_of"], in_all["choose"], in_all["handle_of"]) == (1, 1, 1)


async def test_devices_for_all_claims_of_a_pod_are_chosen_together(world: LockerWorld) -> None:
    world.claim("c")
    world.claim("d", lockers=2)
    world.pod("p", ["c", "d"], selected="n")
    asked, in_all = await questions(world, "podschedulingcontext", "p")
    assert asked == {"request_of": 2, "devices_of": 1, "choose": 1}
    assert world.lockers_of_claims() == {"c": ["n-0"], "d": ["n-1", "n-2"]}
    assert in_all["handle_of"] == 2


async def test_devices_for_an_immediate_claim_are_chosen_once_on_each_node(world: LockerWorld) -> None:
    world.claim("c", mode="Immediate")
    asked, _ = await questions(world, "resourceclaim", "c")
    assert asked == {"request_of": 1, "devices_of": 2, "choose": 2}


async def test_nodes_that_the_pod_did_not_select_are_not_judged_when_it_gets_its_devices(world: LockerWorld) -> None:
    world.claim("c")
    world.pod("p", ["c"], selected="n", potential=["n", "m"])
    asked, _ = await questions(world, "podschedulingcontext", "p")
    assert asked["choose"] == 1


# --- What claims have by their own word


def live(node: str | None = "n", data: str = "n-0 n-1", driver: str = DRIVER, **changes: bool) -> ResourceClaim:
    """A claim that is allocated, but for the changes."""
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    allocation = {
        "resourceHandles": [{"driverName": DRIVER, "data": data}] if data else [],
        "availableOnNodes": {"nodeSelectorTerms": terms} if node else None,
    }
    return ResourceClaim.from_wire(
        {
            "metadata": {
                "namespace": "default",
                "name": "claim",
                "uid": "uid",
                "deletionTimestamp": "2026-01-01T00:00:00Z" if changes.get("deleting") else None,
            },
            "status": {
                "driverName": driver,
                "allocation": allocation if changes.get("allocated", True) else None,
                "deallocationRequested": changes.get("deallocation_requested", False),
                "reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}] if changes.get("reserved") else [],
            },
        }
    )


@pytest.fixture
def allocator() -> Allocator[int, Rack, str, tuple[str, ...]]:
    client = MemoryClient(MemoryApi())
    racks = Informer(Rack, Selection(Rack.resource, NAMESPACE, "", ""))
    claims = Informer(ResourceClaim, Selection(ResourceClaim.resource, None, "", ""))
    return Allocator(LockerDriver(), Ledger(LockerLayout(), client, racks, NAMESPACE), claims)


BOTH = ("n", {"n-0": None, "n-1": None})


@pytest.mark.parametrize(
    ("claim", "devices"),
    [
        pytest.param(live(), BOTH, id="allocated"),
        pytest.param(live(deleting=True, reserved=True), BOTH, id="deleted, and in use"),
        pytest.param(live(deallocation_requested=True, reserved=True), BOTH, id="to be deallocated, and in use again"),
        pytest.param(live(deleting=True), None, id="deleted, and about to be released"),
        pytest.param(live(deallocation_requested=True), None, id="to be deallocated, and about to be released"),
        pytest.param(live(allocated=False), None, id="not allocated"),
        pytest.param(live(driver="other.example.com"), None, id="another driver's"),
        pytest.param(live(node=None), None, id="on an unknown node"),
        pytest.param(live(data=""), None, id="allocated by an implementation without handles"),
    ],
)
def test_devices_that_a_claims_status_names(
    allocator: Allocator[int, Rack, str, tuple[str, ...]],
    claim: ResourceClaim,
    devices: tuple[str, dict[str, None]] | None,
) -> None:
    assert allocator.claimed_devices(claim) == devices


async def test_devices_of_an_allocated_claim_without_an_entry_stay_taken_until_it_ends(world: LockerWorld) -> None:
    world.claim("c")
    world.pod("p", ["c"], selected="n")
    process = LockerProcess(world)
    process.deliver()
    await process.pass_over("podschedulingcontext", "p")
    world.update_rack("n", status={"held": None})
    world.claim("d", lockers=3)
    world.pod("q", ["d"], selected="n", potential=["n"])
    process.deliver()
    await process.pass_over("podschedulingcontext", "q")
    assert process.events.messages("InsufficientDevices")[0] == (
        "asked for 3 lockers on one node, which no node can give now: wait until devices become free (held by c), "
        "ask for fewer, or add nodes (n: 2 of 3 lockers free)"
    )
    ended = {"status": {"reservedFor": None, "deallocationRequested": True}}
    world.api.update(ResourceClaim, "c", "default", ended)
    process.deliver()
    await process.pass_over("podschedulingcontext", "q")
    assert world.lockers_of_claims()["d"] == ["n-0", "n-1", "n-2"]


# --- Records from before a stop


@pytest.mark.parametrize(
    ("recorded", "given"),
    [
        pytest.param(["n-2"], ["n-2"], id="what it asks for"),
        pytest.param(["n-1", "n-2"], ["n-0"], id="too much"),
        pytest.param(["n-7"], ["n-0"], id="what the node does not have any more"),
    ],
)
@pytest.mark.looptime
async def test_a_record_is_used_if_it_still_fits_the_claims_request(
    world: LockerWorld, recorded: list[str], given: list[str]
) -> None:
    claim = world.claim("c")
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"finalizers": [FINALIZER]}})
    world.update_rack("n", status={"held": {claim.uid: recorded}})
    world.pod("p", ["c"], selected="n")
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
    assert world.lockers_of_claims() == {"c": given}
    assert_sound(world)


# --- What people are told


def close(world: LockerWorld) -> None:
    for node in ("n", "m"):
        world.update_rack(node, spec={"isClosed": True})


def remove(world: LockerWorld) -> None:
    for node in ("n", "m"):
        world.api.delete(Rack, node, NAMESPACE)


@pytest.mark.parametrize(
    ("lockers", "change", "told"),
    [
        pytest.param(
            4,
            lambda _: None,
            "asked for 4 lockers on one node, which no node can give now: ask for fewer, or add nodes that have as "
            "many (m and n: 3 of 3 lockers free)",
            id="more than any node has",
        ),
        pytest.param(
            1,
            close,
            "asked for 1 lockers on one node, which no node can give now: wait until m or n can be used, or add nodes "
            "(m and n: the rack is closed)",
            id="closed",
        ),
        pytest.param(
            1,
            remove,
            "asked for 1 lockers on one node, and no node runs the kubelet plugin of this driver: look at its pods",
            id="no nodes",
        ),
    ],
)
async def test_a_shortage_says_what_each_node_has_and_what_can_be_done(
    world: LockerWorld, lockers: int, change: Callable[[LockerWorld], None], told: str
) -> None:
    world.claim("c", lockers=lockers, mode="Immediate")
    change(world)
    process = LockerProcess(world)
    process.deliver()
    await process.pass_over("resourceclaim", "c")
    assert process.events.messages("InsufficientDevices") == [told]


# --- Allocations


def test_an_allocation_says_its_node_and_its_handle() -> None:
    allocation = make_allocation(DRIVER, "n", "n-0 n-1")
    assert (node_of(allocation), handle_of(allocation, DRIVER)) == ("n", "n-0 n-1")
    assert allocation.shareable
    assert handle_of(allocation, "other.example.com") == ""
