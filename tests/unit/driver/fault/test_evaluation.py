"""What DeviceFaults do to a node."""

from datetime import timedelta
from typing import Any

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra import Health
from fake_dra_driver.driver.fault.effects import NO_FAULTS, BindingFault, CallFault, HealthFault
from fake_dra_driver.driver.fault.evaluation import FaultHit, effects_of
from tests.unit.driver.fault.nodes import START, device, fault, place

SECOND = timedelta(seconds=1)
GPU_1 = {"devices": ["gpu-1"]}


def test_without_faults_nothing_is_wrong() -> None:
    result = effects_of([], place(), START)
    assert (result.effects, result.hits, result.next_change) == (NO_FAULTS, {}, None)


def test_each_effect_hits_the_devices_that_are_meant() -> None:
    effects = {
        "health": {"state": "Unhealthy", "message": "too hot"},
        "taint": {"key": "example.com/hot", "value": "yes", "effect": "NoExecute"},
        "vanish": True,
        "prepare": {"fail": {"times": 2, "message": "no answer"}, "delaySeconds": 1.5},
        "unprepare": {"delaySeconds": 2},
        "binding": {"failure": "no link", "delaySeconds": 3},
        "slicesLost": True,
        "deregister": True,
    }
    result = effects_of([fault(effects, target=GPU_1)], place(), START)
    found = result.effects
    assert found.health == {"gpu-1": HealthFault(Health.UNHEALTHY, "too hot")}
    assert found.taints == {"gpu-1": (v1.DeviceTaint(key="example.com/hot", value="yes", effect="NoExecute"),)}
    assert found.vanished == {"gpu-1"}
    assert found.prepare == {"gpu-1": (CallFault("broken", UID("uid-of-broken"), "no answer", 2, 1.5),)}
    assert found.unprepare == {"gpu-1": (CallFault("broken", UID("uid-of-broken"), delay_seconds=2),)}
    assert found.binding == {"gpu-1": BindingFault("broken", 3, "no link")}
    assert found.slices_lost
    assert found.deregistered
    assert result.hits == {"broken": FaultHit(("gpu-1",), whole_node=True)}
    assert result.next_change is None


def test_a_fault_of_another_driver_is_none_of_ours() -> None:
    other = fault({"vanish": True}, driverName="other.example.com")
    assert effects_of([other], place(), START).hits == {}


def test_a_fault_that_matches_no_device_does_nothing() -> None:
    absent = fault({"vanish": True, "slicesLost": True}, target={"devices": ["gpu-9"]})
    result = effects_of([absent], place(), START)
    assert result.effects == NO_FAULTS
    assert result.hits == {"broken": FaultHit()}


def test_a_node_without_devices_can_lose_its_plugin() -> None:
    where = place(device(0))
    empty = type(where)(type(where.node)(where.node.node, where.node.profile, ()), where.driver)
    assert effects_of([fault({"deregister": True})], empty, START).effects.deregistered


def test_a_fault_ends_when_its_duration_is_over() -> None:
    short = fault({"vanish": True}, duration="1m30s")
    before = effects_of([short], place(), START + 89 * SECOND)
    assert before.effects.vanished
    assert before.next_change == START + 90 * SECOND
    after = effects_of([short], place(), START + 90 * SECOND)
    assert (after.effects, after.hits, after.next_change) == (NO_FAULTS, {}, None)


def test_a_clock_that_is_behind_sees_the_fault() -> None:
    assert effects_of([fault({"vanish": True}, duration="1m")], place(), START - 3600 * SECOND).effects.vanished


def test_the_worse_of_two_healths_is_told() -> None:
    older = fault({"health": {"state": "Unknown", "message": "silent"}}, name="z")
    newer = fault({"health": {"state": "Unhealthy", "message": "dead"}}, name="a", start=START + SECOND)
    newest = fault({"health": {"state": "Unhealthy", "message": "burnt"}}, name="b", start=START + 2 * SECOND)
    result = effects_of([newest, newer, older], place(device(0)), START + 5 * SECOND)
    assert result.effects.health == {"gpu-0": HealthFault(Health.UNHEALTHY, "dead")}


def test_a_health_without_words_names_the_fault() -> None:
    result = effects_of([fault({"health": {}})], place(device(0)), START)
    assert result.effects.health == {"gpu-0": HealthFault(Health.UNHEALTHY, "DeviceFault broken")}


def test_a_taint_that_two_faults_set_is_there_once() -> None:
    faults = [fault({"taint": {"key": "example.com/hot", "value": name}}, name=name) for name in ("b", "a")]
    faults.append(fault({"taint": {"key": "example.com/hot", "effect": "NoExecute"}}, name="c"))
    taints = effects_of(faults, place(device(0)), START).effects.taints["gpu-0"]
    assert [(taint.value, taint.effect) for taint in taints] == [("a", "NoSchedule"), ("", "NoExecute")]


def test_calls_of_one_claim_fail_before_it_has_a_device() -> None:
    claim = {"namespace": "default", "name": "mine"}
    result = effects_of([fault({"prepare": {"fail": {}}}, target={"claim": claim})], place(device(0)), START)
    (call,) = result.effects.prepare["gpu-0"]
    assert call.claim == NamespacedName("default", "mine")
    assert call.message == "the device does not answer"
    assert result.hits == {"broken": FaultHit()}


def test_a_claim_whose_calls_fail_is_hit_before_it_has_a_device() -> None:
    mine = NamespacedName("default", "mine")
    fields: dict[str, Any] = {
        "target": {"claim": {"namespace": "default", "name": "mine"}, "devices": ["gpu-1"]},
        "effects": {"prepare": {"fail": {}}, "vanish": True},
    }
    where = place(callers={"gpu-1": {mine}, "gpu-2": {mine}, "gpu-3": {NamespacedName("default", "other")}})
    result = effects_of([fault(**fields)], where, START)
    assert result.hits == {"broken": FaultHit(("gpu-1",))}
    assert result.effects.vanished == frozenset()


def test_chance_makes_each_device_fail_on_its_own() -> None:
    chance = {"seed": 1, "meanTimeBetweenFailures": "60s", "meanTimeToRepair": "60s"}
    chaos = fault({"vanish": True}, random=chance)
    seen, now = set(), START
    for _ in range(200):
        result = effects_of([chaos], place(), now)
        assert result.effects.vanished == frozenset(result.hits["broken"].devices)
        seen.add(result.effects.vanished)
        assert result.next_change is not None
        assert result.next_change > now
        now = result.next_change
    assert len(seen) == 16
