"""Why a pod waits, beyond the cases of ``tests.support.whycases``: what the report holds for programs."""

from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Namespace, Pod
from fake_dra_driver.why.build import explain
from fake_dra_driver.why.report import NodeGroup, Report
from fake_dra_driver.why.subject import Found
from tests.support.whycases import (
    NAMESPACE,
    POD,
    Wire,
    allocated,
    class_of,
    device,
    node_of,
    pending_claim,
    pod_of,
    request_for,
    slice_of,
)
from tests.unit.why.world import explained, served, snapshot_of

DRIVER = "gpu.example.com"
CLASS = class_of(DRIVER, f'device.driver == "{DRIVER}"')
MODEL = f'device.attributes["{DRIVER}"].model'


def gpus(node: str, count: int = 1, **fields: Any) -> Wire:
    """A slice with so many equal devices."""
    return slice_of(DRIVER, node, *(device(f"gpu-{index}", **fields) for index in range(count)))


def claim(*requests: Wire, name: str = "gpu", **fields: Any) -> Wire:
    return pending_claim(name, *(requests or (request_for("main", DRIVER),)), **fields)


def group_of(report: Report, node: str) -> NodeGroup:
    return next(each for each in report.nodes if node in each.names)


def changes(report: Report) -> list[str]:
    return [each.change for each in report.suggestions]


# --- Nodes -------------------------------------------------------------------------------------------------------


def test_equal_nodes_are_one_group_whoever_has_their_devices() -> None:
    nodes = [f"worker-{index}" for index in range(12)]
    holders = [allocated(claim(name=f"c-{node}"), f"p-{node}", DRIVER, node, "gpu-0") for node in nodes]
    report = explained([*map(node_of, nodes), *map(gpus, nodes), CLASS, *holders, claim(), pod_of("gpu")])
    (group,) = report.nodes
    assert group.names == tuple(nodes)
    assert group.requests[0].devices[0].problems[0].holders[0].name == "c-worker-0"
    report = explained(
        [*map(node_of, nodes), *map(gpus, nodes), CLASS, *holders, claim(), pod_of("gpu")], each_node=True
    )
    assert [group.names for group in report.nodes] == [(node,) for node in nodes]


def test_nodes_that_lack_least_come_first() -> None:
    objects = [
        node_of("a", taints=[{"key": "x", "effect": "NoSchedule"}]),
        node_of("b"),
        node_of("c", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]),
        gpus("a", model="A100"),
        gpus("b", model="A100"),
        gpus("c", model="H100"),
        CLASS,
        claim(request_for("main", DRIVER, f'{MODEL} == "H100"')),
        pod_of("gpu"),
    ]
    report = explained(objects)
    assert [group.names for group in report.nodes] == [("b",), ("c",), ("a",)]
    assert report.message == "pod train waits: node c has what it asks for, and cannot take it: it is cordoned " + (
        "(SchedulingDisabled)"
    )
    assert [(each.change, each.nodes, each.verified) for each in report.suggestions] == [
        ("Uncordon", ("c",), True),
        ("ChangeSelector", ("b",), True),
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"nodeSelector": {"zone": "b"}}, "the pod's nodeSelector wants zone=b, and the node has zone=a"),
        ({"nodeSelector": {"rack": "1"}}, "the pod's nodeSelector wants rack=1, and the node has no label rack"),
        (
            {"affinity": [[{"key": "zone", "operator": "In", "values": ["b", "c"]}]]},
            "the pod's node affinity wants zone In [b, c]",
        ),
        (
            {"affinity": [[{"key": "rack", "operator": "Exists"}], [{"key": "zone", "operator": "DoesNotExist"}]]},
            "none of the 2 terms of the pod's node affinity holds for it",
        ),
    ],
)
def test_what_the_pod_wants_of_nodes_is_said_with_what_they_have(spec: dict[str, Any], message: str) -> None:
    if "affinity" in spec:
        terms = [{"matchExpressions": each} for each in spec["affinity"]]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        spec = {"affinity": {"nodeAffinity": required}}
    node = node_of("a")
    node["metadata"]["labels"] = {"zone": "a"}
    report = explained([node, gpus("a"), CLASS, claim(), pod_of("gpu", **spec)])
    (group,) = report.nodes
    assert [(each.reason, each.message) for each in group.problems] == [("NodeAffinity", message)]
    assert group.has_devices
    assert not group.fits
    assert changes(report) == ["ChangeAffinity"]


def test_the_node_that_the_pod_wants_is_the_one_that_the_answer_is_about() -> None:
    nodes = [node_of("a"), node_of("b"), node_of("c", unschedulable=True)]
    for node in nodes:
        node["metadata"]["labels"] = {"host": node["metadata"]["name"]}
    slices = [gpus(each) for each in "abc"]
    report = explained([*nodes, *slices, CLASS, claim(), pod_of("gpu", nodeSelector={"host": "c"})])
    assert report.message == (
        "pod train waits: node c has what it asks for, and cannot take it: it is cordoned (SchedulingDisabled); 2 "
        "other nodes have it too, and cannot take it for other reasons"
    )
    assert [(each.change, each.nodes) for each in report.suggestions] == [
        ("Uncordon", ("c",)),
        ("ChangeAffinity", ("a", "b")),
    ]


def test_the_smallest_change_comes_first() -> None:
    objects = [
        node_of("a", unschedulable=True, taints=[{"key": "x", "effect": "NoSchedule"}]),
        gpus("a", 8),
        node_of("b"),
        gpus("b", 2),
        node_of("c"),
        gpus("c", 7),
        CLASS,
        claim(request_for("main", DRIVER, count=8)),
        pod_of("gpu"),
    ]
    assert [(each.message, each.nodes, each.steps) for each in explained(objects).suggestions] == [
        ("ask for 7 devices in request main of claim gpu instead of 8", ("c",), 1),
        ("ask for 2 devices in request main of claim gpu instead of 8", ("b",), 1),
        ("kubectl uncordon a, and add a toleration of x:NoSchedule to the pod, or remove the taint from the node",
         ("a",), 2),
    ]  # fmt: skip


def test_a_claim_that_is_allocated_elsewhere_keeps_its_pod_there() -> None:
    holder = allocated(claim(), "train", DRIVER, "a", "gpu-0")
    report = explained([node_of("a", unschedulable=True), node_of("b"), gpus("a"), CLASS, holder, pod_of("gpu")])
    assert [(each.reason) for each in group_of(report, "b").problems] == ["ClaimElsewhere"]
    assert "gpu-0 of pool a" in group_of(report, "b").problems[0].message
    assert [(each.change, each.nodes) for each in report.suggestions] == [("Uncordon", ("a",))]


def test_requests_that_compete_are_met_alone_and_not_together() -> None:
    report = explained(
        [node_of("a"), gpus("a"), CLASS, claim(request_for("one", DRIVER), request_for("two", DRIVER)), pod_of("gpu")]
    )
    (group,) = report.nodes
    assert [each.reason for each in group.problems] == ["Combination"]
    assert all(each.is_met for each in group.requests)
    assert group.problems[0].message == (
        "requests one of claim gpu and two of claim gpu want 2 devices together, and only 1 can be had"
    )
    assert [(each.message, each.nodes) for each in report.suggestions] == [
        ("do without request two of claim gpu", ("a",))
    ]


def test_requests_that_compete_for_a_device_may_ask_for_another() -> None:
    index = f'device.attributes["{DRIVER}"].index == 0'
    wanted = claim(request_for("one", DRIVER, index), request_for("two", DRIVER, index))
    devices = [device(f"gpu-{at}", index=at) for at in range(3)]
    report = explained([node_of("a"), slice_of(DRIVER, "a", *devices), CLASS, wanted, pod_of("gpu")])
    assert changes(report) == ["AskForFewer", "ChangeSelector", "ChangeSelector"]
    assert all(each.verified and each.nodes == ("a",) for each in report.suggestions)


def test_more_requests_than_devices_are_counted() -> None:
    wanted = claim(*(request_for(f"r-{at}", DRIVER) for at in range(10)))
    nodes = [node_of("a"), gpus("a", 8), node_of("b"), gpus("b", 9)]
    report = explained([*nodes, CLASS, wanted, pod_of("gpu")])
    assert report.verdict == "Impossible"
    assert [each.problems[0].message.partition(" want ")[2] for each in report.nodes] == [
        "10 devices together, and only 8 can be had",
        "10 devices together, and only 9 can be had",
    ]
    assert [(each.message, each.nodes) for each in report.suggestions] == [
        ("do without request r-9 of claim gpu", ("b",))
    ]


def test_a_constraint_on_what_no_device_has_is_said_in_whole_sentences() -> None:
    constraints = [{"requests": ["main"], "matchAttribute": f"{DRIVER}/numa"}]
    wanted = claim(request_for("main", DRIVER, count=2), constraints=constraints)
    report = explained([node_of("a"), gpus("a", 2), CLASS, wanted, pod_of("gpu")])
    (group,) = report.nodes
    assert [each.message for each in group.problems] == [
        "no devices satisfy the constraint of claim gpu that the devices of request main must have the same "
        f"{DRIVER}/numa: no device has it"
    ]
    assert group.requests[0].devices[0].problems[0].message == f"{DRIVER}/numa: it has none"
    assert changes(report) == ["DropConstraint"]


def test_several_claims_are_freed_together_where_one_is_not_enough() -> None:
    holders = [allocated(claim(name=f"c-{at}"), f"p-{at}", DRIVER, "a", f"gpu-{at}") for at in range(4)]
    wanted = claim(request_for("main", DRIVER, count=3))
    report = explained([node_of("a"), gpus("a", 4), CLASS, *holders, wanted, pod_of("gpu")])
    (freed,) = [each for each in report.suggestions if each.change == "FreeClaim"]
    assert freed.message.count("(pod p-") == 3


# --- Before nodes ------------------------------------------------------------------------------------------------


def test_the_only_class_is_proposed_instead_of_one_that_does_not_exist() -> None:
    report = explained([node_of("a"), CLASS, gpus("a"), claim(request_for("main", "nope")), pod_of("gpu")])
    assert report.problems[0].message == (
        f"request main of claim gpu names DeviceClass nope, which does not exist; there is {DRIVER}"
    )
    assert [(each.change, each.nodes) for each in report.suggestions] == [("OtherClass", ("a",)), ("CreateClass", ())]


def template(name: str = "gpus", **fields: Any) -> Wire:
    spec = claim(request_for("main", DRIVER, **fields))["spec"]
    return {
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"spec": spec},
    }


def templated(status: Any = None, name: str = "gpus") -> Wire:
    """A pod whose claim is made from a template."""
    pod = pod_of()
    pod["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": name}]
    pod["status"] = {"resourceClaimStatuses": status or []}
    return pod


def test_a_template_that_does_not_exist_is_named() -> None:
    report = explained([node_of("a"), CLASS, gpus("a"), templated()], templates={"gpus": None})
    (problem,) = report.problems
    assert problem.reason == "TemplateNotFound"
    assert "is to be made from template gpus, which does not exist in namespace ml" in problem.message
    assert (report.verdict, changes(report), report.nodes) == ("Blocked", ["CreateTemplate"], ())


def test_what_the_controller_says_about_a_claim_that_is_not_made_is_repeated() -> None:
    event = {
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": POD},
        "type": "Warning",
        "reason": "FailedResourceClaimCreation",
        "message": "PodResourceClaim gpu: admission webhook denied it",
    }
    report = explained([node_of("a"), CLASS, gpus("a"), template(), event, templated()])
    assert [each.reason for each in report.problems] == ["ClaimNotMade"]
    assert "yet: PodResourceClaim gpu: admission webhook denied it" in report.problems[0].message


def test_a_template_with_admin_access_waits_for_the_label_too() -> None:
    report = explained([node_of("a"), CLASS, gpus("a"), template(adminAccess=True), templated()])
    assert [each.reason for each in report.problems] == ["ClaimNotMade", "AdminAccessDenied"]
    labelled = Namespace.from_wire(
        {"metadata": {"name": NAMESPACE, "labels": {"resource.kubernetes.io/admin-access": "true"}}}
    )
    report = explained([node_of("a"), CLASS, gpus("a"), template(adminAccess=True), templated()], namespace=labelled)
    assert [each.reason for each in report.problems] == ["ClaimNotMade"]


def test_an_entry_that_needs_no_claim_is_none() -> None:
    report = explained([node_of("a"), CLASS, gpus("a"), template(), templated([{"name": "gpu"}])])
    assert (report.verdict, report.claims) == ("NoDevices", ())


def test_a_claim_of_another_pod_is_not_taken() -> None:
    found = claim(name="train-gpu-x")
    found["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Pod", "name": POD, "uid": "another", "controller": True}
    ]
    status = [{"name": "gpu", "resourceClaimName": "train-gpu-x"}]
    report = explained([node_of("a"), CLASS, gpus("a"), template(), found, templated(status)])
    assert [each.reason for each in report.problems] == ["ClaimOfAnotherPod"]


def test_a_claim_that_is_being_deleted_is_not_allocated() -> None:
    found = claim()
    found["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/keep"]}
    report = explained([node_of("a"), CLASS, gpus("a"), found, pod_of("gpu")])
    assert report.message == "pod train waits: claim gpu is being deleted"
    assert report.claims[0].state == "deleting"
    assert "see why it stays (finalizers: example.com/keep), and create claim gpu again" in (
        report.suggestions[0].message
    )


def test_a_claim_with_as_many_pods_as_can_be_takes_no_more() -> None:
    found = allocated(claim(), "p", DRIVER, "a", "gpu-0")
    found["status"]["reservedFor"] = [{"resource": "pods", "name": f"p-{at}", "uid": f"uid-{at}"} for at in range(256)]
    report = explained([node_of("a"), CLASS, gpus("a"), found, pod_of("gpu")])
    assert [each.reason for each in report.problems] == ["ClaimFull"]


def test_more_devices_than_a_claim_can_have_are_said_at_once() -> None:
    many = claim(request_for("one", DRIVER, count=20), request_for("two", DRIVER, count=20))
    report = explained([node_of("a"), CLASS, gpus("a"), many, pod_of("gpu")])
    assert report.problems[0].reason == "TooManyDevices"
    assert "claim gpu asks for 40 devices at least, and one claim can have 32 at most" in report.message


def test_without_slices_the_driver_is_to_be_looked_at() -> None:
    report = explained([node_of("a"), CLASS, claim(), pod_of("gpu")])
    assert [each.reason for each in report.problems] == ["NothingPublished"]


def test_a_class_of_which_no_driver_publishes_anything_is_named() -> None:
    report = explained([node_of("a"), CLASS, slice_of("nic.example.com", "a", device("nic-0")), claim(), pod_of("gpu")])
    assert report.suggestions[0].message == (
        "see that the driver of DeviceClass gpu.example.com runs: no node has a device of this class; devices are "
        "published by nic.example.com"
    )


def test_the_driver_of_a_pool_that_is_incomplete_runs() -> None:
    other = slice_of("nic.example.com", "a", device("nic-0"))
    incomplete = slice_of(DRIVER, "a", device("gpu-0"), count=2)
    report = explained([node_of("a"), CLASS, other, incomplete, claim(), pod_of("gpu")])
    assert changes(report) == ["CompletePool"]


@pytest.mark.parametrize(
    ("spec", "status", "verdict"),
    [
        ({"nodeName": "a"}, {"phase": "Pending"}, "Scheduled"),
        ({"nodeName": "a"}, {"phase": "Succeeded"}, "Finished"),
        ({"schedulingGates": [{"name": "example.com/quota"}]}, {}, "Blocked"),
        ({}, {}, "Possible"),
    ],
)
def test_a_pod_that_does_not_wait_for_devices_is_told_so(spec: Wire, status: Wire, verdict: str) -> None:
    pod = pod_of("gpu", **spec)
    pod["status"] = status
    assert explained([node_of("a"), CLASS, gpus("a"), claim(), pod]).verdict == verdict


def event(reason: str, at: str, kind: str = "Warning") -> Wire:
    return {
        "kind": "Event",
        "metadata": {"name": f"train.{reason.lower()}", "namespace": NAMESPACE},
        "involvedObject": {"kind": "Pod", "name": POD},
        "type": kind,
        "reason": reason,
        "message": f"it is {reason}",
        "lastTimestamp": f"2026-01-01T00:00:{at}Z",
    }


@pytest.mark.parametrize(("spec", "reason"), [({}, "FailedScheduling"), ({"nodeName": "a"}, "Started")])
def test_the_last_event_is_one_about_what_holds_now(spec: Wire, reason: str) -> None:
    events = [
        event("FailedScheduling", "01"),
        event("Scheduled", "02", "Normal"),
        event("Pulled", "03", "Normal"),
        event("Started", "03", "Normal"),
    ]
    report = explained([node_of("a"), CLASS, gpus("a"), claim(), pod_of("gpu", **spec), *events])
    assert report.told is not None
    assert report.told.reason == reason


def test_a_claim_that_no_pod_uses_is_told_that_it_waits_for_one() -> None:
    found = v1.ResourceClaim.from_wire(claim())
    report = explain(Found(found, None), snapshot_of([node_of("a"), CLASS, gpus("a"), claim()]))
    assert (report.verdict, report.message) == (
        "Possible",
        "claim gpu waits for a pod: no pod uses it, and it gets its devices together with the first one that does; it "
        "could have them now, on node a",
    )


# --- Devices -----------------------------------------------------------------------------------------------------


def test_partitions_of_a_card_are_short_of_what_others_took() -> None:
    card = "gpu-0-counter-set"
    slices = {f"memory-slice-{at}": {"value": "1"} for at in range(8)}

    def partition(name: str, profile: str, *taken: int) -> Wire:
        counters = {f"memory-slice-{at}": {"value": "1"} for at in taken}
        return device(name, profile=profile, consumesCounters=[{"counterSet": card, "counters": counters}])

    devices = [
        *(partition(f"mig-1g-{at}", "1g.5gb", at) for at in range(7)),
        *(partition(f"mig-3g-{at}", "3g.20gb", *range(at, at + 4)) for at in (0, 4)),
    ]
    objects = [
        node_of("a"),
        CLASS,
        slice_of(DRIVER, "a", counters=[{"name": card, "counters": slices}], count=2),
        slice_of(DRIVER, "a", *devices, index=1, count=2),
        allocated(claim(name="one"), "one-0", DRIVER, "a", "mig-1g-2"),
        allocated(claim(name="two"), "two-0", DRIVER, "a", "mig-1g-5"),
        claim(request_for("mig", DRIVER, f'device.attributes["{DRIVER}"].profile == "3g.20gb"')),
        pod_of("gpu"),
    ]
    report = explained(objects)
    first, second = (each for each in report.nodes[0].requests[0].devices if each.device.name.startswith("mig-3g"))
    (problem,) = first.problems
    (amount,) = problem.amounts
    assert (problem.reason, amount.counter_set, amount.name) == ("Counters", card, "memory-slice-2")
    assert (amount.needed, amount.left, amount.total) == ("1", "0", "1")
    assert second.problems[0].amounts[0].name == "memory-slice-5"
    freed = [each for each in report.suggestions if each.change == "FreeClaim"]
    assert [each.message for each in freed] == [
        "free the devices of claim ml/one (pod one-0)",
        "free the devices of claim ml/two (pod two-0)",
    ]


def card_of(counters: int) -> tuple[Wire, Wire]:
    """Slices of a card whose counters are all taken by the whole of it, or by each of its two halves in part."""
    names = [f"engine-{at}" for at in range(counters)]
    consumed = {name: {"value": "8"} for name in names}
    part = {name: {"value": "4"} for name in names}
    devices = [
        device("gpu-0", consumesCounters=[{"counterSet": "card", "counters": consumed}]),
        *(device(f"mig-{at}", consumesCounters=[{"counterSet": "card", "counters": part}]) for at in range(2)),
    ]
    return (
        slice_of(DRIVER, "a", counters=[{"name": "card", "counters": consumed}], count=2),
        slice_of(DRIVER, "a", *devices, index=1, count=2),
    )


def test_a_device_in_use_is_not_said_to_lack_what_it_uses_up_itself() -> None:
    holder = allocated(claim(name="one"), "one-0", DRIVER, "a", "gpu-0")
    report = explained([node_of("a"), CLASS, *card_of(5), holder, claim(), pod_of("gpu")])
    whole, *parts = report.nodes[0].requests[0].devices
    assert [each.reason for each in whole.problems] == ["InUse"]
    assert [[each.reason for each in part.problems] for part in parts] == [["Counters"]] * 2
    (problem,) = parts[0].problems
    assert [amount.name for amount in problem.amounts] == [f"engine-{at}" for at in range(5)]
    assert problem.message == (
        "engine-0 of card: 4 needed, 0 left of 8, used by gpu-0; likewise engine-1, engine-2 and 2 more"
    )
    assert [each.message for each in report.suggestions if each.change == "FreeClaim"] == [
        "free the devices of claim ml/one (pod one-0)"
    ]


def test_shares_of_a_device_are_short_of_what_others_consume() -> None:
    shared = device("gpu-0", capacity={"memory": "80Gi"}, allowMultipleAllocations=True)
    policy = {"default": "80Gi", "validRange": {"min": "1Gi", "max": "80Gi", "step": "1Gi"}}
    shared["capacity"]["memory"]["requestPolicy"] = policy
    taken = {"shareID": "2f5e3c1a-0000-4000-8000-000000000001", "consumedCapacity": {"memory": "60Gi"}}
    objects = [
        node_of("a"),
        CLASS,
        slice_of(DRIVER, "a", shared),
        allocated(claim(name="one"), "one-0", DRIVER, "a", "gpu-0", **taken),
        claim(request_for("main", DRIVER, capacity={"requests": {"memory": "30Gi"}})),
        pod_of("gpu"),
    ]
    report = explained(objects)
    (problem,) = report.nodes[0].requests[0].devices[0].problems
    assert problem.message == (
        "memory: 30Gi asked for, 20Gi left of 80Gi (the rest in use by claim ml/one (pod one-0))"
    )
    assert [(each.change, each.message) for each in report.suggestions] == [
        ("FreeClaim", "free the devices of claim ml/one (pod one-0)"),
        ("AskForLess", "ask for 20Gi of memory at most in request main of claim gpu"),
    ]


def test_a_taint_rule_is_named() -> None:
    rule = {
        "kind": "DeviceTaintRule",
        "metadata": {"name": "maintenance"},
        "spec": {"deviceSelector": {"driver": DRIVER}, "taint": {"key": "example.com/out", "effect": "NoExecute"}},
    }
    report = explained([node_of("a"), CLASS, gpus("a"), rule, claim(), pod_of("gpu")])
    (problem,) = report.nodes[0].requests[0].devices[0].problems
    assert "taint example.com/out:NoExecute (DeviceTaintRule maintenance)" in problem.message
    assert [(each.change, each.message) for each in report.suggestions] == [
        ("DeleteTaintRule", "kubectl delete devicetaintrule maintenance"),
        ("TolerateDeviceTaint", "add a toleration of taint example.com/out:NoExecute to request main of claim gpu"),
    ]


def test_each_alternative_is_looked_at() -> None:
    alternatives = {
        "name": "best",
        "firstAvailable": [
            {"name": "many", "deviceClassName": DRIVER, "allocationMode": "ExactCount", "count": 4},
            {
                "name": "new",
                "deviceClassName": DRIVER,
                "allocationMode": "ExactCount",
                "count": 1,
                "selectors": [{"cel": {"expression": f'{MODEL} == "H100"'}}],
            },
        ],
    }
    report = explained([node_of("a"), CLASS, gpus("a", 2, model="A100"), claim(alternatives), pod_of("gpu")])
    assert [(each.name, each.count) for each in report.claims[0].requests] == [("best/many", 4), ("best/new", 1)]
    assert [(each.name, each.suitable) for each in report.nodes[0].requests] == [("best/many", 2), ("best/new", 0)]
    assert changes(report) == ["AskForFewer", "ChangeSelector"]


def test_a_selector_of_a_class_that_cannot_be_evaluated_is_repaired_there() -> None:
    broken = class_of("indexed", f'device.attributes["{DRIVER}"].index < 4')
    objects = [
        node_of("a"),
        broken,
        slice_of(DRIVER, "a", device("gpu-0", model="A100"), device("gpu-1", index=1)),
        claim(request_for("main", "indexed")),
        pod_of("gpu"),
    ]
    report = explained(objects)
    assert report.verdict == "Failing"
    (problem,) = report.problems
    assert "the selector of class indexed cannot be evaluated for device gpu-0 of pool a" in problem.message
    repaired = next(each for each in report.suggestions if each.change == "RepairSelector")
    assert repaired.verified
    assert repaired.message.endswith(
        f'"index" in device.attributes["{DRIVER}"] && (device.attributes["{DRIVER}"].index < 4)'
    )


@pytest.mark.parametrize(
    ("read", "wanted", "meant"),
    [
        ('["gpu.exmaple.com"].model', "gpu.exmaple.com/model", f"did you mean {DRIVER}/model? "),
        (f'["{DRIVER}"].modle', f"{DRIVER}/modle", f"did you mean {DRIVER}/model? "),
        (f'["{DRIVER}"].rack', f"{DRIVER}/rack", ""),
    ],
)
def test_a_name_that_no_device_has_is_told_which_there_are(read: str, wanted: str, meant: str) -> None:
    other = slice_of("nic.example.com", "a", device("nic-0", rack=1))
    asked = claim(request_for("main", DRIVER, f'device.attributes{read} == "A100"'))
    report = explained([node_of("a"), gpus("a", model="A100", index=1), other, CLASS, asked, pod_of("gpu")])
    (dropped,) = [each for each in report.suggestions if each.change == "ChangeSelector"]
    assert dropped.message.partition('== "A100"')[2] == (
        f", which no device satisfies; no device has {wanted}: {meant}Devices have index and model in {DRIVER}"
    )


def test_a_selector_that_fails_on_all_nodes_is_one_problem() -> None:
    nodes = [*map(node_of, "abc"), *map(gpus, "abc")]
    wanted = claim(request_for("main", DRIVER, f'{MODEL} == "H100"'))
    report = explained([*nodes, CLASS, wanted, pod_of("gpu")])
    assert (report.verdict, len(report.problems)) == ("Failing", 1)
    assert [group.names for group in report.nodes] == [("a", "b", "c")]


def test_nodes_that_fit_are_one_group_whatever_else_their_devices_lack() -> None:
    wanted = claim(request_for("main", DRIVER, f'{MODEL} == "H100"'))
    slices = [slice_of(DRIVER, each, device("gpu-0", model="H100"), device("gpu-1", model=f"A{each}")) for each in "ab"]
    report = explained([*map(node_of, "ab"), *slices, CLASS, wanted, pod_of("gpu")])
    assert [(group.names, group.fits) for group in report.nodes] == [(("a", "b"), True)]


def test_an_older_release_takes_devices_of_a_pool_that_is_not_complete() -> None:
    objects = [node_of("a"), CLASS, slice_of(DRIVER, "a", device("gpu-0"), count=2), claim(), pod_of("gpu")]
    assert explained(objects).verdict == "Impossible"
    assert explained(objects, served=served("v1.34.4")).verdict == "Possible"


# --- Extended resources ------------------------------------------------------------------------------------------


def test_an_extended_resource_of_devices_is_explained_like_a_claim() -> None:
    named = class_of(DRIVER, f'device.driver == "{DRIVER}"')
    named["spec"]["extendedResourceName"] = "example.com/gpu"
    pod = pod_of()
    pod["spec"]["containers"][0]["resources"] = {"limits": {"example.com/gpu": "2"}}
    plugin = node_of("b")
    plugin["status"] = {"allocatable": {"example.com/gpu": "4", "pods": "110"}}
    report = explained([node_of("a"), plugin, named, gpus("a"), pod])
    assert [each.name for each in report.claims] == ["train-extended-resources"]
    assert (group_of(report, "a").requests[0].count, group_of(report, "a").requests[0].suitable) == (2, 1)
    assert [each.reason for each in group_of(report, "b").problems][:1] == ["DevicePlugin"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"nodeName": "a"}, ", and has a node, a: if its containers do not start, look at its Events"),
        (
            {"schedulingGates": [{"name": "example.com/quota"}]},
            "; it has schedulingGates (example.com/quota), and the scheduler leaves it alone until they are removed",
        ),
    ],
)
def test_a_pod_without_claims_asks_for_no_devices(spec: Wire, said: str) -> None:
    report = explained([node_of("a"), CLASS, gpus("a"), pod_of(**spec)])
    assert (report.verdict, report.message) == ("NoDevices", f"pod train names no claims{said}")
    assert report.nodes == ()


def test_a_pod_without_claims_may_run_on_a_node_all_the_same() -> None:
    report = explained([node_of("a"), CLASS, gpus("a"), pod_of()])
    assert (report.verdict, report.message) == (
        "NoDevices",
        "pod train names no claims, and could run on node a: look at its Events for what else it waits for",
    )


def test_a_pod_without_claims_is_told_what_keeps_it_from_nodes() -> None:
    big = pod_of()
    big["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "33"}}
    closed = {**roomy("b"), "spec": {"unschedulable": True}}
    report = explained([roomy("a"), closed, CLASS, gpus("a"), big])
    assert report.verdict == "NoDevices"
    assert report.message.startswith("pod train names no claims, and none of the 2 nodes takes it")
    assert [each.reason for each in group_of(report, "a").problems] == ["Resources"]
    assert group_of(report, "b").problems[0].reason == "Unschedulable"


def test_without_nodes_a_pod_without_claims_is_sent_to_its_events() -> None:
    report = explained([CLASS, gpus("a"), pod_of()])
    assert report.message == "pod train names no claims: look at its Events for what else it waits for"


def test_an_extended_resource_that_no_class_has_is_named() -> None:
    named = class_of(DRIVER, f'device.driver == "{DRIVER}"')
    named["spec"]["extendedResourceName"] = "example.com/gpu"
    pod = pod_of()
    pod["spec"]["containers"][0]["resources"] = {"limits": {"example.com/gpx": "2"}}
    report = explained([node_of("a"), named, gpus("a"), pod])
    assert report.message == (
        "pod train names no claims, and no DeviceClass has the extendedResourceName example.com/gpx: there is "
        "example.com/gpu"
    )


def test_too_many_combinations_are_not_taken_for_a_refusal() -> None:
    distinct = [{"distinctAttribute": f"{DRIVER}/rack"}]
    devices = [device(f"gpu-{at}", rack=at % 11) for at in range(60)]
    wanted = claim(request_for("main", DRIVER, count=12), constraints=distinct)
    report = explained([node_of("a"), CLASS, slice_of(DRIVER, "a", *devices), wanted, pod_of("gpu")])
    assert (report.verdict, [each.reason for each in report.problems]) == ("Unknown", ["SearchTooLong"])
    assert not any("none of the small changes" in each.message for each in report.suggestions)
    assert "on node a that not all were tried here" in report.message


# --- Room on nodes -----------------------------------------------------------------------------------------------


def roomy(name: str, **allocatable: str) -> Wire:
    """A node that has so much for pods."""
    return {**node_of(name), "status": {"allocatable": {"pods": "110", "cpu": "4", "memory": "8Gi", **allocatable}}}


def other_pod(name: str, node: str, **requests: str) -> Pod:
    """A pod that takes up room."""
    containers = [{"name": "main", "resources": {"requests": requests}}]
    metadata = {"name": name, "namespace": "other", "uid": name}
    return Pod.from_wire({"metadata": metadata, "spec": {"nodeName": node, "containers": containers}})


def asking(**requests: str) -> Wire:
    """The pod that waits, which asks for so much beside its devices."""
    pod = pod_of("gpu")
    [container] = pod["spec"]["containers"]
    container["resources"] = {**container.get("resources", {}), "requests": requests}
    return pod


def test_a_node_with_the_devices_may_lack_cpu() -> None:
    objects = [roomy("a"), CLASS, gpus("a"), claim(), asking(cpu="2")]
    assert explained(objects, pods=(other_pod("x", "a", cpu="2"),)).verdict == "Possible"
    report = explained(objects, pods=(other_pod("x", "a", cpu="2500m"),))
    assert report.verdict == "Impossible"
    [problem] = group_of(report, "a").problems
    assert problem.reason == "Resources"
    assert problem.message == "it has less left than the 2 of cpu that the pod asks for"
    [help_] = report.suggestions
    assert (help_.change, help_.nodes, help_.verified) == ("MakeRoom", ("a",), True)
    assert help_.message == "let other pods there end, add a node, or ask for less"


def test_a_node_may_be_too_small_for_the_pod_in_any_case() -> None:
    report = explained([roomy("a"), CLASS, gpus("a"), claim(), asking(memory="16Gi")])
    [problem] = group_of(report, "a").problems
    assert problem.message == "it has less than the 16Gi of memory that the pod asks for, even without any other pod"
    assert report.suggestions[0].message == "add a node with at least 16Gi of memory, or ask for less"


def test_a_node_may_have_as_many_pods_as_it_takes() -> None:
    full = explained([roomy("a", pods="1"), CLASS, gpus("a"), claim(), pod_of("gpu")], pods=(other_pod("x", "a"),))
    assert [each.message for each in group_of(full, "a").problems] == ["it has as many pods as it takes"]
    none = explained([roomy("a", pods="0"), CLASS, gpus("a"), claim(), pod_of("gpu")])
    assert [each.message for each in group_of(none, "a").problems] == ["it takes no pods at all"]


def test_nodes_that_lack_the_same_are_one_group_however_full_they_are() -> None:
    objects = [*(roomy(each) for each in "ab"), CLASS, gpus("a"), gpus("b"), claim(), asking(cpu="3")]
    pods = (other_pod("x", "a", cpu="2"), other_pod("y", "b", cpu="3"))
    assert [group.names for group in explained(objects, pods=pods).nodes] == [("a", "b")]


def test_without_the_pods_of_others_nothing_is_said_of_room() -> None:
    objects = [roomy("a"), CLASS, gpus("a"), claim(), asking(cpu="16")]
    report = explained(objects, hidden=frozenset(("pods",)))
    assert report.verdict == "Possible"
    assert "nothing else keeps the pod from a node: CPU, memory, ports, volumes, other pods" in report.assumptions
    assert "nothing else keeps the pod from a node: ports, volumes, other pods" in explained(objects).assumptions
