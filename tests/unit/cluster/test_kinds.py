"""The kinds of the cluster: nothing that a real object has is lost on the way from the wire and back."""

from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.cluster import kinds, workloadkinds
from fake_dra_driver.cluster.kinds import Condition, Pod
from fake_dra_driver.cluster.workloadkinds import LabelSelector, LabelSelectorRequirement

MODELS = [getattr(module, name) for module in (kinds, workloadkinds) for name in module.__all__]
KINDS = [each for each in MODELS if issubclass(each, KubeObject)]
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "n", "generateName": "g-", "labels": {"a": "b"}, "selfLink": "x"},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                "resources": {"limits": {"cpu": "1"}, "claims": [{"name": "r"}]},
            }
        ],
        "resourceClaims": [{"name": "r", "source": {"resourceClaimTemplateName": "t"}}],
        "affinity": {
            "podAffinity": {"x": 1},
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-0"]}]}
                    ]
                }
            },
        },
        "tolerations": [{"operator": "Exists", "tolerationSeconds": 3}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "nodeSelector": {"k": "v"},
    },
    "status": {
        "phase": "Running",
        "hostIP": "10.0.0.1",
        "hostIPs": [{"ip": "10.0.0.1"}],
        "podIP": "10.0.0.2",
        "qosClass": "BestEffort",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}],
        "containerStatuses": [
            {
                "name": "c",
                "ready": True,
                "imageID": "i",
                "containerID": "d",
                "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}},
            }
        ],
    },
}


def test_a_pod_survives_the_way_from_the_wire_and_back() -> None:
    assert Pod.from_wire(POD).to_wire() == POD


def test_a_change_leaves_the_other_fields_as_they_were() -> None:
    pod = Pod.from_wire(POD)
    conditions = (*pod.status.conditions, Condition(type="PodScheduled", status="True"))
    changed = pod.model_copy(update={"status": pod.status.model_copy(update={"conditions": conditions})})
    wanted = [*POD["status"]["conditions"], {"type": "PodScheduled", "status": "True"}]
    assert changed.to_wire() == {**POD, "status": {**POD["status"], "conditions": wanted}}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_read_with_nothing_but_a_name(kind: type[KubeObject]) -> None:
    wire = {"metadata": {"name": "a"}, "new": {"field": 1}}
    api = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind}
    assert kind.from_wire(wire).to_wire() == {**wire, **api}


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ("x", "y"), [True, False, False]),
        ("NotIn", ("x",), [False, True, True]),
        ("Exists", (), [True, True, False]),
        ("DoesNotExist", (), [False, False, True]),
    ],
)
def test_label_selectors(operator: str, values: tuple[str, ...], selected: list[bool]) -> None:
    selector = LabelSelector(match_expressions=(LabelSelectorRequirement(key="k", operator=operator, values=values),))
    assert [selector.matches(labels) for labels in ({"k": "x"}, {"k": "z"}, {"other": "x"})] == selected


def test_a_label_selector_wants_all_of_its_labels() -> None:
    selector = LabelSelector(match_labels={"a": "1", "b": "2"})
    assert selector.matches({"a": "1", "b": "2", "c": "3"})
    assert not selector.matches({"a": "1"})
    assert LabelSelector().matches({})
