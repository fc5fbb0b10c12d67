"""Jobs: defaults, what is refused, what may change, and what is left when one is deleted."""

from typing import Any

import pytest

from tests.conformance.api import MERGE_PATCH, Api, Json, causes

UID_LABEL = "batch.kubernetes.io/controller-uid"


@pytest.fixture
def jobs(namespace: str) -> str:
    """The Jobs of the test's namespace."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def template(labels: Json | None = None, **spec: Any) -> Json:
    """A template of pods that end."""
    pod = {"containers": [{"name": "c", "image": "busybox"}], "restartPolicy": "Never", **spec}
    return {"spec": pod, **({"metadata": {"labels": labels}} if labels else {})}


def job(name: str = "j", **spec: Any) -> Json:
    """A Job."""
    whole = {"template": template(), **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": whole}


def test_defaults(api: Api, jobs: str) -> None:
    created = api.post(jobs, job())
    spec, uid = created["spec"], created["metadata"]["uid"]
    assert {name: value for name, value in spec.items() if name not in ("template", "selector")} == {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "manualSelector": False,
    }
    assert spec["selector"] == {"matchLabels": {UID_LABEL: uid}}
    labels = {"job-name": "j", "batch.kubernetes.io/job-name": "j", "controller-uid": uid, UID_LABEL: uid}
    assert spec["template"]["metadata"]["labels"] == created["metadata"]["labels"] == labels
    assert created["status"] == {}
    assert created["metadata"]["generation"] == 1


def test_defaults_that_depend_on_others(api: Api, jobs: str) -> None:
    parallel = api.post(jobs, job("parallel", parallelism=3))["spec"]
    assert "completions" not in parallel
    limited = api.post(jobs, job("limited", completionMode="Indexed", completions=5, backoffLimitPerIndex=1))["spec"]
    assert limited["backoffLimit"] == 2**31 - 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"template": template(restartPolicy="Always")}, "spec.template.spec.restartPolicy: Required value: valid val"),
        ({"template": template(restartPolicy="Seldom")}, '"Seldom": supported values: "OnFailure", "Never"'),
        ({"template": {}}, "spec.template.spec.containers: Required value"),
        ({"parallelism": -1}, "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"),
        ({"completions": -1}, "spec.completions: Invalid value: -1: must be greater than or equal to 0"),
        ({"activeDeadlineSeconds": -1}, "spec.activeDeadlineSeconds: Invalid value: -1: must be greater than"),
        ({"backoffLimit": -1}, "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"),
        ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or"),
        ({"completionMode": "X"}, 'spec.completionMode: Unsupported value: "X": supported values: "NonIndexed", "In'),
        ({"completionMode": "Indexed", "parallelism": 2}, "spec.completions: Required value: when completion mode is"),
        (
            {"completionMode": "Indexed", "completions": 5, "parallelism": 100_001},
            "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Ind",
        ),
        (
            {"completionMode": "Indexed", "completions": 5, "backoffLimitPerIndex": 1, "maxFailedIndexes": 6},
            "spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions",
        ),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
        ({"maxFailedIndexes": 1}, "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"),
        ({"podReplacementPolicy": "X"}, '"X": supported values: "Failed", "TerminatingOrFailed"'),
        ({"selector": {"matchLabels": {"a": "b"}}}, "`selector` not auto-generated"),
        ({"selector": {"matchLabels": {"a": "b"}}, "manualSelector": True}, "`selector` does not match template `lab"),
        ({"manualSelector": True}, "spec.selector: Required value"),
        ({"template": template({"job-name": "other"})}, "must be 'j'"),
        ({"template": template({UID_LABEL: "other"})}, f"spec.template.metadata.labels[{UID_LABEL}]: Invalid value: "),
    ],
)
def test_what_is_wrong_with_a_job(api: Api, jobs: str, spec: Json, words: str) -> None:
    api.refused(422, "Invalid", "POST", jobs, job(**spec), says=words)


def test_the_hosts_of_an_indexed_job_need_names(api: Api, jobs: str) -> None:
    body = job("a" * 62, completionMode="Indexed", completions=11)
    words = f'metadata.name: Invalid value: "{"a" * 62}": will not able to create pod with invalid DNS label'
    api.refused(422, "Invalid", "POST", jobs, body, says=words)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"completions": 3}, "spec.completions"),
        ({"completionMode": "Indexed"}, "spec.completionMode"),
        ({"template": {"spec": {"restartPolicy": "OnFailure"}}}, "spec.template"),
        ({"template": {"spec": {"nodeSelector": {"a": "b"}}}}, "spec.template"),
    ],
    ids=["completions", "mode", "template", "scheduling"],
)
def test_what_cannot_change(api: Api, jobs: str, change: Json, path: str) -> None:
    api.post(jobs, job())
    body = {"spec": change}
    status = api.refused(
        422, "Invalid", "PATCH", f"{jobs}/j", body, says="field is immutable", content_type=MERGE_PATCH
    )
    assert causes(status) == {path: "FieldValueInvalid"}


def test_what_can_change(api: Api, jobs: str) -> None:
    api.post(jobs, job(suspend=True))
    change = {"parallelism": 2, "backoffLimit": 1, "activeDeadlineSeconds": 5, "ttlSecondsAfterFinished": 5}
    assert api.patch(f"{jobs}/j", {"spec": change})["metadata"]["generation"] == 2
    waiting = {"template": {"spec": {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]}}}
    assert api.patch(f"{jobs}/j", {"spec": waiting})["metadata"]["generation"] == 3
    assert api.patch(f"{jobs}/j", {"spec": {"suspend": False}})["metadata"]["generation"] == 4


def test_an_indexed_job_can_grow(api: Api, jobs: str) -> None:
    api.post(jobs, job(completionMode="Indexed", completions=2, parallelism=2))
    words = "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"
    body = {"spec": {"completions": 3}}
    api.refused(422, "Invalid", "PATCH", f"{jobs}/j", body, says=words, content_type=MERGE_PATCH)
    assert api.patch(f"{jobs}/j", {"spec": {"completions": 3, "parallelism": 3}})["spec"]["completions"] == 3


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"active": -1, "ready": -1}, {"status.active": "FieldValueInvalid", "status.ready": "FieldValueInvalid"}),
        (
            {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
            {
                "status.uncountedTerminatedPods.succeeded[1]": "FieldValueInvalid",
                "status.uncountedTerminatedPods.failed[0]": "FieldValueDuplicate",
            },
        ),
    ],
    ids=["numbers", "pods"],
)
def test_what_is_wrong_with_a_status(api: Api, jobs: str, status: Json, found: Json) -> None:
    api.post(jobs, job())
    body = {"status": status}
    answer = api.refused(422, "Invalid", "PATCH", f"{jobs}/j/status", body, content_type=MERGE_PATCH)
    assert causes(answer) == found


def test_a_deletion_that_says_nothing_leaves_the_pods(api: Api, jobs: str) -> None:
    """Of all kinds, only Jobs do so; a garbage collector does the rest."""
    api.post(jobs, job())
    answer = api.call("DELETE", f"{jobs}/j")
    assert answer.json()["metadata"]["finalizers"] == ["orphan"]
    assert "child pods are preserved by default when jobs are deleted" in answer.headers["Warning"]
    api.post(jobs, job("k"))
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    answer = api.call("DELETE", f"{jobs}/k", options)
    assert answer.json()["kind"] == "Status"
    assert "Warning" not in answer.headers
    api.gone(f"{jobs}/k")
