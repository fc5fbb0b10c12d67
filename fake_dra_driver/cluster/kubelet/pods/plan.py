"""What to do for a pod, from its spec and the containers that it has. Pure.

Follows computePodActions of k8s.io/kubernetes/pkg/kubelet/kuberuntime (1.30): init containers one after the other,
sidecars among them kept running; containers once all of these are done or, if sidecars, started; what has ended is
restarted as restartPolicy says. After a reboot (no sandbox, or containers older than it) init containers run again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fake_dra_driver.cluster.kubelet.containerruntime.container import Container as RunningContainer
from fake_dra_driver.cluster.kubelet.containerruntime.container import Sandbox
from fake_dra_driver.cluster.kubelet.pod import Container, Pod

__all__ = ["Observation", "Outcome", "Plan", "make_plan", "will_restart"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What the runtime has of a pod."""

    sandbox: Sandbox | None
    containers: Mapping[str, Sequence[RunningContainer]]
    """By name, the latest last."""
    started: frozenset[str] = frozenset()
    """IDs of the running containers whose startup probe, if any, has succeeded."""

    def latest(self, name: str) -> RunningContainer | None:
        """The newest container of that name, running or ended."""
        mine = self.containers.get(name)
        return mine[-1] if mine else None

    def in_sandbox(self, name: str) -> RunningContainer | None:
        """The newest container of that name; None when it is older than the sandbox."""
        latest = self.latest(name)
        if latest is None or self.sandbox is None or latest.created_at < self.sandbox.created_at:
            return None
        return latest


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pod ends."""

    phase: Literal["Succeeded", "Failed"]
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps."""

    start: Sequence[Container] = ()
    """To be started, in this order, as soon as their backoff is over."""
    stop: Sequence[RunningContainer] = ()
    """To be stopped: their spec has changed."""
    outcome: Outcome | None = None
    """Set when the pod only remains to be ended."""
    is_initialized: bool = field(default=False)
    """Whether all init containers are done or, if sidecars, started."""


def make_plan(pod: Pod, observed: Observation) -> Plan:
    """The next steps for a pod that is not being deleted."""
    policy = pod.spec.restart_policy
    wanted = [spec for spec in pod.spec.containers if _is_to_start(policy, observed.latest(spec.name))]
    running = [spec for spec in pod.spec.containers if _is_running(observed.latest(spec.name))]
    if not wanted and not running:
        return Plan(outcome=_outcome(pod, observed), is_initialized=True)
    has_begun = any(observed.in_sandbox(spec.name) is not None for spec in pod.spec.containers)
    plan = _plan_init(pod, observed, has_begun=has_begun) if wanted or has_begun else Plan(is_initialized=True)
    if not plan.is_initialized:
        return plan
    changed = [
        container
        for spec in pod.spec.containers
        if (container := observed.latest(spec.name)) is not None
        and container.state == "running"
        and container.config.digest != spec.digest()
    ]
    return Plan(start=(*plan.start, *wanted), stop=changed, is_initialized=True)


def will_restart(pod: Pod, spec: Container, container: RunningContainer) -> bool:
    """Whether a container that has ended is started again."""
    is_init = any(each.name == spec.name for each in pod.spec.init_containers)
    if is_init and not spec.is_sidecar:
        return container.exit_code != 0 and pod.spec.restart_policy != "Never"
    policy = "Always" if spec.is_sidecar else pod.spec.restart_policy
    return policy == "Always" or (policy == "OnFailure" and container.exit_code != 0)


def _plan_init(pod: Pod, observed: Observation, *, has_begun: bool) -> Plan:
    """The plan for init containers: which to start, and whether all are done."""
    start: list[Container] = []
    for spec in pod.spec.init_containers:
        container = observed.in_sandbox(spec.name)
        if spec.is_sidecar:
            if container is None or container.state == "exited":
                start.append(spec)
            if not has_begun and (container is None or container.id not in observed.started):
                return Plan(start=start)
        elif not has_begun:
            if container is None:
                return Plan(start=(*start, spec))
            if container.state != "exited":
                return Plan(start=start)
            if container.exit_code != 0:
                if pod.spec.restart_policy == "Never":
                    return Plan(outcome=Outcome("Failed"))
                return Plan(start=(*start, spec))
    return Plan(start=start, is_initialized=True)


def _is_to_start(policy: str, latest: RunningContainer | None) -> bool:
    if latest is None:
        return True
    if latest.state != "exited":
        return False
    return policy == "Always" or (policy == "OnFailure" and latest.exit_code != 0)


def _is_running(latest: RunningContainer | None) -> bool:
    return latest is not None and latest.state != "exited"


def _outcome(pod: Pod, observed: Observation) -> Outcome:
    ends = [observed.latest(spec.name) for spec in pod.spec.containers]
    return Outcome("Succeeded" if all(end is not None and end.exit_code == 0 for end in ends) else "Failed")
