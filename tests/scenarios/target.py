"""The clusters that the scenarios run on: the one of the kubeconfig, through kubectl, or an embedded one, over HTTP."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from typing import Protocol as TypingProtocol

import pytest
from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event, Node
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext
from fake_dra_driver.cluster import Cluster, Timing
from fake_dra_driver.cluster.releases import find_release
from fake_dra_driver.cluster.testing import BackgroundCluster
from fake_dra_driver.demo.install import DRIVER_IMAGES, install_driver
from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.driver.names import NAMES
from tests.e2e.client import Client
from tests.e2e.driver import CONTROLLER, DRIVER_NAMESPACE, Driver
from tests.e2e.fixtures import list_folder_of, show_cluster
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster, Process
from tests.e2e.objects import RunningPod
from tests.e2e.protocol import CLASSIC, Protocol, find_protocol
from tests.e2e.waiting import patience
from tests.scenarios.http import HttpClient
from tests.support.kwok import running_kwok

__all__ = ["Machine", "Target", "embedded_target", "kubeconfig_target"]

_PATIENCE = 6
"""Times the deadlines of the tests, on an embedded cluster: it is no machine of its own, as a real cluster is."""
_VALUES: Mapping[str, Any] = {
    "controller": {"settings": {"leaderElectLeaseDurationSeconds": 120, "leaderElectRenewDeadlineSeconds": 90}}
}
"""Of the chart: a machine that stands still for a while deposes no controller, which would be an error in its log."""
_AWAY_SECONDS = 0.5
"""About what an API server takes to start again."""
_REPORT_CHARACTERS = 20_000


class Machine(TypingProtocol):
    """The machine that a cluster runs on, on which processes can be killed."""

    def kill(self, pod: RunningPod, container: str) -> None:
        """Kills a container's processes with SIGKILL; the kubelet starts the container again."""
        ...

    def restart(self, process: Process) -> None:
        """Ends one of the cluster's own processes and starts it again."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster with the driver in it."""

    client: Client
    driver: Driver
    machine: Machine | None
    """None when the cluster is elsewhere."""
    check_nothing_forbidden: Callable[[datetime], None]
    """Fails when RBAC has refused the driver something since then."""
    show: Callable[[pytest.TestReport], None]
    """Adds what a person needs to the report of a failed test."""
    kwok: Callable[[Path], AbstractContextManager[None]]
    """Looks after KWOK's nodes for the block; its log is in this folder."""


@contextmanager
def kubeconfig_target(_: str) -> Iterator[Target]:
    """The cluster that the kubeconfig points to; its driver is installed."""
    kubectl, machine = Kubectl(), LocalCluster.from_environment()
    kubectl("get", "--raw", "/readyz")
    protocol = find_protocol(kubectl)

    def check_nothing_forbidden(since: datetime) -> None:
        if machine is not None:
            machine.check_nothing_forbidden(DRIVER_NAMESPACE, since)

    driver = Driver(kubectl, list_folder_of(kubectl), protocol)

    def kwok(folder: Path) -> AbstractContextManager[None]:
        config = folder / "kubeconfig"
        config.touch(mode=0o600)
        config.write_text(kubectl("config", "view", "--raw", "--minify", "--flatten"))
        return running_kwok(config, folder / "kwok.log")

    yield Target(kubectl, driver, machine, check_nothing_forbidden, show_cluster, kwok)


@contextmanager
def embedded_target(release: str) -> Iterator[Target]:
    """An embedded cluster, as ``cluster up --node --static-nodes`` makes a real one; the driver is installed in it."""
    options: dict[str, Any] = {
        "kubernetes_version": release,
        "images": DRIVER_IMAGES,
        "static_nodes": True,
        "namespace_grace_seconds": 0,
        "timing": Timing(resync_seconds=1, retry_seconds=0.2),
    }
    with BackgroundCluster(**options) as background, patience(_PATIENCE):
        client = HttpClient(background.kubeconfig)
        # The controller that would take the taint of a new node away is left out.
        for node in background.cluster.nodes:
            client.patch(Node, node, {"spec": {"taints": None}})
        background.call(lambda cluster: install_driver(cluster, _VALUES))

        def list_folder(plugin: RunningPod, folder: str) -> Sequence[str]:
            root = background.cluster.node_root(plugin.spec.node_name)
            return [path.name for path in (root / folder.lstrip("/")).iterdir()]

        def check_nothing_forbidden(since: datetime) -> None:
            """The embedded API server leaves authorization out."""

        try:
            yield Target(
                client,
                Driver(client, list_folder, _protocol_of(release)),
                _EmbeddedMachine(background, client),
                check_nothing_forbidden,
                lambda report: _show(client, _protocol_of(release), report),
                lambda _: nullcontext(),  # it does for them what KWOK does, always
            )
        finally:
            client.close()


def _protocol_of(release: str) -> Protocol:
    version = find_release(release).structured_version
    return Protocol(DraApi(version)) if version else CLASSIC


class _EmbeddedMachine(Machine):
    def __init__(self, background: BackgroundCluster, client: Client) -> None:
        self._background = background
        self._client = client

    @override
    def kill(self, pod: RunningPod, container: str) -> None:
        async def kill(cluster: Cluster) -> None:
            cluster.faults.send_signal(pod.key, container)

        self._background.call(kill)
        if container == CONTROLLER:
            # Else the next one would wait until the lease of the dead one has run out.
            self._client.delete(Lease, NAMES.controller, DRIVER_NAMESPACE)

    @override
    def restart(self, process: Process) -> None:
        match process:
            # There is no etcd: the API server keeps the objects itself.
            case "kube-apiserver" | "etcd":
                self._background.call(lambda cluster: cluster.faults.restart_apiserver(_AWAY_SECONDS))
            case "kubelet":
                self._background.call(lambda cluster: cluster.faults.restart_kubelet(cluster.nodes[0]))
            case _:
                self._background.call(lambda cluster: cluster.faults.restart_component(process))


def _show(client: Client, protocol: Protocol, report: pytest.TestReport) -> None:
    special = protocol.structured.slices if protocol.structured else PodSchedulingContext
    kinds: Sequence[type[KubeObject]] = (RunningPod, protocol.claims, special, NodeAllocationState, Event)
    for kind in kinds:
        objects = "\n".join(str(found.to_wire()) for found in client.list(kind))
        report.sections.append((kind.resource.plural, objects[-_REPORT_CHARACTERS:]))
    for pod in client.list(RunningPod, DRIVER_NAMESPACE):
        report.sections.append((f"logs of {pod.key.name}", client.logs(pod)[-_REPORT_CHARACTERS:]))
