"""Defaults of workloads, and what their strategies set: Deployment, DaemonSet, ReplicaSet, StatefulSet.

Follows k8s.io/kubernetes/pkg/apis/apps/v1/defaults.go and pkg/registry/apps.
"""

from fake_dra_driver.cluster.apiserver.rules.poddefaults import default_pod_spec
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = [
    "count_template",
    "default_daemonset",
    "default_deployment",
    "default_replicaset",
    "default_statefulset",
    "default_template",
]

_GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"


def default_template(obj: Object) -> None:
    """Fills in what the template of a workload leaves out."""
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
    default_template(obj)


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
    default_template(obj)


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
    default_template(obj)


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
    default_template(obj)
