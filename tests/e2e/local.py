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
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from tests.e2e.objects import AuditEvent, RunningPod
from tests.e2e.waiting import wait_until

__all__ = ["LOCAL_CLUSTER_VARIABLE", "LocalCluster", "Process"]

LOCAL_CLUSTER_VARIABLE: Final = "FAKE_DRA_E2E_LOCAL_CLUSTER_DIR"

AUTHORIZATION_DECISION: Final = "authorization.k8s.io/decision"
"""Annotation of an audit event: ``allow`` or ``forbid``."""
POLICY: Final = "ValidatingAdmissionPolicy"
"""Is in the message of what one refuses."""

_PROJECT = Path(__file__).resolve().parents[2]
_END_SECONDS: Final = 60.0

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
        killed = self._newest(process)
        _signal([killed], signal.SIGKILL)
        # One with gigabytes takes seconds to end on a busy machine, and its port is taken until then.
        wait_until(f"{process} has ended", lambda: _has_ended(killed), _END_SECONDS)
        subprocess.run(
            [str(self._program), "restart", process, "--dir", str(self.directory)],
            check=True,
            capture_output=True,
            timeout=60,
        )

    @contextlib.contextmanager
    def paused(self, process: Process) -> Iterator[None]:
        """Holds one of the cluster's own processes with SIGSTOP: connections to it stay open, and nothing comes."""
        newest = self._newest(process)
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
        """Holds a container's processes with SIGSTOP: they are alive, and do nothing."""
        processes = self._processes(pod, container)
        _signal(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(processes, signal.SIGCONT)

    def has_ended(self, pod: RunningPod) -> bool:
        """Whether no process of the pod's containers is there any more, which the kubelet says only later."""
        return not any(self._find_processes(status.container_id) for status in pod.status.container_statuses)

    def audit_events(self) -> Iterator[AuditEvent]:
        """Every request that the API server has answered, oldest log file first."""
        for path in sorted((self.directory / "logs").glob("audit*.log")):
            with path.open() as lines:
                for line in lines:
                    if line.endswith("\n"):  # the newest may be half written
                        yield AuditEvent.model_validate_json(line)

    def service_accounts(self, namespace: str) -> set[str]:
        """Names of the ServiceAccounts of a namespace that have asked the API server for something."""
        prefix = f"system:serviceaccount:{namespace}:"
        users = {event.user.username for event in self.audit_events()}
        return {user.removeprefix(prefix) for user in users if user.startswith(prefix)}

    def check_nothing_forbidden(self, namespace: str, since: datetime) -> None:
        """Roles and admission policies have refused nothing to the ServiceAccounts of a namespace since then.

        Only their answers count: an Event for a namespace that is being deleted gets a 403 as well. Not for a time in
        which it was restarted: until its caches are full it refuses what it will allow. Nor what someone with kubectl
        tries in the name of such an account.
        """
        refused = {
            f"{event.user.username} {event.verb} {event.request_uri} {event.response_status.message}"
            for event in self.audit_events()
            if event.user.username.startswith(f"system:serviceaccount:{namespace}:")
            and (event.annotations.get(AUTHORIZATION_DECISION) == "forbid" or POLICY in event.response_status.message)
            and event.request_received_timestamp >= since
            and not event.user_agent.startswith("kubectl")
        }
        assert not refused, f"refused: {sorted(refused)}"

    def _newest(self, process: Process) -> int:
        started = [json.loads(line) for line in (self.directory / "pids").read_text().splitlines()]
        return int(next(entry["pid"] for entry in reversed(started) if entry["name"] == process))

    def _processes(self, pod: RunningPod, container: str) -> Sequence[int]:
        identity = next(status.container_id for status in pod.status.container_statuses if status.name == container)
        found = self._find_processes(identity)
        assert found, f"{pod.key}: no process of container {container} ({identity}) on this machine"
        return found

    def _find_processes(self, container_id: str) -> Sequence[int]:
        identity = container_id.rpartition("/")[2]
        assert identity, "a container is not running"
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                with contextlib.suppress(OSError):  # it ended while we looked
                    if identity in (process / "cgroup").read_text():
                        found.append(int(process.name))
        return sorted(found)


def _signal(processes: Sequence[int], which: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, which)


def _has_ended(process: int) -> bool:
    """Whether it is gone, or nobody has asked yet how it has ended."""
    try:
        # The name of the program, in parentheses, may hold anything; the state follows.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
