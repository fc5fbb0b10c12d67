"""An installed driver as the tests see it, whatever its devices are: pods, objects, slices, files, logs."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar

from loguru import logger

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.kind import NodeState
from tests.e2e.client import Client, ClientError
from tests.e2e.objects import RunningPod
from tests.e2e.protocol import Claim, Protocol
from tests.e2e.waiting import wait_until

__all__ = ["CONTROLLER", "PLUGIN", "InstalledDriver", "ListFolder"]

CONTROLLER: Final = "controller"
"""Name of the container of the controller's pod."""
PLUGIN: Final = "plugin"
"""Name of the container of the kubelet plugin's pod."""

ListFolder = Callable[[RunningPod, str], Sequence[str]]
"""Gets a pod of the kubelet plugin and the path of a folder on its node; gives the names in it."""

StateT = TypeVar("StateT", bound=NodeAllocationState | NodeState)
"""The driver's kind NodeAllocationState."""

_BAD_LINE = re.compile(r'"level": "(error|critical)"|\b(ERROR|CRITICAL)\b')
"""As JSON, and as text."""
_TRACEBACK = "Traceback (most recent call last)"


class InstalledDriver(Generic[StateT]):
    """A release of a driver's chart.

    Args:
        client: the way to the cluster.
        list_folder: the way to the nodes' folders.
        protocol: how the cluster speaks DRA.
        names: of the driver.
        state: its kind NodeAllocationState.
        namespace: where it is installed.
        release: name of the release.
    """

    def __init__(
        self,
        client: Client,
        list_folder: ListFolder,
        protocol: Protocol,
        names: DriverNames,
        state: type[StateT],
        *,
        namespace: str,
        release: str,
    ) -> None:
        self._client = client
        self._list_folder = list_folder
        self.protocol = protocol
        self.names = names
        self._state: type[StateT] = state
        self.namespace = namespace
        self._release = release
        self.replicas = 1
        """How many pods of the controller there are to be."""

    # --- pods

    def pods(self) -> Sequence[RunningPod]:
        """Every pod of the driver, also those on their way out."""
        return self._client.list(RunningPod, self.namespace)

    def controllers(self) -> Sequence[RunningPod]:
        """The controller's pods, those left out that are going."""
        return [pod for pod in self.pods() if self._is_part(pod, "controller") and not pod.is_deleting]

    def controller(self) -> RunningPod:
        """The controller's pod. Raises AssertionError when there is not exactly one that stays."""
        found = self.controllers()
        assert len(found) == 1, f"controller pods: {[pod.key.name for pod in found]}"
        return found[0]

    def plugins(self) -> Mapping[str, RunningPod]:
        """The kubelet plugin's pods by node, those left out that no kubelet will ever run or that are going."""
        return {
            pod.spec.node_name: pod
            for pod in self.pods()
            if self._is_part(pod, "kubeletplugin") and not pod.is_deleting and pod.status.container_statuses
        }

    def plugin(self) -> RunningPod:
        """The plugin's pod, on a cluster with one real node."""
        found = self.plugins()
        assert len(found) == 1, f"kubelet plugin pods: {sorted(found)}"
        return next(iter(found.values()))

    def part(self, container: str) -> RunningPod:
        """The pod of the container ``controller`` or ``plugin``."""
        return self.controller() if container == CONTROLLER else self.plugin()

    def wait_ready(self, seconds: float = 60) -> None:
        """Waits until every part is Ready and the NodeAllocationState of every node with a plugin says so too."""

        def ready() -> bool:
            plugins = self.plugins()
            controllers = self.controllers()
            assert len(controllers) == self.replicas, f"controller pods: {[pod.key.name for pod in controllers]}"
            parts = [*controllers, *plugins.values()]
            assert plugins, "no kubelet plugin"
            assert len(parts) == len([pod for pod in self.pods() if pod.status.container_statuses]), "a pod is going"
            late = [pod.key.name for pod in parts if not pod.is_ready]
            assert not late, f"not ready: {late}"
            status = {nas.metadata.name: nas.status for nas in self.nodes()}
            assert all(status.get(node) == "Ready" for node in plugins), f"NodeAllocationStates: {status}"
            if self.protocol.structured is not None:
                without = sorted(set(plugins) - set(self.offers()))
                assert not without, f"no ResourceSlice of nodes {without}"
            return True

        wait_until("controller and kubelet plugin are Ready", ready, seconds)

    def replace(self, container: str) -> None:
        """Replaces a part's pod. With the old one end the kubelet's waits between restarts, which grow to minutes."""
        self._client.delete(RunningPod, self.part(container).key.name, self.namespace, wait=True)
        self.wait_ready()

    # --- state

    def nodes(self) -> Sequence[StateT]:
        """The NodeAllocationState of every node."""
        return self._client.list(self._state, self.namespace)

    def specs(self) -> Mapping[str, Mapping[str, object]]:
        """``spec`` of every NodeAllocationState exactly as the API server has it, by node."""
        return {nas.metadata.name: nas.spec.to_wire() for nas in self.nodes()}

    def claims(self) -> Sequence[Claim]:
        """Every claim of the cluster."""
        return self._client.list(self.protocol.claims)

    def offers(self) -> Mapping[str, object]:
        """By node, the devices that our ResourceSlices offer, as the API server has them; nothing in classic DRA."""
        if self.protocol.structured is None:
            return {}
        slices = self._client.list(self.protocol.structured.slices)
        ours = [one for one in slices if one.spec.driver == self.names.driver]
        found: dict[str, list[object]] = {}
        for one in sorted(ours, key=lambda one: one.metadata.name):
            found.setdefault(one.spec.node_name or "", []).extend(device.to_wire() for device in one.spec.devices)
        return found

    def prepared_claims(self) -> set[str]:
        """UIDs of the claims that some NodeAllocationState shows as prepared."""
        return {uid for nas in self.nodes() for uid in nas.spec.prepared_devices}

    def cdi_root(self) -> str:
        """The CDI folder that the plugin of a node writes to, as its arguments say."""
        return self._plugin_argument("cdi-root")

    def plugin_folder(self) -> str:
        """The folder of the plugin's socket and checkpoint on a node, as its arguments say."""
        return f"{self._plugin_argument('kubelet-plugins-dir')}/{self.names.driver}"

    def _plugin_argument(self, name: str) -> str:
        plugin, flag = next(iter(self.plugins().values())), f"--{name}="
        arguments = [argument for container in plugin.spec.containers for argument in container.args]
        return next(argument.removeprefix(flag) for argument in arguments if argument.startswith(flag))

    def cdi_files(self) -> Sequence[str]:
        """Names of this driver's CDI specifications, the files that runtimes read, on all nodes with a plugin."""
        names = [name for pod in self.plugins().values() for name in self._list_folder(pod, self.cdi_root())]
        prefix = f"{self.names.cdi_vendor}-"
        return sorted(name for name in names if name.startswith(prefix) and name.endswith((".yaml", ".json")))

    # --- logs

    def log_lines(self, since: datetime) -> Iterator[tuple[str, str]]:
        """Pod and line of what the driver's containers wrote since then, before their last restart too."""
        for pod in (*self.plugins().values(), *self.controllers()):
            output = self._client.logs(pod, since=since)
            if pod.restarts:
                output += self._previous_log(pod, since)
            yield from ((pod.key.name, line) for line in output.splitlines())

    def _previous_log(self, pod: RunningPod, since: datetime) -> str:
        try:
            return self._client.logs(pod, pod.spec.containers[0].name, since=since, previous=True)
        except ClientError as error:
            if "previous terminated container" not in str(error):
                raise
            # It collects garbage once a minute; a container that ends in this very moment has been seen to go with it.
            logger.warning("The kubelet has removed an ended container with its log, which is not looked at: {}", error)
            return ""

    def check_logs(self, since: datetime, *, killed: bool) -> None:
        """No traceback since then; and no ERROR line, unless something was killed meanwhile."""
        bad = [
            f"{pod}: {line}"
            for pod, line in self.log_lines(since)
            if _TRACEBACK in line or (not killed and _BAD_LINE.search(line))
        ]
        assert not bad, "lines in the driver's logs:\n" + "\n".join(bad[:20])

    def _is_part(self, pod: RunningPod, part: str) -> bool:
        return pod.key.name.startswith(f"{self._release}-{part}-")
