"""Defaults of workloads, and what their strategies set: Deployment, DaemonSet, ReplicaSet, StatefulSet, Job.

Follows k8s.io/kubernetes/pkg/apis/{apps,batch}/v1/defaults.go and pkg/registry/{apps,batch}.
"""

from fake_dra_driver.cluster.apiserver.rules.poddefaults import default_pod_spec
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = [
    "admit_job",
    "count_template",
    "default_daemonset",
    "default_deployment",
    "default_job",
    "default_replicaset",
    "default_statefulset",
]

_GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"


def _default_template(obj: Object) -> None:
    default_pod_spec(obj["spec"].setdefault("template", {}).setdefault("spec", {}))


def default_deployment(obj: Object) -> None:
    """Fills in what a Deployment leaves out."""
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _default_template(obj)


def default_daemonset(obj: Object) -> None:
    """Fills in what a DaemonSet leaves out."""
    spec = obj["spec"]
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    _default_template(obj)


def count_template(obj: Object, old: Object | None) -> None:
    """Raises the count of templates in the annotation that replaces templateGeneration, which v1 no longer has."""
    count = 1
    if old is not None:
        count = int(old["metadata"].get("annotations", {}).get(_GENERATION_ANNOTATION, 1))
        count += obj["spec"].get("template") != old["spec"].get("template")
    obj["metadata"].setdefault("annotations", {})[_GENERATION_ANNOTATION] = str(count)


def default_replicaset(obj: Object) -> None:
    """Fills in what a ReplicaSet leaves out."""
    obj["spec"].setdefault("replicas", 1)
    _default_template(obj)


def default_statefulset(obj: Object) -> None:
    """Fills in what a StatefulSet leaves out."""
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})
    spec.setdefault("revisionHistoryLimit", 10)
    _default_template(obj)


def default_job(obj: Object) -> None:
    """Fills in what a Job leaves out."""
    spec = obj["spec"]
    if spec.get("parallelism") is None:
        # With a parallelism, completions may stay unset: the job then ends when one of its pods succeeds.
        spec.setdefault("completions", 1)
    for name, value in (
        ("parallelism", 1),
        ("backoffLimit", 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
        ("podReplacementPolicy", "TerminatingOrFailed"),
        ("manualSelector", False),
    ):
        spec.setdefault(name, value)
    _default_template(obj)


def admit_job(obj: Object) -> None:
    """Makes a new job select its pods by its UID, which their labels have."""
    if obj["spec"].get("manualSelector"):
        return
    uid, name = obj["metadata"]["uid"], obj["metadata"].get("name", "")
    labels = obj["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})
    for key, value in (("controller-uid", uid), ("job-name", name)):
        labels.setdefault(key, value)
        labels.setdefault(f"batch.kubernetes.io/{key}", value)
    obj["metadata"].setdefault("labels", dict(labels))
    obj["spec"].setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
