"""How a pod is, in lines for the person whose test has failed: its state, its claims, events, and logs.

What a class of claims or a selector keeps from a pod is in the scheduler's events. Texts of others are shown as
``untrustedtext`` has them.
"""

import asyncio
from collections.abc import Iterator, Sequence

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.errors import no_such
from fake_dra_driver.cluster.kinds import ContainerStatus, Pod
from fake_dra_driver.cluster.kubelet.containerruntime.container import Container
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import LogOptions
from fake_dra_driver.cluster.testing.printed import last_lines
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.untrustedtext import one_line

__all__ = [
    "container_of",
    "describe_drivers",
    "describe_everything",
    "describe_pod",
    "log_of",
    "missing_driver",
    "state_of",
]

_LINES_READ, _LINES_SHOWN = 2000, 15
_EVENTS = 20


def container_of(cluster: Cluster, pod: Pod, name: str) -> Container | None:
    """The latest container of that name on the pod's node."""
    for node in cluster.embedded_nodes():
        for container in reversed(node.runtime.containers(pod.uid)):
            if container.config.name == name:
                return container
    return None


async def log_of(container: Container, lines: int | None = None) -> str:
    """What a container has printed; the last so many lines of it."""
    return b"".join([data async for data in container.log.read(LogOptions(tail_lines=lines))]).decode(errors="replace")


def missing_driver(cluster: Cluster, driver: str) -> str:
    """That no kubelet knows a plugin of this driver, and which there are; empty when one does."""
    registered = {each for node in cluster.embedded_nodes() for each in node.registered_drivers()}
    return "" if driver in registered else str(no_such("registered plugin of a driver called", driver, registered))


async def describe_pod(cluster: Cluster, pod: Pod) -> str:
    """The pod, its claims, and what was reported about them."""
    claims = claim_keys(pod)
    lines = [*_state(pod)]
    for key in claims:
        lines.append(await _claim(cluster, key))  # noqa: PERF401 - a comprehension would have to be asynchronous
    events = await _events(cluster, pod.metadata.namespace, {pod.metadata.name, *(key.name for key in claims)})
    lines += ["events about them:", *(f"  {event}" for event in events)] if events else ["no events about them"]
    for spec in pod.spec.containers:
        container = container_of(cluster, pod, spec.name)
        if container is not None:
            lines += await _log(spec.name, container)
    return _indented(lines)


async def describe_drivers(cluster: Cluster) -> str:
    """The pods with an image of the cluster, which are those of drivers: their state, and the end of their logs."""
    pods = [
        pod
        for pod in (await cluster.client.list(Pod)).items
        if any(container.image in cluster.image_names for container in pod.spec.containers)
    ]
    lines: list[str] = []
    for pod in pods:
        lines += [f"pod {pod.key} of the driver:", *(f"  {line}" for line in _state(pod))]
        if any(not status.ready for status in pod.status.container_statuses) or not pod.status.container_statuses:
            found = await _events(cluster, pod.metadata.namespace, {pod.metadata.name})
            lines += [f"  {event}" for event in found]
        for spec in pod.spec.containers:
            container = container_of(cluster, pod, spec.name)
            if container is not None:
                lines += [f"  {line}" for line in await _log(spec.name, container)]
    return _indented(lines)


async def describe_everything(cluster: Cluster, pod: Pod) -> str:
    """``describe_pod`` and ``describe_drivers``."""
    return "\n".join(filter(None, await asyncio.gather(describe_pod(cluster, pod), describe_drivers(cluster))))


def state_of(status: ContainerStatus) -> str:
    """What a container does, such as ``has ended with exit code 3``."""
    state = status.state
    restarts = f", after {status.restart_count} restarts" if status.restart_count else ""
    if state.running is not None:
        return f"runs, {'ready' if status.ready else 'not ready'}{restarts}"
    if state.terminated is not None:
        reason = f" ({state.terminated.reason})" if state.terminated.reason else ""
        return f"has ended with exit code {state.terminated.exit_code}{reason}{restarts}"
    if state.waiting is not None and state.waiting.reason:
        return f"waits: {state.waiting.reason}{restarts} {one_line(state.waiting.message)}".rstrip()
    return f"has not started{restarts}"


def _state(pod: Pod) -> Iterator[str]:
    yield f"it is {pod.status.phase or 'new'}, on {f'node {pod.spec.node_name}' if pod.spec.node_name else 'no node'}"
    for condition in pod.status.conditions:
        if condition.status != "True":
            said = ": ".join(one_line(text) for text in (condition.reason, condition.message) if text)
            yield f"condition {condition.type} is {condition.status}: {said}".removesuffix(": ")
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        yield f"container {status.name} {state_of(status)}"


async def _claim(cluster: Cluster, key: NamespacedName) -> str:
    api = RESOURCE_APIS.get(cluster.release.structured_version)
    kind: type[KubeObject] = api.claims if api is not None else v1alpha2.ResourceClaim
    try:
        found = await cluster.client.get(kind, key)
    except NotFoundError:
        return f"claim {key.name} does not exist"
    match found:
        case v1.ResourceClaim(status=v1.ResourceClaimStatus(allocation=v1.AllocationResult() as allocation)):
            devices = [f"{one_line(each.device)} of {one_line(each.pool)}" for each in allocation.devices.results]
            return f"claim {key.name} has {', '.join(devices) or 'no devices'}"
        case v1alpha2.ResourceClaim(status=v1alpha2.ResourceClaimStatus(allocation=v1alpha2.AllocationResult())):
            return f"claim {key.name} is allocated"
        case _:
            return f"claim {key.name} is not allocated"


async def _events(cluster: Cluster, namespace: str, names: set[str]) -> Sequence[str]:
    found = [
        event for event in (await cluster.client.list(Event, namespace)).items if event.involved_object.name in names
    ]
    found.sort(key=lambda event: int(event.metadata.resource_version))
    return [_event(event) for event in found[-_EVENTS:]]


def _event(event: Event) -> str:
    about = f"{event.involved_object.kind} {event.involved_object.name}"
    times = f" ({event.count} times)" if event.count > 1 else ""
    source = event.source.component or event.reporting_component
    return f"{about}: {event.type} {event.reason} from {source}{times}: {one_line(event.message)}"


async def _log(name: str, container: Container) -> Sequence[str]:
    found = last_lines(await log_of(container, _LINES_READ), _LINES_SHOWN)
    if not found:
        return [f"container {name} has printed nothing"]
    return [f"the end of what container {name} has printed:", *(f"  {line}" for line in found)]


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
