"""The defaults and rules of each built-in kind but those of resource.k8s.io, which depend on the release.

A kind that is not named here has neither: what its schema allows is stored as sent.
"""

from collections.abc import Mapping

from fake_dra_driver.cluster.apiserver.rules.admission import ADMISSION_RULES
from fake_dra_driver.cluster.apiserver.rules.core import CORE_RULES
from fake_dra_driver.cluster.apiserver.rules.cronjob import CRON_JOB_RULES
from fake_dra_driver.cluster.apiserver.rules.event import EVENT_RULES
from fake_dra_driver.cluster.apiserver.rules.job import JOB_RULES
from fake_dra_driver.cluster.apiserver.rules.pod import validate_pod, validate_pod_status, validate_pod_update
from fake_dra_driver.cluster.apiserver.rules.poddefaults import admit_pod, default_pod, pod_grace_seconds, prepare_pod
from fake_dra_driver.cluster.apiserver.rules.priority import PRIORITY_CLASS_RULES
from fake_dra_driver.cluster.apiserver.rules.rbac import RBAC_RULES
from fake_dra_driver.cluster.apiserver.rules.service import SERVICE_RULES
from fake_dra_driver.cluster.apiserver.rules.workload import WORKLOAD_RULES
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["RULES"]

_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
)

RULES: Mapping[str, Rules] = {
    "Pod": Rules(
        set_defaults=default_pod,
        prepare=prepare_pod,
        admit=admit_pod,
        validate=validate_pod,
        validate_update=validate_pod_update,
        validate_status=validate_pod_status,
        status_on_create={"phase": "Pending"},
        grace_seconds=pod_grace_seconds,
        returns_deleted=True,
        selectable=_POD_FIELDS,
    ),
    "CronJob": CRON_JOB_RULES,
    "Job": JOB_RULES,
    "PriorityClass": PRIORITY_CLASS_RULES,
    **ADMISSION_RULES,
    **CORE_RULES,
    **EVENT_RULES,
    **SERVICE_RULES,
    **WORKLOAD_RULES,
    **RBAC_RULES,
}
"""By kind."""
