"""The pods of a StatefulSet: what they are called, what they are made from, and how far each one is. Pure.

Follows k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_utils.go.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.cluster.controllers.podcontrol import is_ready
from fake_dra_driver.cluster.controllers.revisions import REVISION_HASH, template_of
from fake_dra_driver.cluster.controllers.rollout import resolve
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.owners import controlled_by
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, StatefulSet

__all__ = [
    "Replicas",
    "is_healthy",
    "is_named_by",
    "is_outdated",
    "is_running",
    "is_stepwise",
    "make_pod",
    "max_unavailable",
]

_POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
_POD_INDEX: Final = "apps.kubernetes.io/pod-index"
_ORDINAL: Final = re.compile(r"(?P<parent>.*)-(?P<ordinal>\d+)")


@dataclass(slots=True)
class Replicas:
    """The pods of a StatefulSet that there are."""

    wanted: dict[int, Pod | None] = field(default_factory=dict)
    """By ordinal, in order; None: it is missing."""
    condemned: list[Pod] = field(default_factory=list)
    """Those with other ordinals, the highest first."""

    @classmethod
    def of(cls, owner: StatefulSet, pods: Iterable[Pod]) -> "Replicas":
        """Sorts the pods; others than those named by the StatefulSet are left out."""
        start = owner.spec.ordinals.start
        replicas = cls(dict.fromkeys(range(start, start + owner.spec.replicas)))
        surplus = []
        for pod in pods:
            ordinal = _ordinal(owner, pod)
            if ordinal in replicas.wanted:
                replicas.wanted[ordinal] = pod
            elif ordinal >= 0:
                surplus.append((ordinal, pod))
        replicas.condemned = [pod for _, pod in sorted(surplus, key=lambda each: -each[0])]
        return replicas

    @property
    def present(self) -> Sequence[Pod]:
        """All that there are."""
        return [*(pod for pod in self.wanted.values() if pod is not None), *self.condemned]


def _ordinal(owner: StatefulSet, pod: Pod) -> int:
    """The number in the pod's name; -1: it is none of the StatefulSet's."""
    found = _ORDINAL.fullmatch(pod.metadata.name)
    return int(found["ordinal"]) if found is not None and found["parent"] == owner.metadata.name else -1


def is_named_by(owner: StatefulSet, pod: Pod) -> bool:
    """Whether the pod's name is one that the StatefulSet gives."""
    return _ordinal(owner, pod) >= 0


def make_pod(owner: StatefulSet, ordinal: int, current: ControllerRevision, updated: ControllerRevision) -> Pod:
    """The pod of that ordinal.

    Args:
        owner: the StatefulSet.
        ordinal: of the pod.
        current: the revision that pods had before the update that is under way.
        updated: the revision of the present template.
    """
    revision = current if _stays(owner, ordinal) else updated
    template = template_of(revision)
    name = f"{owner.metadata.name}-{ordinal}"
    labels = {_POD_NAME: name, _POD_INDEX: str(ordinal), REVISION_HASH: revision.metadata.name}
    metadata = ObjectMeta(
        name=name,
        namespace=owner.metadata.namespace,
        labels={**template.metadata.labels, **labels},
        annotations=template.metadata.annotations,
        owner_references=(controlled_by(owner),),
    )
    identity = (
        {"hostname": name, "subdomain": owner.spec.service_name} if owner.spec.service_name else {"hostname": name}
    )
    spec = type(template.spec).model_validate({**template.spec.to_wire(), **identity})
    return Pod(metadata=metadata, spec=spec)


def _stays(owner: StatefulSet, ordinal: int) -> bool:
    """Whether a pod of that ordinal is made from the earlier template."""
    strategy = owner.spec.update_strategy
    if strategy.type != "RollingUpdate":
        return False
    if strategy.rolling_update is None:
        return ordinal < owner.spec.ordinals.start + owner.status.current_replicas
    return ordinal < owner.spec.ordinals.start + strategy.rolling_update.partition


def max_unavailable(owner: StatefulSet) -> int:
    """How many pods may be unhealthy while others are replaced."""
    rolling = owner.spec.update_strategy.rolling_update
    asked = rolling.max_unavailable if rolling is not None else None
    return 1 if asked is None else max(resolve(asked, owner.spec.replicas, up=True), 1)


def is_stepwise(owner: StatefulSet) -> bool:
    """Whether one pod waits for the other."""
    return owner.spec.pod_management_policy != "Parallel"


def is_outdated(pod: Pod, updated: ControllerRevision) -> bool:
    """Whether the pod was made from another template than the present one."""
    return pod.metadata.labels.get(REVISION_HASH) != updated.metadata.name


def is_running(pod: Pod) -> bool:
    """Whether the pod runs and is ready, being deleted or not."""
    return pod.status.phase == "Running" and is_ready(pod)


def is_healthy(pod: Pod) -> bool:
    """Whether the pod runs, is ready and stays."""
    return is_running(pod) and not pod.is_deleting
