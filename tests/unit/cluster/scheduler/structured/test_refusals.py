"""Why a pod is not scheduled, in the words of each release, and when it is tried again."""

import pytest

from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.kinds import Node
from tests.support.control_plane import ref
from tests.unit.cluster.scheduler.structured.conftest import World, world_of

pytestmark = pytest.mark.looptime

UNHELPFUL = "preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."


@pytest.mark.parametrize(
    ("version", "note"),
    [("1.32", "still not schedulable, "), ("1.34", "still not schedulable, "), ("1.37", "")],
)
async def test_no_node_has_the_devices(version: str, note: str) -> None:
    async with world_of(version, ("node-a", "node-b")) as world:
        await world.plane.patch(Node, ref("node-b", ""), {"spec": {"unschedulable": True}})
        await world.claim("c")
        await world.pod("p", "c")
        condition = await world.until_refused("p")
        why = "0/2 nodes are available: 1 cannot allocate all claims, 1 node(s) were unschedulable. "
        assert (condition.status, condition.reason) == ("False", "Unschedulable")
        assert condition.message == why + note + UNHELPFUL.format(n=2)
        await world.plane.until(lambda: world.plane.events("p"))
        assert world.plane.events("p") == [("FailedScheduling", condition.message)]


@pytest.mark.parametrize(
    ("version", "note"),
    [("1.34", "no new claims to deallocate, "), ("1.37", "")],
)
async def test_there_is_no_such_class(version: str, note: str) -> None:
    async with world_of(version) as world:
        await world.publish("node-a", "dev-0")
        await world.claim("c", {"name": "gpu", "exactly": {"deviceClassName": "missing"}})
        await world.pod("p", "c")
        condition = await world.until_refused("p")
        why = "0/1 nodes are available: request gpu: device class missing does not exist. "
        assert condition.message == why + note + UNHELPFUL.format(n=1)
        await world.device_class("missing")
        assert await world.until_bound("p") == "node-a"


async def test_a_class_of_an_alternative_is_missing(world: World) -> None:
    alternatives = [{"name": "first", "deviceClassName": "class"}, {"name": "second", "deviceClassName": "missing"}]
    await world.claim("c", {"name": "gpu", "firstAvailable": alternatives})
    await world.pod("p", "c")
    condition = await world.until_refused("p")
    assert "available: request gpu/second: device class missing does not exist. " in condition.message


async def test_an_allocated_claim_cannot_be_used_on_the_node() -> None:
    async with world_of("1.37", ("node-a", "node-b")) as world:
        await world.publish("node-b", "dev-0")
        await world.claim("c")
        await world.pod("first", "c")
        await world.until_bound("first")
        await world.pod("second", "c", nodeSelector={"kubernetes.io/hostname": "nowhere"})
        await world.pod("third", "c", tolerations=[])
        assert await world.until_bound("third") == "node-b"
        await world.plane.patch(Node, ref("node-b", ""), {"spec": {"unschedulable": True}})
        await world.pod("fourth", "c")
        condition = await world.until_refused("fourth")
        assert condition.message.startswith(
            "0/2 nodes are available: 1 node(s) were unschedulable, 1 resourceclaim not available on the node. "
        )


async def test_a_claim_that_no_other_pod_uses_is_deallocated_for_a_pod_that_cannot_go_there() -> None:
    async with world_of("1.37", ("node-a", "node-b")) as world:
        await world.publish("node-a", "dev-0")
        await world.publish("node-b", "dev-0")
        await world.claim("c")
        first = await world.pod("first", "c")
        assert await world.until_bound("first") == "node-a"
        await world.plane.patch(Node, ref("node-a", ""), {"spec": {"unschedulable": True}})
        # As the claim controller leaves it, had the claim been allocated for good.
        await world.plane.delete(type(first), first.key, grace_period_seconds=0)
        await world.plane.patch(world.api.claims, ref("c"), {"status": {"reservedFor": None}}, "status")
        await world.pod("second", "c")
        assert await world.until_bound("second") == "node-b"
        (_, said), *_ = [each for each in world.plane.events("second") if each[0] == "FailedScheduling"]
        assert said.startswith("0/2 nodes are available: 1 node(s) were unschedulable, 1 resourceclaim not available")
        assert ". deallocation of ResourceClaim completed, preemption: 0/2 nodes are available: " in said


async def test_a_pod_is_tried_again_when_devices_come(world: World) -> None:
    await world.claim("c")
    await world.pod("p", "c")
    await world.until_refused("p")
    await world.plane.pass_time(60)
    assert world.plane.attempts("p") == 1
    await world.publish("node-a", "dev-0")
    before = world.plane.seconds()
    await world.until_bound("p")
    assert world.plane.seconds() - before < 1


async def test_a_pod_is_tried_again_when_devices_are_free(world: World) -> None:
    await world.publish("node-a", "dev-0")
    await world.claim("first")
    await world.claim("second")
    first = await world.pod("one", "first")
    await world.until_bound("one")
    await world.pod("two", "second")
    await world.until_refused("two")
    await world.plane.delete(type(first), first.key, grace_period_seconds=0)
    await world.plane.patch(world.api.claims, ref("first"), {"status": None}, "status")
    assert await world.until_bound("two") == "node-a"


@pytest.mark.parametrize(("version", "at_least"), [("1.32", 2), ("1.37", 0)])
async def test_before_1_33_the_backoff_is_waited_out_even_if_there_is_nothing_else_to_do(
    version: str, at_least: float
) -> None:
    async with world_of(version) as world:
        await world.claim("c", {"name": "req", "exactly": {"deviceClassName": "class", "count": 3}})
        await world.pod("p", "c")
        await world.until_refused("p")
        await world.publish("node-a", "dev-0")
        await world.plane.until(lambda: world.plane.attempts("p") == 2)
        before = world.plane.seconds()
        device = [{"name": f"dev-{number}"} for number in range(3)]
        await world.plane.patch(world.api.slices, ref("node-a-1", ""), {"spec": {"devices": device}})
        await world.until_bound("p")
        assert at_least <= world.plane.seconds() - before < at_least + 1


async def test_what_a_claim_asks_for_cannot_be_handled(world: World) -> None:
    names = [f"dev-{number}" for number in range(40)]
    await world.publish("node-a", *names)
    await world.claim("c", {"name": "req", "exactly": {"deviceClassName": "class", "count": 33}})
    await world.pod("p", "c")
    condition = await world.until_refused("p")
    assert condition.reason == "SchedulerError"
    assert condition.message.startswith('running "DynamicResources" filter plugin: claim default/c')
    await world.plane.pass_time(20)
    assert 3 <= world.plane.attempts("p") <= 5


async def test_a_claim_has_as_many_pods_as_the_api_server_takes(world: World) -> None:
    await world.publish("node-a", "dev-0")
    await world.claim("c")
    await world.pod("first", "c")
    await world.until_bound("first")
    others = [{"resource": "pods", "name": f"other-{number}", "uid": f"uid-{number}"} for number in range(256)]
    await world.plane.patch(world.api.claims, ref("c"), {"status": {"reservedFor": others}}, "status")
    await world.pod("p", "c")
    condition = await world.until_refused("p")
    assert condition.message == (
        'running PreBind plugin "DynamicResources": add reservation to claim default/c: ResourceClaim.resource.k8s.io'
        ' "c" is invalid: status.reservedFor: Too many: 257: must have at most 256 items'
    )


async def test_pods_that_are_alike_are_refused_alike_until_something_may_help(world: World) -> None:
    await world.publish("node-a", "dev-0")
    for name in ("one", "two", "three"):
        await world.claim(name)
    await world.pod("one", "one")
    await world.until_bound("one")
    await world.pod("two", "two")
    await world.pod("three", "three")
    refused = [(await world.until_refused(name)).message for name in ("two", "three")]
    assert refused[0] == refused[1]
    more = [{"name": f"dev-{number}"} for number in range(3)]
    await world.plane.patch(world.api.slices, ref("node-a-1", ""), {"spec": {"devices": more}})
    assert [await world.until_bound(name) for name in ("two", "three")] == ["node-a", "node-a"]


async def test_devices_of_a_claim_that_could_not_be_written_are_offered_again(world: World) -> None:
    await world.publish("node-a", "dev-0")
    await world.claim("one")
    await world.claim("two")
    # The write takes long enough for the other pod to be refused meanwhile, and fails then.
    slow = on(Fault.slow(5), verb="update", resource="resourceclaims", subresource="status", times=1)
    with world.plane.server.faults.injected(slow):
        await world.pod("one", "one")
        await world.pod("two", "two")
        await world.until_refused("two")
        await world.plane.delete(world.api.claims, ref("one"))
    await world.until_refused("one")
    assert await world.until_bound("two") == "node-a"


@pytest.mark.parametrize(("version", "said"), [("1.32", " {team: ml}"), ("1.34", "(s)"), ("1.37", "(s)")])
async def test_a_taint_is_told_in_the_words_of_the_release(version: str, said: str) -> None:
    async with world_of(version) as world:
        taint = {"key": "team", "value": "ml", "effect": "NoSchedule"}
        await world.plane.patch(Node, ref("node-a", ""), {"spec": {"taints": [taint]}})
        await world.pod("p")
        await world.plane.until(lambda: world.plane.events("p"))
        [(_, text)] = world.plane.events("p")
        assert text.startswith(f"0/1 nodes are available: 1 node(s) had untolerated taint{said}. ")
