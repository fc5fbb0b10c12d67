"""A cluster whose node is this machine: its processes can be stopped, killed and started again.

``cluster up --node`` of the folder that KUBE_DIR names (default: ``../shared/kube``, beside the project) starts one;
its folder comes through FAKE_DRA_E2E_LOCAL_CLUSTER_DIR. A container's processes are found by the name of their cgroup,
which holds the container's id, so nothing else on the machine can be meant.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from tests.e2e.objects import AuditEvent, RunningPod

__all__ = ["LOCAL_CLUSTER_VARIABLE", "LocalCluster", "Process"]

LOCAL_CLUSTER_VARIABLE: Final = "FAKE_DRA_E2E_LOCAL_CLUSTER_DIR"

_PROJECT = Path(__file__).resolve().parents[2]

Process = Literal["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet"]


class LocalCluster:
    """The processes, logs and files of a cluster on this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._program = Path(os.environ.get("KUBE_DIR", _PROJECT.parent / "shared" / "kube")) / "cluster"

    @classmethod
    def from_environment(cls) -> "LocalCluster | None":
        """The cluster that the environment names, or None when the tests' cluster is elsewhere."""
        directory = os.environ.get(LOCAL_CLUSTER_VARIABLE)
        return cls(Path(directory)) if directory else None

    def restart(self, process: Process) -> None:
        """Kills one of the cluster's own processes with SIGKILL and starts it again."""
        subprocess.run(
            [str(self._program), "restart", process, "--dir", str(self.directory)],
            check=True,
            capture_output=True,
            timeout=60,
        )

    @contextlib.contextmanager
    def paused(self, process: Process) -> Iterator[None]:
        """Holds one of the cluster's own processes with SIGSTOP: connections to it stay open, and nothing comes."""
        started = [json.loads(line) for line in (self.directory / "pids").read_text().splitlines()]
        newest = next(entry["pid"] for entry in reversed(started) if entry["name"] == process)
        _signal([newest], signal.SIGSTOP)
        try:
            yield
        finally:
            _signal([newest], signal.SIGCONT)

    def kill(self, pod: RunningPod, container: str) -> None:
        """Kills a container's processes with SIGKILL; the kubelet starts the container again."""
        _signal(self._processes(pod, container), signal.SIGKILL)

    @contextlib.contextmanager
    def stopped(self, pod: RunningPod, container: str) -> Iterator[None]:
        """Holds a container's processes with SIGSTOP: it is alive for everybody, and does nothing."""
        processes = self._processes(pod, container)
        _signal(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(processes, signal.SIGCONT)

    def audit_events(self) -> Iterator[AuditEvent]:
        """Every request that the API server has answered, oldest log file first."""
        for path in sorted((self.directory / "logs").glob("audit*.log")):
            with path.open() as lines:
                for line in lines:
                    yield AuditEvent.model_validate_json(line)

    def check_nothing_forbidden(self, namespace: str, accounts: int) -> None:
        """The API server has refused nothing to the ServiceAccounts of a namespace, and that many of them asked for it.

        Not after a restart of the API server: until its caches are full it refuses what it will allow.
        """
        prefix = f"system:serviceaccount:{namespace}:"
        requests = [event for event in self.audit_events() if event.user.username.startswith(prefix)]
        users = {event.user.username for event in requests}
        assert len(users) == accounts, f"ServiceAccounts in the audit log: {users}"
        assert f"{prefix}default" not in users
        refused = {f"{e.user.username} {e.verb} {e.request_uri}" for e in requests if e.response_status.code == 403}
        assert not refused, f"refused by RBAC: {sorted(refused)}"

    def _processes(self, pod: RunningPod, container: str) -> Sequence[int]:
        identity = next(
            status.container_id for status in pod.status.container_statuses if status.name == container
        ).rpartition("/")[2]
        assert identity, f"{pod.key}: container {container} is not running"
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                with contextlib.suppress(OSError):  # it ended while we looked
                    if identity in (process / "cgroup").read_text():
                        found.append(int(process.name))
        assert found, f"{pod.key}: no process of container {container} ({identity}) on this machine"
        return sorted(found)


def _signal(processes: Sequence[int], which: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, which)
