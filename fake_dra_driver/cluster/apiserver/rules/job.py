"""Defaults and rules of Jobs.

Follows k8s.io/kubernetes/pkg/apis/batch and pkg/registry/batch/job.
"""

from fake_dra_driver.cluster.apiserver.rules.workloaddefaults import default_template
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["JOB_RULES"]


def _default(obj: Object) -> None:
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
    default_template(obj)


def _admit(obj: Object) -> None:
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


JOB_RULES = Rules(
    set_defaults=_default,
    admit=_admit,
    status_on_create={},
    has_generation=True,
    selectable=("status.successful",),
)
