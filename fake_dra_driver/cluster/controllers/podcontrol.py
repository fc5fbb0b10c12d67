"""What the controllers of workloads have in common: pods from templates, which pods count, and which go first.

Follows k8s.io/kubernetes/pkg/controller/controller_utils.go and pkg/api/v1/pod.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, ObjectMeta
from fake_dra_driver.cluster.kinds import Pod, PodSpec
from fake_dra_driver.cluster.owners import controlled_by, controller_of
from fake_dra_driver.cluster.workloadkinds import PodTemplateSpec
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ApiError, ForbiddenError, NotFoundError
from fake_dra_driver.runtime.events import EventSink

__all__ = [
    "BY_CONTROLLER",
    "PodControl",
    "age_rank",
    "controller_uid",
    "counted",
    "deletion_rank",
    "is_active",
    "is_namespace_going",
    "is_ready",
    "seconds_to_available",
    "template_hash",
]

S = TypeVar("S", bound=ApiModel)

BY_CONTROLLER: Final = "controller"
"""Index of a cache: UID of the object that made an object and is responsible for it."""
_HASH_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no 0, 1, 3: nothing that reads as a word (k8s.io/apimachinery/pkg/util/rand)."""
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def controller_uid(obj: KubeObject) -> Iterable[str]:
    """Index function for ``BY_CONTROLLER``."""
    owner = controller_of(obj)
    return () if owner is None else (owner.uid,)


def is_active(pod: Pod) -> bool:
    """Whether the pod counts as one of its workload's: it has not ended, and is not being deleted."""
    return not pod.is_finished and not pod.is_deleting


def is_ready(pod: Pod) -> bool:
    """Whether the pod says that it is ready."""
    condition = pod.condition("Ready")
    return condition is not None and condition.status == "True"


def seconds_to_available(pod: Pod, min_ready_seconds: int, now: datetime) -> float | None:
    """How long until the pod has been ready for that long; 0: it has been. None: it is not ready."""
    condition = pod.condition("Ready")
    if condition is None or condition.status != "True":
        return None
    if min_ready_seconds == 0 or condition.last_transition_time is None:
        return 0.0
    return max(min_ready_seconds - (now - condition.last_transition_time).total_seconds(), 0.0)


def deletion_rank(pod: Pod) -> tuple[Any, ...]:
    """Sort key that puts the most dispensable pods first: without a node, pending, not ready, young."""
    created = pod.metadata.creation_timestamp
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase, 0),
        is_ready(pod),
        -created.timestamp() if created is not None else 0.0,
        pod.metadata.name,
    )


def age_rank(obj: KubeObject) -> tuple[float, str]:
    """Sorts the oldest first."""
    created = obj.metadata.creation_timestamp
    return (created.timestamp() if created is not None else 0.0, obj.metadata.name)


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """A short hash of a template, for names and labels. Not the one that Go computes, but just as stable."""
    text = json.dumps(template, sort_keys=True) + (str(collisions) if collisions else "")
    value = 0x811C9DC5
    for byte in text.encode():  # FNV-1a, 32 bits
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "".join(_HASH_LETTERS[ord(digit) % len(_HASH_LETTERS)] for digit in str(value))


def counted(status: S, counts: Mapping[str, int], *, always: Sequence[str] = ()) -> S:
    """A status with these counts. Those that are 0 are left out, as in Go, but for those in ``always``."""
    fields = {name: getattr(status, name) for name in status.model_fields_set & set(type(status).model_fields)}
    kept = {name: each for name, each in {**fields, **counts}.items() if each or name in always}
    return type(status)(**kept, **(status.model_extra or {}))


class PodControl:
    """Creates and deletes the pods of workloads, with an Event on the workload."""

    def __init__(self, client: Client, events: EventSink) -> None:
        self._client = client
        self._events = events

    async def create(
        self,
        owner: KubeObject,
        template: PodTemplateSpec,
        *,
        more: ObjectMeta | None = None,
        spec: PodSpec | None = None,
    ) -> None:
        """Creates a pod of the owner from a template. Does nothing in a namespace that is being deleted.

        Args:
            owner: the workload.
            template: what the pod is made from.
            more: labels, annotations and finalizers beside those of the template, and another ``generate_name``.
            spec: in the place of the template's.

        Raises what the API call raises.
        """
        extra = more or ObjectMeta()
        metadata = ObjectMeta(
            generate_name=extra.generate_name or f"{owner.metadata.name}-",
            namespace=owner.metadata.namespace,
            labels={**template.metadata.labels, **extra.labels},
            annotations={**template.metadata.annotations, **extra.annotations},
            finalizers=extra.finalizers,
            owner_references=(controlled_by(owner),),
        )
        try:
            pod = await self._client.create(Pod(metadata=metadata, spec=spec or template.spec))
        except ApiError as error:
            if is_namespace_going(error):
                return
            self._events.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {pod.metadata.name}")

    async def delete(self, owner: KubeObject, pod: Pod) -> None:
        """Deletes a pod, if it is still this one. Raises what the API call raises."""
        try:
            await self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFoundError:
            return
        except ApiError as error:
            self._events.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")


def is_namespace_going(error: ApiError) -> bool:
    """Whether the API server refused because the namespace is gone or being deleted."""
    causes = error.details.get("causes") or ()
    terminating = any(isinstance(each, Mapping) and each.get("reason") == "NamespaceTerminating" for each in causes)
    return isinstance(error, NotFoundError) or (isinstance(error, ForbiddenError) and terminating)
