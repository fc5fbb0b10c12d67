"""StatefulSets: defaults, what is refused, and what may change."""

from typing import Any

import pytest

from tests.conformance.api import MERGE_PATCH, Api, Json, causes

LABELS = {"app": "a"}


@pytest.fixture
def sets(namespace: str) -> str:
    """The StatefulSets of the test's namespace."""
    return f"/apis/apps/v1/namespaces/{namespace}/statefulsets"


def template(**spec: Any) -> Json:
    """A template of pods."""
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "busybox"}], **spec}}


def stateful(**spec: Any) -> Json:
    """A StatefulSet."""
    whole = {"selector": {"matchLabels": LABELS}, "template": template(), "serviceName": "svc", **spec}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"}, "spec": whole}


def test_defaults(api: Api, sets: str) -> None:
    created = api.post(sets, stateful())
    spec = created["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"], spec["revisionHistoryLimit"]) == (1, "OrderedReady", 10)
    assert spec["updateStrategy"]["type"] == "RollingUpdate"
    assert spec["updateStrategy"]["rollingUpdate"]["partition"] == 0
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert created["status"] == {"replicas": 0, "availableReplicas": 0}
    assert created["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"podManagementPolicy": "X"}, "spec.podManagementPolicy: Invalid value: \"X\": must be 'OrderedReady' or 'Pa"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"minReadySeconds": -1}, "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"),
        ({"ordinals": {"start": -1}}, "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": -1}}},
            "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
        ),
        ({"updateStrategy": {"type": "X"}}, "must be 'RollingUpdate'"),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {}}},
            "only allowed for updateStrategy 'RollingUpdate'",
        ),
        ({"selector": {"matchLabels": {"b": "b"}}}, "`selector` does not match template `labels`"),
        ({"selector": {}}, "empty selector is invalid for statefulset"),
        ({"template": template(restartPolicy="Never")}, 'spec.template.spec.restartPolicy: Unsupported value: "Never"'),
        ({"template": template(activeDeadlineSeconds=1)}, "activeDeadlineSeconds in StatefulSet is not Supported"),
    ],
)
def test_what_is_wrong_with_a_stateful_set(api: Api, sets: str, spec: Json, words: str) -> None:
    api.refused(422, "Invalid", "POST", sets, stateful(**spec), says=words)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"serviceName": "other"}, "spec.serviceName"),
        ({"podManagementPolicy": "Parallel"}, "spec.podManagementPolicy"),
    ],
)
def test_what_cannot_change(api: Api, sets: str, change: Json, path: str) -> None:
    api.post(sets, stateful())
    body = {"spec": change}
    status = api.refused(422, "Invalid", "PATCH", f"{sets}/s", body, content_type=MERGE_PATCH)
    assert path in causes(status) or "Forbidden: updates to statefulset spec" in status["message"]


def test_what_can_change(api: Api, sets: str) -> None:
    api.post(sets, stateful())
    change = {"replicas": 3, "template": {"spec": {"terminationGracePeriodSeconds": 5}}, "minReadySeconds": 2}
    assert api.patch(f"{sets}/s", {"spec": change})["metadata"]["generation"] == 2
    scale = api.patch(f"{sets}/s/scale", {"spec": {"replicas": 5}})
    assert scale["spec"] == {"replicas": 5}
