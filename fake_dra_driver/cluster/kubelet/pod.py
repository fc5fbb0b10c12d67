"""Pods as a kubelet reads them: with probes, hooks, ports, volumes and whatever else only concerns the node.

The fields that all parts of the cluster read are in ``cluster.kinds``.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, ResourceKind
from fake_dra_driver.cluster import kinds
from fake_dra_driver.cluster.kubelet.containerruntime.container import PodReference

__all__ = [
    "Container",
    "ContainerPort",
    "ExecAction",
    "GrpcAction",
    "Handler",
    "HttpGetAction",
    "Lifecycle",
    "Pod",
    "PodSpec",
    "Probe",
    "Secret",
    "TcpSocketAction",
    "Volume",
    "VolumeMount",
]

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ExecAction(ApiModel):
    """v1.ExecAction: a command in the container."""

    command: tuple[str, ...] = ()


class HttpHeader(ApiModel):
    """v1.HTTPHeader."""

    name: str
    value: str = ""


class HttpGetAction(ApiModel):
    """v1.HTTPGetAction."""

    path: str = "/"
    port: int | str
    """A number, or the name of a port of the container."""
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HttpHeader, ...] = ()


class TcpSocketAction(ApiModel):
    """v1.TCPSocketAction."""

    port: int | str
    host: str = ""


class GrpcAction(ApiModel):
    """v1.GRPCAction: grpc.health.v1."""

    port: int
    service: str = ""


class Handler(ApiModel):
    """v1.LifecycleHandler, and the part of v1.Probe that says what to do: one of these."""

    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    grpc: GrpcAction | None = None
    sleep: Mapping[str, int] | None = None


class Probe(Handler):
    """v1.Probe."""

    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class Lifecycle(ApiModel):
    """v1.Lifecycle."""

    post_start: Handler | None = None
    pre_stop: Handler | None = None


class ContainerPort(ApiModel):
    """v1.ContainerPort."""

    name: str = ""
    container_port: int


class VolumeMount(ApiModel):
    """v1.VolumeMount."""

    name: str
    mount_path: str
    sub_path: str = ""
    sub_path_expr: str = ""
    """In place of ``sub_path``: ``$(NAME)`` is the value of a variable of the container."""


class Container(kinds.Container):
    """v1.Container."""

    ports: tuple[ContainerPort, ...] = ()
    env_from: tuple[Mapping[str, Any], ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle = Field(default_factory=Lifecycle)
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False

    def digest(self) -> str:
        """A hash that changes with the container's spec."""
        text = json.dumps(self.to_wire(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class HostPath(ApiModel):
    """v1.HostPathVolumeSource."""

    path: str
    type: str = ""


class Volume(ApiModel):
    """v1.Volume with the sources that are supported here; others are in ``model_extra``."""

    name: str
    host_path: HostPath | None = None
    empty_dir: Mapping[str, Any] | None = None
    config_map: Mapping[str, Any] | None = None
    secret: Mapping[str, Any] | None = None
    projected: Mapping[str, Any] | None = None


class PodSpec(kinds.PodSpec):
    """v1.PodSpec."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    active_deadline_seconds: int | None = None
    readiness_gates: tuple[Mapping[str, str], ...] = ()
    hostname: str = ""


class Pod(kinds.Pod):
    """v1.Pod."""

    spec: PodSpec = Field(default_factory=PodSpec)

    @property
    def reference(self) -> PodReference:
        """How the runtime refers to it."""
        return PodReference(self.metadata.namespace, self.metadata.name, self.uid)

    @property
    def deletion_grace_seconds(self) -> int | None:
        """``metadata.deletionGracePeriodSeconds``: how long it may take to end; None while it is not being deleted."""
        extra = self.metadata.model_extra or {}
        seconds = extra.get("deletionGracePeriodSeconds")
        return int(seconds) if self.is_deleting and seconds is not None else None

    def metadata_field(self, path: str) -> str | None:
        """What a ``fieldRef`` to its metadata stands for; None: there is no such field."""
        simple = {
            "metadata.name": self.metadata.name,
            "metadata.namespace": self.metadata.namespace,
            "metadata.uid": self.uid,
            "metadata.labels": _format_map(self.metadata.labels),
            "metadata.annotations": _format_map(self.metadata.annotations),
        }
        if path in simple:
            return simple[path]
        if match := _SUBSCRIPT.fullmatch(path):
            entries = self.metadata.labels if match.group(1) == "labels" else self.metadata.annotations
            return entries.get(match.group(2), "")
        return None

    def container(self, name: str) -> Container | None:
        """The container of that name, init containers included."""
        every = (*self.spec.init_containers, *self.spec.containers)
        return next((each for each in every if each.name == name), None)


def _format_map(entries: Mapping[str, str]) -> str:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in entries.items()}
    return "\n".join(f'{name}="{escaped[name]}"' for name in sorted(escaped))


class Secret(KubeObject):
    """v1.Secret."""

    resource = ResourceKind("", "v1", "Secret", "secrets")

    data: Mapping[str, str] = Field(default_factory=dict)
    """Base64."""
