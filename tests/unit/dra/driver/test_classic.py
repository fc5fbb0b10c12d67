"""What claims get of any driver's devices in classic DRA, and what people are told when they get nothing."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, ResourceClaim, ResourceClass
from fake_dra_driver.dra.driver import classic
from fake_dra_driver.dra.driver.device import Device, Taint
from fake_dra_driver.dra.node.health import Health
from tests.unit.dra.driver.network import DRIVER, NAMESPACE, NetworkProcess, NetworkWorld, card, modem

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> NetworkWorld:
    """One node with two cards and two modems."""
    world = NetworkWorld()
    world.node("n", card("card-0"), card("card-1"), modem("modem-0"), modem("modem-1"))
    return world


async def settled(world: NetworkWorld) -> NetworkProcess:
    """A controller that has done all that there is to do."""
    process = NetworkProcess(world)
    async with process.running():
        await process.settle()
    world.assert_sound()
    return process


# --- What claims get


async def test_what_a_claim_says_about_its_devices_is_on_record_once(world: NetworkWorld) -> None:
    claim = world.claim("c", kind="modem", count=2)
    world.run("c")
    await settled(world)
    assert world.ledger("n")[claim.uid].to_wire() == {
        "config": '{"kind":"modem"}',
        "devices": [{"name": "modem-0"}, {"name": "modem-1"}],
    }


async def test_a_node_whose_object_is_full_gets_no_more_claims(
    world: NetworkWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classic, "MAX_LEDGER_BYTES", 50)
    for name in ("a", "b"):
        world.claim(name, kind="modem")
        world.run(name)
        process = await settled(world)
    assert world.held() == {"a": {"modem-0": ""}}
    told = "(n: its NodeAllocationState is full: what claims hold and say takes 94 bytes, and there is room for 50)"
    assert all(message.endswith(told) for message in process.events.messages("InsufficientDevices"))
    assert len(process.events.messages("InsufficientDevices")) == 2


async def test_a_claim_without_parameters_gets_a_device_that_fits_the_defaults(world: NetworkWorld) -> None:
    world.claim("c")
    world.run("c")
    await settled(world)
    assert world.held() == {"c": {"card-0": "1G"}}


async def test_claims_share_a_device_as_far_as_its_capacity_goes(world: NetworkWorld) -> None:
    for name, bandwidth in (("a", "6G"), ("b", "4G"), ("c", "10G"), ("d", "1G")):
        world.claim(name, bandwidth=bandwidth)
        world.run(name)
        await settled(world)
    assert world.held() == {"a": {"card-0": "6G"}, "b": {"card-0": "4G"}, "c": {"card-1": "10G"}}


async def test_what_is_asked_for_is_rounded_up_to_what_can_be_had(world: NetworkWorld) -> None:
    world.claim("c", bandwidth="1500M")
    world.run("c")
    await settled(world)
    assert world.held() == {"c": {"card-0": "2G"}}


async def test_a_claim_gets_as_many_devices_as_it_asks_for(world: NetworkWorld) -> None:
    world.claim("c", kind="modem", count=2)
    world.claim("d", bandwidth="6G", count=2)
    world.run("c")
    world.run("d")
    await settled(world)
    assert world.held() == {"c": {"modem-0": "", "modem-1": ""}, "d": {"card-0": "6G", "card-1": "6G"}}


async def test_claims_of_a_pod_are_served_together(world: NetworkWorld) -> None:
    """The first would take the card that alone has room for the second."""
    world.publish("n", card("card-0"), card("card-1", "5G"))
    world.claim("a", bandwidth="5G")
    world.claim("b", bandwidth="6G")
    world.pod("p", ["a", "b"], selected="n")
    await settled(world)
    assert world.held() == {"a": {"card-1": "5G"}, "b": {"card-0": "6G"}}


async def test_an_immediate_claim_is_allocated_without_a_pod(world: NetworkWorld) -> None:
    world.claim("c", "Immediate", kind="modem")
    await settled(world)
    assert world.held() == {"c": {"modem-0": ""}}


async def test_the_ledger_says_what_the_node_needs(world: NetworkWorld) -> None:
    claim = world.claim("c", bandwidth="2G", count=1)
    world.run("c")
    await settled(world)
    assert world.ledger("n")[claim.uid].to_wire() == {
        "config": '{"bandwidth":"2G"}',
        "devices": [{"name": "card-0", "shared": True, "capacity": {"bandwidth": "2G"}}],
    }


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param(partial(modem, health=Health.UNHEALTHY), id="unhealthy"),
        pytest.param(partial(modem, health=Health.UNKNOWN), id="of unknown health"),
        pytest.param(lambda name: replace(modem(name), taints=(Taint("maintenance"),)), id="tainted"),
    ],
)
async def test_devices_that_are_not_healthy_get_no_new_claims(
    world: NetworkWorld, worse: Callable[[str], Device]
) -> None:
    world.claim("a", kind="modem")
    world.run("a")
    await settled(world)
    world.publish("n", worse("modem-0"), worse("modem-1"), modem("modem-2"))
    world.claim("b", kind="modem")
    world.run("b")
    await settled(world)
    assert world.held() == {"a": {"modem-0": ""}, "b": {"modem-2": ""}}


async def test_what_is_prepared_stays_taken_until_the_node_has_ended_it(world: NetworkWorld) -> None:
    """Also when its claim has gone; what the node says of a claim that is on record counts once."""
    world.publish("n", card("card-0"))
    lost = world.claim("lost", bandwidth="4G")
    world.run("lost")
    await settled(world)
    world.prepare("n", lost.uid, **{"card-0": "4G"})
    world.claim("a", bandwidth="5G")
    world.run("a")
    await settled(world)
    assert world.held()["a"] == {"card-0": "5G"}
    world.api.update(ResourceClaim, "lost", "default", {"metadata": {"finalizers": []}})
    world.api.delete(ResourceClaim, "lost", "default")
    world.claim("b", bandwidth="2G")
    world.run("b")
    process = NetworkProcess(world)
    async with process.running():
        await process.settle()
        assert "b" not in world.held()
        world.prepare("n", lost.uid)
        await process.settle()
        assert world.held()["b"] == {"card-0": "2G"}


async def test_a_record_that_others_leave_no_room_for_is_not_used(world: NetworkWorld) -> None:
    """What a stop before the status write leaves, when the card has less capacity afterwards."""
    world.publish("n", card("card-0"), card("card-1", "4G"))
    world.claim("a", bandwidth="6G")
    world.run("a")
    await settled(world)
    claim = world.claim("b", bandwidth="4G")
    world.api.update(ResourceClaim, "b", "default", {"metadata": {"finalizers": [f"{DRIVER}/deletion-protection"]}})
    world.record("n", claim.uid, **{"card-0": "4G"})
    world.publish("n", card("card-0", "8G"), card("card-1", "4G"))
    world.run("b")
    process = NetworkProcess(world)
    async with process.running():
        await process.settle()
    assert world.held() == {"a": {"card-0": "6G"}, "b": {"card-1": "4G"}}


async def test_an_entry_that_was_edited_away_is_restored_beside_other_shares(world: NetworkWorld) -> None:
    for name in "ab":
        world.claim(name, bandwidth="4G")
        world.run(name)
        await settled(world)
    uid = world.read_claim("a").uid
    world.api.update(world.layout.kind, "n", NAMESPACE, {"spec": {"allocatedClaims": {uid: None}}})
    process = await settled(world)
    assert process.events.messages("LedgerEntryRestored") == [
        "claim default/a is allocated on node n and was missing from the node's record; its devices are reserved "
        "again: card-0 (bandwidth 4G)"
    ]


# --- Claims that wait


@pytest.mark.parametrize("mode", ["WaitForFirstConsumer", "Immediate"])
@pytest.mark.parametrize("change", ["ends", "grows", "healthy", "added", "ready"])
async def test_a_claim_that_waits_goes_on(world: NetworkWorld, mode: AllocationMode, change: str) -> None:
    """When a device, or enough of one, becomes free, becomes healthy or is added, or its node becomes ready."""
    world.publish("n", card("card-0"), card("card-1", health=Health.UNHEALTHY))
    world.claim("first", bandwidth="8G")
    world.run("first")
    await settled(world)
    world.claim("second", mode, bandwidth="5G")
    if mode != "Immediate":
        world.run("second")
    process = NetworkProcess(world)
    async with process.running():
        await process.settle()
        assert "second" not in world.held()
        match change:
            case "ends":
                world.end("first")
            case "grows":
                world.publish("n", card("card-0", "13G"), card("card-1", health=Health.UNHEALTHY))
            case "healthy":
                world.publish("n", card("card-0"), card("card-1"))
            case "added":
                world.publish("n", card("card-0"), card("card-2"))
            case "ready":
                world.node("m", card("m-0"))
                world.api.update(world.layout.kind, "m", NAMESPACE, {"status": "NotReady"})
                await process.settle()
                world.api.update(world.layout.kind, "m", NAMESPACE, {"status": "Ready"})
                if mode != "Immediate":
                    world.select("pod-second", "m", ["n", "m"])
        await process.settle()
        assert "second" in world.held()
    world.assert_sound()


async def test_the_scheduler_hears_that_a_node_has_room_again(world: NetworkWorld) -> None:
    world.claim("first", kind="modem", count=2)
    world.run("first")
    world.claim("second", kind="modem")
    process = NetworkProcess(world)
    async with process.running():
        await process.settle()
        world.pod("p", ["second"], potential=["n"])
        await process.settle()
        assert refused(world, "p") == ["n"]
        world.publish("n", modem("modem-0"), modem("modem-1"), modem("modem-2"))
        await process.settle()
        assert refused(world, "p") == []


def refused(world: NetworkWorld, pod: str) -> list[str]:
    """The nodes that the driver has told the scheduler to leave out for a pod."""
    context = world.api.objects["PodSchedulingContext"][NamespacedName("default", pod)]
    return [node for entry in context["status"]["resourceClaims"] for node in entry.get("unsuitableNodes", [])]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param(
            {"kind": "modem", "count": 3},
            'asked for 3 devices with kind "modem" on one node, which no node can give now: no node has more than 2: '
            "ask for 2 at most, or add nodes that have more (n: 2 of 2 matching devices free)",
            id="too many",
        ),
        pytest.param(
            {"kind": "router"},
            'asked for 1 device with kind "router" on one node, which no node can give now: no device fits that: '
            "correct the claim's LinkConfig, or add nodes that have such devices (n: no matching device)",
            id="nothing fits",
        ),
        pytest.param(
            {"bandwidth": "11G"},
            'asked for 1 device with bandwidth "11G" on one node, which no node can give now: no device has as much '
            "capacity: ask for less in the claim's LinkConfig, or add nodes (n: no matching device; card-0 has 10G of "
            "bandwidth left; card-1 has 10G of bandwidth left)",
            id="too much",
        ),
    ],
)
async def test_a_shortage_says_what_there_is(world: NetworkWorld, spec: dict[str, object], told: str) -> None:
    world.claim("c", **spec)
    world.run("c")
    process = await settled(world)
    assert process.events.messages("InsufficientDevices") == [told] * 2


async def test_a_shortage_says_what_is_left_of_shared_devices(world: NetworkWorld) -> None:
    world.publish("n", card("card-0"))
    for name, bandwidth in (("a", "8G"), ("b", "5G")):
        world.claim(name, bandwidth=bandwidth)
        world.run(name)
        process = await settled(world)
    assert process.events.messages("InsufficientDevices")[0] == (
        'asked for 1 device with bandwidth "5G" on one node, which no node can give now: wait until devices become '
        "free (held by a), ask for less, or add nodes (n: 0 of 1 matching device free; card-0 has 2G of bandwidth left)"
    )


async def test_a_shortage_says_which_devices_are_not_healthy(world: NetworkWorld) -> None:
    world.publish("n", modem("modem-0", Health.UNHEALTHY, "no carrier"))
    world.claim("c", kind="modem")
    world.run("c")
    process = await settled(world)
    assert process.events.messages("InsufficientDevices")[0] == (
        'asked for 1 device with kind "modem" on one node, which no node can give now: no device can be used, modem-0 '
        "is unhealthy (no carrier): repair them, or add nodes (n: modem-0 is unhealthy (no carrier))"
    )


# --- What the author or the user got wrong


async def test_a_device_whose_fits_raises_fits_nothing_and_the_others_go_on(world: NetworkWorld) -> None:
    world.publish("n", modem("modem-0", broken=True), modem("modem-1"))
    world.claim("a", kind="modem")
    world.claim("b", kind="modem")
    world.run("a")
    await settled(world)
    assert world.held() == {"a": {"modem-1": ""}}
    world.run("b")
    process = await settled(world)
    assert process.events.messages("InsufficientDevices")[0] == (
        'asked for 1 device with kind "modem" on one node, which no node can give now: wait until devices become free '
        "(held by a), ask for fewer, or add nodes (n: 0 of 1 matching device free; NetworkDriver.fits(modem-0) raised "
        "ZeroDivisionError: nothing to divide by)"
    )


async def test_where_fits_raises_for_every_device_the_driver_is_to_be_corrected(world: NetworkWorld) -> None:
    world.publish("n", modem("modem-0", broken=True))
    world.claim("c", kind="modem")
    world.run("c")
    process = await settled(world)
    [message, _] = process.events.messages("InsufficientDevices")
    assert "NetworkDriver.fits(modem-0) raised ZeroDivisionError: nothing to divide by: correct the driver" in message


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param(
            {"bandwidth": "all"}, "NetworkDriver.demand() raised LookupError: how much is all?", id="demand raises"
        ),
        pytest.param({"bandwidth": "plenty"}, "NetworkDriver.demand() returned dict", id="no quantity"),
        pytest.param(
            {"colour": "red"},
            "LinkConfig default/bad is invalid: spec.colour: there is no such field, only bandwidth, count and kind",
            id="an unknown field",
        ),
        pytest.param({"kind": 7}, "spec.kind: Input should be a valid string", id="a wrong type"),
        pytest.param(
            {"kind": "x" * 5000},
            "LinkConfig default/bad says too much: what it says about devices takes 5017 bytes, at most 4096 are",
            id="too long",
        ),
        pytest.param({"count": 129}, "spec.count: Input should be less than or equal to 128", id="out of bounds"),
    ],
)
async def test_a_claim_that_cannot_be_served_is_told_why_and_the_others_go_on(
    world: NetworkWorld, spec: dict[str, object], told: str
) -> None:
    world.claim("bad", **spec)
    world.claim("good")
    world.run("bad")
    world.run("good")
    process = await settled(world)
    assert world.held() == {"good": {"card-0": "1G"}}
    assert any(told in message for message in process.events.messages("InvalidParameters"))
    world.parameters("bad", kind="modem")
    await settled(world)
    assert world.held()["bad"] == {"modem-0": ""}


async def test_a_class_has_no_parameters(world: NetworkWorld) -> None:
    reference = {"apiGroup": DRIVER, "kind": "LinkConfig", "name": "c"}
    world.api.update(ResourceClass, "link", "", {"parametersRef": reference})
    world.claim("c")
    world.run("c")
    process = await settled(world)
    assert world.held() == {}
    assert process.events.messages("InvalidParameters")[0] == (
        f"ResourceClass link names LinkConfig c as its parameters, and those of driver {DRIVER} have none: leave "
        "parametersRef out, and name the parameters in the claims"
    )
