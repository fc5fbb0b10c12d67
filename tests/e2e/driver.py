"""The installed driver as the tests see it: its pods, the NodeAllocationState of each node, CDI files, logs."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from loguru import logger

from fake_dra_driver.api.fake import CDI_CLASS, CDI_VENDOR, DRIVER_NAME, NodeAllocationState
from fake_dra_driver.device.split import children
from tests.e2e.client import Client, ClientError
from tests.e2e.objects import RunningPod
from tests.e2e.protocol import CLASSIC, Claim, Protocol
from tests.e2e.waiting import wait_until

__all__ = [
    "COMMON_CDI_FILE",
    "CONTROLLER",
    "DRIVER_NAMESPACE",
    "PLUGIN",
    "Driver",
    "ListFolder",
    "check_ledger",
    "check_prepared",
]

DRIVER_NAMESPACE: Final = "fake-system"
"""Namespace and release name of the quickstart's helm command."""
_RELEASE: Final = "fake-dra-driver"

CONTROLLER: Final = "controller"
"""Name of the container of the controller's pod."""
PLUGIN: Final = "plugin"
"""Name of the container of the kubelet plugin's pod."""

COMMON_CDI_FILE: Final = f"{CDI_VENDOR}-{CDI_CLASS}_common.yaml"

ListFolder = Callable[[RunningPod, str], Sequence[str]]
"""Gets a pod of the kubelet plugin and the path of a folder on its node; gives the names in it."""

_BAD_LINE = re.compile(r'"level": "(error|critical)"|\b(ERROR|CRITICAL)\b')
"""As JSON, and as text."""
_TRACEBACK = "Traceback (most recent call last)"


class Driver:
    """The release ``fake-dra-driver`` in the namespace ``fake-system``."""

    def __init__(self, client: Client, list_folder: ListFolder, protocol: Protocol = CLASSIC) -> None:
        self._client = client
        self._list_folder = list_folder
        self.protocol = protocol
        """How the cluster speaks DRA."""

    # --- pods

    def pods(self) -> Sequence[RunningPod]:
        """Every pod of the driver, also those on their way out."""
        return self._client.list(RunningPod, DRIVER_NAMESPACE)

    def controller(self) -> RunningPod:
        """The controller's pod. Raises AssertionError when there is not exactly one that stays."""
        found = [pod for pod in self.pods() if _is_part(pod, "controller") and not pod.is_deleting]
        assert len(found) == 1, f"controller pods: {[pod.key.name for pod in found]}"
        return found[0]

    def plugins(self) -> Mapping[str, RunningPod]:
        """The kubelet plugin's pods by node, those left out that no kubelet will ever run or that are going."""
        return {
            pod.spec.node_name: pod
            for pod in self.pods()
            if _is_part(pod, "kubeletplugin") and not pod.is_deleting and pod.status.container_statuses
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
            parts = [self.controller(), *plugins.values()]
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
        self._client.delete(RunningPod, self.part(container).key.name, DRIVER_NAMESPACE, wait=True)
        self.wait_ready()

    # --- state

    def nodes(self) -> Sequence[NodeAllocationState]:
        """The NodeAllocationState of every node."""
        return self._client.list(NodeAllocationState, DRIVER_NAMESPACE)

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
        ours = sorted((one for one in slices if one.spec.driver == DRIVER_NAME), key=lambda one: one.metadata.name)
        found: dict[str, list[object]] = {}
        for one in ours:
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
        return f"{self._plugin_argument('kubelet-plugins-dir')}/{DRIVER_NAME}"

    def _plugin_argument(self, name: str) -> str:
        plugin, flag = next(iter(self.plugins().values())), f"--{name}="
        arguments = [argument for container in plugin.spec.containers for argument in container.args]
        return next(argument.removeprefix(flag) for argument in arguments if argument.startswith(flag))

    def cdi_files(self) -> Sequence[str]:
        """Names of this driver's CDI specifications, the files that runtimes read, on all nodes with a plugin."""
        names = [name for pod in self.plugins().values() for name in self._list_folder(pod, self.cdi_root())]
        return sorted(name for name in names if name.startswith(CDI_VENDOR) and name.endswith((".yaml", ".json")))

    def wait_initial(self, initial: Mapping[str, Mapping[str, object]], seconds: float = 60) -> None:
        """Waits until nothing is left of any claim: object, finalizer, ledger, prepared devices, CDI file."""

        def clean() -> bool:
            claims = [f"{claim.key} (finalizers {list(claim.metadata.finalizers)})" for claim in self.claims()]
            assert not claims, f"claims left: {claims}"
            specs = self.specs()
            assert specs == initial, f"NodeAllocationStates: {specs}, initially: {initial}"
            files = self.cdi_files()
            assert set(files) == {COMMON_CDI_FILE}, f"CDI files: {files}"
            return True

        wait_until("everything is back to its initial state", clean, seconds)

    # --- logs

    def log_lines(self, since: datetime) -> Iterator[tuple[str, str]]:
        """Pod and line of what the driver's containers wrote since then, before their last restart too."""
        for pod in (*self.plugins().values(), self.controller()):
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


def _is_part(pod: RunningPod, part: str) -> bool:
    return pod.key.name.startswith(f"{_RELEASE}-{part}-")


def check_ledger(nodes: Sequence[NodeAllocationState], claims: Sequence[Claim], protocol: Protocol = CLASSIC) -> None:
    """What holds at every moment: no device has two claims, and what is prepared belongs to what is allocated.

    Args:
        nodes: read before ``claims``; a claim that was allocated in between is in no ledger yet.
        claims: each that says it is allocated must have the finalizer of who allocated it.
        protocol: of the cluster.
    """
    for nas in nodes:
        allocatable = {device.fake.uuid for device in nas.spec.allocatable_device if device.fake}
        holder: dict[str, str] = {}
        for uid, allocated in nas.spec.allocated_claims.items():
            assert allocated.fake is not None, f"{nas.key}: claim {uid} holds nothing"
            for device in allocated.fake.devices:
                assert device.uuid in allocatable, f"{nas.key}: claim {uid} holds {device.uuid}, which is not there"
                assert device.uuid not in holder, f"{nas.key}: {device.uuid} is held by {uid} and {holder[device.uuid]}"
                holder[device.uuid] = uid
    for claim in claims:
        assert not claim.status.allocation or protocol.claim_finalizer in claim.metadata.finalizers, (
            f"{claim.key}: no finalizer"
        )


def check_prepared(nas: NodeAllocationState, uid: str) -> Sequence[str]:
    """The UUIDs that are prepared for a claim; they must be exactly what its allocation stands for."""
    allocated, prepared = nas.spec.allocated_claims[uid].fake, nas.spec.prepared_devices[uid].fake
    assert allocated is not None, f"{nas.key}: claim {uid} holds nothing"
    assert prepared is not None, f"{nas.key}: nothing is prepared for claim {uid}"
    expected: list[tuple[str, str | None]] = []
    for device in allocated.devices:
        if device.split:
            expected += [(child, device.uuid) for child in children(device.uuid, device.split)]
        else:
            expected.append((device.uuid, None))
    assert [(device.uuid, device.parent_uuid) for device in prepared.devices] == expected
    return [uuid for uuid, _ in expected]
