"""Writes the statuses of pods to the API server, and removes pods from it that are over.

Follows k8s.io/kubernetes/pkg/kubelet/status (status_manager.go). The workers of pods only hand in the status
that a pod should have; this reconciler writes it, now or when the API server is back, overwrites what others write into
the kubelet's fields, and deletes a pod whose deletion has waited for its end. Conditions of others, such as readiness
gates, stay.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.kubelet.pods.status import Draft
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.informer import Informer
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["StatusWriter"]

log = logger.bind(component="status")

_WORKERS = 4


class StatusWriter(Reconciler):
    """The statuses of one node's pods; ``controller`` is to be run.

    Args:
        client: writes.
        pods: the node's pods, as the API server has them.
    """

    def __init__(self, client: Client, pods: Informer[Pod]) -> None:
        self._client = client
        self._pods = pods
        self._drafts: dict[UID, Draft] = {}
        self.controller = Controller("pod-status", self, workers=_WORKERS)
        self.controller.watch(pods)

    def put(self, pod: Pod, draft: Draft) -> None:
        """Sets the status that the pod should have."""
        self._drafts[pod.uid] = draft
        self.controller.enqueue(pod.key)

    def forget(self, uid: UID) -> None:
        """Forgets a pod that is gone."""
        self._drafts.pop(uid, None)

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._pods.get(request)
        draft = self._drafts.get(pod.uid) if pod is not None else None
        if pod is None or draft is None:
            return Result()
        try:
            if patch := _difference(pod, draft):
                # For this very version: the list of conditions is written as a whole, and has other writers, too.
                metadata = {"uid": pod.uid, "resourceVersion": pod.metadata.resource_version}
                body = {"metadata": metadata, "status": patch}
                await self._client.merge_patch(Pod, request, body, subresource="status")
                return Result(requeue_after=0)
            if draft.is_final and pod.is_deleting:
                await self._client.delete(Pod, request, uid=pod.uid, grace_period_seconds=0)
        except NotFoundError:
            log.debug("Pod is gone already", pod=str(request))
        return Result()


def _difference(pod: Pod, draft: Draft) -> Mapping[str, Any]:
    """The merge patch that makes the pod's status what the draft says."""
    present = pod.status.to_wire()
    wanted = {**draft.fields, "conditions": _merge(present.get("conditions", ()), draft)}
    return {name: value for name, value in wanted.items() if _without_zeros(value) != _without_zeros(present.get(name))}


def _merge(present: Sequence[Mapping[str, Any]], draft: Draft) -> Sequence[Mapping[str, Any]]:
    """The kubelet's conditions first, in its order; the time of a change of status is that of the draft."""
    at = draft.at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    before = {condition["type"]: condition for condition in present}
    merged: list[Mapping[str, Any]] = []
    for type_, is_true, reason, message in draft.conditions:
        status = "True" if is_true else "False"
        old = before.pop(type_, {})
        since = old.get("lastTransitionTime") if old.get("status") == status else None
        condition = {"type": type_, "status": status, "reason": reason, "message": message}
        merged.append({**{k: v for k, v in condition.items() if v}, "lastTransitionTime": since or at})
    return [*merged, *before.values()]


def _without_zeros(value: Any) -> Any:
    """Without what Go leaves out: absent and empty are the same to it."""
    if isinstance(value, Mapping):
        cleaned = {name: _without_zeros(each) for name, each in value.items()}
        return {name: each for name, each in cleaned.items() if each not in (None, "", 0, False, {}, [])}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_zeros(each) for each in value]
    return value or None
