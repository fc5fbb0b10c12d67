"""The Node object of a kubelet and its Lease: how the cluster knows that the node is alive, and what it has.

Follows k8s.io/kubernetes/pkg/kubelet (kubelet_node_status.go, nodestatus) and component-helpers/apimachinery/lease: the
lease of 40 s is renewed every 10 s; the status is written when something in it has changed, and each five minutes. A
kubelet that stops just stops renewing; a controller then marks the node as not ready.

A node has the capacity that it is told, else that of the whole machine: nothing is reserved for the system, and what a
container takes is not limited.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loguru import logger

from fake_dra_driver.api.kube.coordination import Lease, LeaseSpec
from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.cluster.kinds import Node
from fake_dra_driver.cluster.kubelet.pods.status import RUNTIME_NAME
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, loop_time, utc_now
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError, RuntimeLayerError
from fake_dra_driver.runtime.events import EventRecorder

__all__ = ["RENEW_SECONDS", "NodeAgent", "NodeIdentity"]

log = logger.bind(component="node")

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
"""nodeLeaseDurationSeconds of the kubelet's configuration."""
RENEW_SECONDS = 10.0
"""A quarter of that."""
REPORT_SECONDS = 300.0
"""nodeStatusReportFrequency."""
_MAX_PODS = 110
_DISK = os.statvfs("/")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_HEALTHY = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What identifies a node."""

    name: str
    address: str
    kubernetes_version: str
    """Such as 1.30.14."""
    boot_id: str
    """Of its runtime; a new one after each reboot."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """In addition to those that every kubelet sets."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of a Node that is made; one that is there keeps its own."""
    taints: Sequence[Mapping[str, str]] = ()
    """Likewise (``--register-with-taints``)."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """Quantities by resource; what is not there is as this machine has it."""


class NodeAgent:
    """Registers a node and keeps it alive.

    Args:
        client: writes.
        identity: of the node.
        events: reports starts and reboots.
        now: the clock for timestamps.
        renew_seconds: between two renewals of the lease.
    """

    def __init__(
        self,
        client: Client,
        identity: NodeIdentity,
        events: EventRecorder,
        *,
        now: WallClock = utc_now,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._client = client
        self._identity = identity
        self._events = events
        self._now = now
        self._renew_seconds = renew_seconds
        self._key = NamespacedName("", identity.name)
        self._lease = NamespacedName(LEASE_NAMESPACE, identity.name)
        self._uid = UID("")
        self.known: Node | None = None
        """The Node as it was last read or written; None: not yet."""
        self._reported_at = -REPORT_SECONDS

    async def register(self) -> None:
        """Creates the Node, or takes over that of an earlier kubelet. Retries until the API server accepts it."""
        backoff = Backoff(0.2, 7.0)
        while True:
            try:
                return await self._register()
            except RuntimeLayerError as error:
                log.warning("Node not registered, trying again", node=self._identity.name, error=str(error))
            await asyncio.sleep(backoff.next())

    async def _register(self) -> None:
        self._event("Normal", "Starting", "Starting kubelet.")
        wanted = self._node()
        try:
            node = await self._client.create(Node.from_wire(wanted))
            log.info("Node registered", node=self._identity.name)
        except AlreadyExistsError:
            node = await self._client.get(Node, self._key)
            before = (node.status.model_extra or {}).get("nodeInfo", {}).get("bootID")
            labels = {"metadata": {"labels": wanted["metadata"]["labels"]}}
            await self._client.merge_patch(Node, self._key, labels)
            if before and before != self._identity.boot_id:
                message = f"Node {self._identity.name} has been rebooted, boot id: {self._identity.boot_id}"
                self._event("Warning", "Rebooted", message)
            log.info("Node was registered already", node=self._identity.name)
        self._uid = node.uid
        await self._report(node)
        await self._renew()
        self._event("Normal", "NodeReady", f"Node {self._identity.name} status is now: NodeReady")

    async def run(self) -> None:
        """Renews the lease and reports the status until cancelled. To be called after ``register``."""
        while True:
            await asyncio.sleep(self._renew_seconds)
            try:
                await self._renew()
                node = await self._client.get(Node, self._key)
                await self._report(node)
            except NotFoundError:
                log.warning("Node object is gone; the kubelet creates it at its next start", node=self._identity.name)
            except RuntimeLayerError as error:
                log.warning("Node status not reported, trying again", node=self._identity.name, error=str(error))

    # --- Lease ---------------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        now = self._now()
        try:
            await self._client.merge_patch(Lease, self._lease, {"spec": LeaseSpec(renew_time=now).to_wire()})
        except NotFoundError:
            owner = OwnerReference(api_version="v1", kind="Node", name=self._identity.name, uid=self._uid)
            metadata = ObjectMeta(name=self._lease.name, namespace=self._lease.namespace, owner_references=(owner,))
            spec = LeaseSpec(holder_identity=self._identity.name, lease_duration_seconds=LEASE_SECONDS, renew_time=now)
            await self._client.create(Lease(metadata=metadata, spec=spec))

    # --- Status --------------------------------------------------------------------------------------------------

    async def _report(self, node: Node) -> None:
        """Writes the status if it has changed, or was not written for a while."""
        self.known = node
        status = self._status(node)
        present = node.status.to_wire()
        is_same = all(_without_times(present.get(name)) == _without_times(value) for name, value in status.items())
        if is_same and loop_time() - self._reported_at < REPORT_SECONDS:
            return
        self.known = await self._client.merge_patch(Node, self._key, {"status": status}, subresource="status")
        self._reported_at = loop_time()

    def _node(self) -> dict[str, Any]:
        system, architecture = os.uname().sysname.lower(), _architecture()
        labels = {
            **{f"{prefix}kubernetes.io/os": system for prefix in ("", "beta.")},
            **{f"{prefix}kubernetes.io/arch": architecture for prefix in ("", "beta.")},
            "kubernetes.io/hostname": self._identity.name,
            **self._identity.labels,
        }
        metadata = {"name": self._identity.name, "labels": labels, "annotations": dict(self._identity.annotations)}
        taints = [dict(taint) for taint in self._identity.taints]
        return {"metadata": metadata, "spec": {"taints": taints} if taints else {}, "status": {}}

    def _status(self, node: Node) -> dict[str, Any]:
        now = self._now().replace(microsecond=0).isoformat().replace("+00:00", "Z")
        before = {condition.type: condition.to_wire() for condition in node.status.conditions}
        conditions = []
        for type_, status, reason, message in _HEALTHY:
            old = before.pop(type_, {})
            since = old.get("lastTransitionTime") if old.get("status") == status else None
            condition = {"type": type_, "status": status, "reason": reason, "message": message}
            conditions.append({**condition, "lastHeartbeatTime": now, "lastTransitionTime": since or now})
        resources = {**_resources(), **self._identity.capacity}
        return {
            "addresses": [
                {"type": "InternalIP", "address": self._identity.address},
                {"type": "Hostname", "address": self._identity.name},
            ],
            "capacity": resources,
            "allocatable": resources,
            "conditions": [*conditions, *before.values()],
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": self._identity.boot_id,
                "kernelVersion": os.uname().release,
                "osImage": os.uname().sysname,
                "containerRuntimeVersion": f"{RUNTIME_NAME}://1",
                "kubeletVersion": f"v{self._identity.kubernetes_version}",
                "kubeProxyVersion": "",
                "operatingSystem": os.uname().sysname.lower(),
                "architecture": _architecture(),
            },
        }

    def _event(self, type_: str, reason: str, message: str) -> None:
        # A kubelet uses the name of its node as the UID in events: it does not know the UID when it starts.
        about = ObjectReference(kind="Node", name=self._identity.name, uid=UID(self._identity.name))
        self._events.event(about, "Warning" if type_ == "Warning" else "Normal", reason, message)


def _architecture() -> str:
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def _resources() -> Mapping[str, str]:
    memory_kib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{memory_kib}Ki",
        "ephemeral-storage": f"{_DISK.f_blocks * _DISK.f_frsize // 1024}Ki",
        "pods": str(_MAX_PODS),
    }


def _without_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_times(each) for each in value]
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if not name.endswith("Time")}
        return {name: each for name, each in kept.items() if each != ""}
    return value
