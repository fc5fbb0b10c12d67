"""Pods that have to go because of the taints of their devices, and what rules say of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.controllers.devicetainteviction import device_taint_controllers
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.releases import RELEASES
from tests.support.control_plane import ControlPlane, control_plane, ref

pytestmark = pytest.mark.looptime

RELEASE = RELEASES["1.37"]
DRIVER = "driver.example.com"
KEY = "example.com/broken"
MARKED = ("DeviceTaintManagerEviction", "Marking for deletion")
CANCELLED = ("DeviceTaintManagerEviction", "Cancelling deletion")
FOR_EVER = {"key": KEY, "operator": "Exists", "effect": "NoExecute"}
A_MINUTE = {**FOR_EVER, "tolerationSeconds": 60}
HINT = "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, client, cache, events: tuple(
            device_taint_controllers(client, cache, events, RELEASE, plane.now)
        )
    }
    kinds = (Pod, v1.ResourceClaim, v1.ResourceSlice, v1.DeviceTaintRule)
    async with control_plane(make, kinds, kubernetes_version=RELEASE.name) as plane:
        yield plane


def taint(plane: ControlPlane, effect: str = "NoExecute", seconds_ago: float = 0) -> dict[str, Any]:
    at = plane.now() - timedelta(seconds=seconds_ago)
    return {"key": KEY, "effect": effect, "timeAdded": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


async def publish(plane: ControlPlane, *taints: dict[str, Any], name: str = "s", generation: int = 1) -> None:
    """A slice with one device that has these taints."""
    pool = {"name": "n1", "generation": generation, "resourceSliceCount": 1}
    devices = [{"name": "dev-0", "taints": list(taints)}]
    spec = {"driver": DRIVER, "nodeName": "n1", "pool": pool, "devices": devices}
    if plane.find(v1.ResourceSlice, ref(name, "")) is None:
        await plane.create(v1.ResourceSlice, name, spec=spec)
    else:
        await plane.patch(v1.ResourceSlice, ref(name, ""), {"spec": spec})


async def user(
    plane: ControlPlane, name: str = "p", *, device: str = "dev-0", tolerations: tuple[Any, ...] = (), **spec: Any
) -> Pod:
    """A pod on a node that uses a device through a claim of its own name."""
    entries = [{"name": "entry", "resourceClaimName": name}]
    pod = await plane.pod(name, **{"nodeName": "n1", "resourceClaims": entries, **spec})
    requests = [{"name": "req", "exactly": {"deviceClassName": "class"}}]
    await plane.create(v1.ResourceClaim, name, spec={"devices": {"requests": requests}})
    await allocate(plane, name, pod, device=device, tolerations=tolerations)
    return pod


async def allocate(
    plane: ControlPlane, claim: str, pod: Pod, *, device: str = "dev-0", tolerations: tuple[Any, ...] = ()
) -> None:
    result = {"request": "req", "driver": DRIVER, "pool": "n1", "device": device, "tolerations": list(tolerations)}
    status = {
        "allocation": {"devices": {"results": [result]}},
        "reservedFor": [{"resource": "pods", "name": pod.metadata.name, "uid": pod.uid}],
    }
    await plane.patch(v1.ResourceClaim, ref(claim), {"status": status}, "status")


async def rule(plane: ControlPlane, effect: str = "NoExecute", **selector: str) -> v1.DeviceTaintRule:
    spec = {"deviceSelector": selector, "taint": taint(plane, effect)}
    return await plane.create(v1.DeviceTaintRule, "r", spec=spec)


def condition(plane: ControlPlane) -> tuple[str, str, str]:
    """Status, reason and message of the only condition of the rule; empty: there is none yet."""
    conditions = plane.get(v1.DeviceTaintRule, ref("r", "")).status.conditions
    return next(((each.status, each.reason, each.message) for each in conditions), ("", "", ""))


async def stays(plane: ControlPlane, name: str = "p", seconds: float = 600) -> bool:
    """Whether the pod is still there, untouched, after that time."""
    await plane.pass_time(seconds)
    pod = plane.find(Pod, ref(name))
    return pod is not None and not pod.is_deleting


def is_going(plane: ControlPlane, name: str = "p") -> bool:
    pod = plane.find(Pod, ref(name))
    return pod is None or pod.is_deleting


# --- taints of slices ---


async def test_a_pod_whose_device_gets_a_taint_has_to_go(plane: ControlPlane) -> None:
    await publish(plane)
    await user(plane, terminationGracePeriodSeconds=17)
    assert await stays(plane)
    await publish(plane, taint(plane))
    await plane.until(lambda: is_going(plane))
    pod = plane.get(Pod, ref("p"))
    assert pod.metadata.to_wire()["deletionGracePeriodSeconds"] == 17
    target = pod.condition("DisruptionTarget")
    assert target is not None
    assert (target.status, target.reason) == ("True", "DeletionByDeviceTaintManager")
    assert target.message == "Device Taint manager: deleting due to NoExecute taint"
    await plane.until(lambda: plane.events("p"))
    assert plane.events("p") == [MARKED]
    [event] = [each for each in plane.list(Event) if each.involved_object.name == "p"]
    assert (event.type, event.count, event.involved_object.uid) == ("Normal", 1, pod.uid)


async def test_a_pod_that_comes_to_use_a_tainted_device_has_to_go(plane: ControlPlane) -> None:
    await publish(plane, taint(plane, seconds_ago=1000))
    await user(plane)
    await plane.until(lambda: is_going(plane))


@pytest.mark.parametrize("effect", ["NoSchedule", "None"])
async def test_other_effects_end_no_pod(plane: ControlPlane, effect: str) -> None:
    await publish(plane, taint(plane, effect))
    await user(plane)
    assert await stays(plane)


async def test_taints_of_other_devices_are_none_of_the_pods(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    await user(plane, device="dev-1")
    assert await stays(plane)


async def test_a_slice_that_is_outdated_counts_for_nothing(plane: ControlPlane) -> None:
    await publish(plane, name="new", generation=2)
    await publish(plane, taint(plane))
    await user(plane)
    assert await stays(plane)
    await plane.delete(v1.ResourceSlice, ref("new", ""))
    await plane.until(lambda: is_going(plane))


# --- which pods ---


async def test_a_pod_that_has_no_node_yet_waits_for_the_scheduler(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    await user(plane, nodeName="")
    assert await stays(plane)


async def test_a_pod_may_stay_that_may_not_use_the_claim(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    other = await plane.pod("other")
    await user(plane)
    assert not await stays(plane)
    entries = [{"name": "entry", "resourceClaimName": "c"}]
    await plane.pod("q", nodeName="n1", resourceClaims=entries)
    requests = [{"name": "req", "exactly": {"deviceClassName": "class"}}]
    await plane.create(v1.ResourceClaim, "c", spec={"devices": {"requests": requests}})
    await allocate(plane, "c", other)
    assert await stays(plane, "q")


async def test_a_claim_that_was_made_for_another_pod_is_none_of_the_pods(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    pod = await user(plane, resourceClaims=[{"name": "entry", "resourceClaimTemplateName": "t"}])
    made = [{"name": "entry", "resourceClaimName": "p"}]
    await plane.patch(Pod, pod.key, {"status": {"resourceClaimStatuses": made}}, "status")
    assert await stays(plane)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod.uid, "controller": True}
    await plane.patch(v1.ResourceClaim, ref("p"), {"metadata": {"ownerReferences": [owner]}})
    await plane.until(lambda: is_going(plane))


async def test_a_claim_for_extended_resources_counts(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    pod = await user(plane, resourceClaims=[])
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod.uid, "controller": True}
    await plane.patch(v1.ResourceClaim, ref("p"), {"metadata": {"ownerReferences": [owner]}})
    assert await stays(plane)
    status = {"extendedResourceClaimStatus": {"resourceClaimName": "p", "requestMappings": []}}
    await plane.patch(Pod, pod.key, {"status": status}, "status")
    await plane.until(lambda: is_going(plane))


# --- tolerations ---


async def test_a_pod_that_tolerates_the_taint_stays(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    await user(plane, tolerations=(FOR_EVER, A_MINUTE))
    assert await stays(plane)


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": KEY, "operator": "Exists"},
        {"operator": "Exists"},
        {**FOR_EVER, "key": "other"},
        {**FOR_EVER, "operator": "Equal", "value": "other"},
        {**FOR_EVER, "effect": "NoSchedule"},
    ],
    ids=["no effect", "no effect and no key", "key", "value", "effect"],
)
async def test_a_toleration_that_does_not_match_keeps_no_pod(plane: ControlPlane, toleration: dict[str, Any]) -> None:
    """One that names no effect matches for the scheduler, and does not here."""
    await publish(plane, taint(plane))
    await user(plane, tolerations=(toleration,))
    await plane.until(lambda: is_going(plane))


async def test_the_shortest_time_is_counted_from_that_of_the_taint(plane: ControlPlane) -> None:
    await publish(plane, taint(plane, seconds_ago=20))
    began = plane.seconds()
    await user(plane, tolerations=({**A_MINUTE, "tolerationSeconds": 300}, A_MINUTE))
    await plane.until(lambda: is_going(plane))
    assert 38 <= plane.seconds() - began <= 41


async def test_a_time_beyond_all_times_is_for_ever(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    await user(plane, tolerations=({**A_MINUTE, "tolerationSeconds": 2**62},))
    assert await stays(plane)


async def test_the_earliest_of_several_taints_decides(plane: ControlPlane) -> None:
    other = {**taint(plane, seconds_ago=30), "key": "example.com/hot"}
    await publish(plane, taint(plane), other)
    began = plane.seconds()
    await user(plane, tolerations=(A_MINUTE, {**A_MINUTE, "key": "example.com/hot"}))
    await plane.until(lambda: is_going(plane))
    assert 28 <= plane.seconds() - began <= 31


async def test_a_taint_that_goes_in_time_is_forgotten(plane: ControlPlane) -> None:
    await publish(plane, taint(plane))
    await user(plane, tolerations=(A_MINUTE,))
    await plane.pass_time(30)
    await publish(plane)
    await plane.until(lambda: plane.events("p"))
    assert plane.events("p") == [CANCELLED]
    assert await stays(plane)
    assert plane.get(Pod, ref("p")).condition("DisruptionTarget") is None


# --- rules ---


async def test_a_rule_taints_devices_that_no_slice_has(plane: ControlPlane) -> None:
    await user(plane)
    await rule(plane, driver=DRIVER, pool="n1", device="dev-0")
    await plane.until(lambda: is_going(plane))


async def test_a_rule_that_is_about_other_devices_ends_no_pod(plane: ControlPlane) -> None:
    await user(plane)
    await rule(plane, device="dev-1")
    assert await stays(plane)
    assert condition(plane) == ("False", "NotStarted", "")


async def test_a_rule_that_goes_in_time_is_forgotten(plane: ControlPlane) -> None:
    await user(plane, tolerations=(A_MINUTE,))
    await rule(plane)
    await plane.pass_time(30)
    await plane.delete(v1.DeviceTaintRule, ref("r", ""))
    await plane.until(lambda: plane.events("p") == [CANCELLED])
    assert await stays(plane)


async def test_a_rule_tells_of_the_pods_that_have_to_go(plane: ControlPlane) -> None:
    await user(plane, tolerations=(A_MINUTE,))
    await user(plane, "q", tolerations=(A_MINUTE,))
    created = await rule(plane)
    await plane.until(lambda: condition(plane)[0])
    assert condition(plane) == ("True", "PodsPendingEviction", "2 pods need to be evicted in 1 namespace.")
    [first] = plane.get(v1.DeviceTaintRule, created.key).status.conditions
    assert (first.type, first.observed_generation) == ("EvictionInProgress", 1)
    await plane.delete(Pod, ref("q"), grace_period_seconds=0)
    await plane.until(lambda: is_going(plane))
    await plane.until(lambda: condition(plane)[1] == "Completed")
    assert condition(plane) == ("False", "Completed", "1 pod evicted since starting the controller.")


async def test_a_rule_is_written_at_most_every_ten_seconds(plane: ControlPlane) -> None:
    seen: list[float] = []
    plane.cache.informer(v1.DeviceTaintRule).subscribe(lambda _: seen.append(plane.seconds()))
    await rule(plane)
    await plane.until(lambda: condition(plane)[0])
    for number in range(30):
        await user(plane, f"p{number}")
        await plane.pass_time(1)
    await plane.pass_time(60)
    assert condition(plane) == ("False", "Completed", "30 pods evicted since starting the controller.")
    written = seen[1:]
    assert 3 <= len(written) <= 6
    assert all(later - earlier >= 9 for earlier, later in pairwise(written))


async def test_a_rule_without_effect_tells_what_it_would_do(plane: ControlPlane) -> None:
    await publish(plane)
    await user(plane)
    await user(plane, "q", device="dev-1")
    await user(plane, "tolerant", tolerations=(FOR_EVER,))
    await rule(plane, "None", driver=DRIVER)
    await plane.until(lambda: condition(plane)[0])
    assert condition(plane) == (
        "False",
        "NoEffect",
        "1 published device selected. 3 allocated devices selected. 2 pods would be evicted in 1 namespace if the "
        f"effect was NoExecute. {HINT}",
    )
    assert await stays(plane)
    await plane.patch(v1.DeviceTaintRule, ref("r", ""), {"spec": {"taint": {"effect": "NoExecute"}}})
    await plane.until(lambda: is_going(plane) and is_going(plane, "q"))
    await plane.until(lambda: condition(plane)[1] == "Completed")
    assert condition(plane)[2] == "2 pods evicted since starting the controller."


async def test_a_rule_of_another_effect_says_that_nothing_is_evicted(plane: ControlPlane) -> None:
    await rule(plane, "NoSchedule")
    await plane.until(lambda: condition(plane)[0])
    assert condition(plane) == ("False", "OtherEffect", "Eviction only happens for the NoExecute effect.")
