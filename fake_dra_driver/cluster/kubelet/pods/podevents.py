"""Events about a pod and its containers, in the words and with the reasons of a real kubelet.

Follows k8s.io/kubernetes/pkg/kubelet/events; the messages of ``Pulled`` and of failures say what is different here.
"""

from typing import Literal

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.cluster.kubelet.pod import Container, Pod
from fake_dra_driver.runtime.events import EventRecorder

__all__ = ["PodEvents"]


class PodEvents:
    """Reports what happens to a node's pods."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder

    def of_pod(self, pod: Pod, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """An event about the pod as a whole."""
        self._recorder.event(pod, type_, reason, message)

    def of_container(
        self, pod: Pod, spec: Container, type_: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """An event about one container."""
        is_init = any(each.name == spec.name for each in pod.spec.init_containers)
        field = f"spec.{'initContainers' if is_init else 'containers'}{{{spec.name}}}"
        about = ObjectReference.model_validate(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": pod.metadata.namespace,
                "name": pod.metadata.name,
                "uid": pod.uid,
                "resourceVersion": pod.metadata.resource_version,
                "fieldPath": field,
            }
        )
        self._recorder.event(about, type_, reason, message)
