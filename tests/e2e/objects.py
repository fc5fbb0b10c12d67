"""The parts of built-in kinds that only these tests read: containers of a pod, audit records."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from fake_dra_driver.api.kube.core import ContainerStatus as CoreContainerStatus
from fake_dra_driver.api.kube.core import Pod, PodSpec, PodStatus
from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, ResourceKind

__all__ = ["AuditEvent", "Container", "ContainerStatus", "Namespace", "RunningPod"]


class ContainerPort(ApiModel):
    """v1.ContainerPort."""

    name: str = ""
    container_port: int


class Container(ApiModel):
    """v1.Container."""

    name: str
    args: tuple[str, ...] = ()
    ports: tuple[ContainerPort, ...] = ()


class ContainerState(ApiModel):
    """v1.ContainerState; one of its members is set."""

    terminated: Mapping[str, object] | None = None


class ContainerStatus(CoreContainerStatus):
    """v1.ContainerStatus."""

    name: str
    state: ContainerState = Field(default_factory=ContainerState)
    ready: bool = False
    restart_count: int = 0
    container_id: str = Field(default="", alias="containerID")
    """``containerd://<id>``; the id is also the name of the container's cgroup."""


class RunningPodSpec(PodSpec):
    """v1.PodSpec with its containers."""

    containers: tuple[Container, ...] = ()


class PodCondition(ApiModel):
    """v1.PodCondition."""

    type: str
    status: str
    last_transition_time: datetime | None = None


class RunningPodStatus(PodStatus):
    """v1.PodStatus with what the kubelet says about the containers."""

    pod_ip: str = Field(default="", alias="podIP")
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class RunningPod(Pod):
    """v1.Pod with its containers."""

    spec: RunningPodSpec = Field(default_factory=RunningPodSpec)
    status: RunningPodStatus = Field(default_factory=RunningPodStatus)

    @property
    def is_ready(self) -> bool:
        """Whether the kubelet says Ready, and the pod is not being deleted."""
        return not self.is_deleting and any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)

    @property
    def has_ended(self) -> bool:
        """Whether the pod is being deleted and no container of it runs any more: its claims are unprepared next."""
        return self.is_deleting and all(status.state.terminated for status in self.status.container_statuses)

    @property
    def ready_since(self) -> datetime | None:
        """When the pod last became Ready, or stopped being so."""
        return next((c.last_transition_time for c in self.status.conditions if c.type == "Ready"), None)

    @property
    def http_port(self) -> int:
        """The port that a container of this pod calls ``http``."""
        ports = [port for container in self.spec.containers for port in container.ports]
        return next(port.container_port for port in ports if port.name == "http")

    @property
    def restarts(self) -> int:
        """How often a container of this pod was started again."""
        return sum(status.restart_count for status in self.status.container_statuses)


class Namespace(KubeObject):
    """v1.Namespace."""

    resource = ResourceKind("", "v1", "Namespace", "namespaces", namespaced=False)


class AuditUser(ApiModel):
    """authentication.k8s.io UserInfo."""

    username: str = ""


class AuditStatus(ApiModel):
    """The ``responseStatus`` of an audit Event."""

    message: str = ""


class AuditEvent(ApiModel):
    """audit.k8s.io/v1 Event: one request to the API server."""

    verb: str
    user_agent: str = ""
    response_status: AuditStatus = Field(default_factory=AuditStatus)
    user: AuditUser = Field(default_factory=AuditUser)
    request_uri: str = Field(default="", alias="requestURI")
    annotations: Mapping[str, str] = Field(default_factory=dict)
    request_received_timestamp: datetime
