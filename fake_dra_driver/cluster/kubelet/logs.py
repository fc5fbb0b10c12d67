"""Answers ``kubectl logs`` for all nodes of a cluster: the ``LogSource`` of the API server.

Follows GetKubeletContainerLogs and validateContainerLogStatus of k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go: which
container is meant follows from the pod's status, and refusals have their words. One step shorter than on a real
cluster, where the API server asks the kubelet of the pod's node over HTTPS.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, internal_error
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import LogOptions
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.pods.status import RUNTIME_NAME
from fake_dra_driver.runtime.clock import WallClock, utc_now

__all__ = ["PodLogs"]


class PodLogs:
    """The logs of all containers of a cluster.

    Args:
        has_kubelet: whether a node, by its name, has a kubelet at all, be it stopped.
        now: for ``sinceSeconds``.
    """

    def __init__(self, *, has_kubelet: Callable[[str], bool] = lambda _: True, now: WallClock = utc_now) -> None:
        self._has_kubelet = has_kubelet
        self._now = now
        self._runtimes: dict[str, ProcessRuntime] = {}

    def add(self, node_name: str, runtime: ProcessRuntime) -> None:
        """Makes the logs of a node's pods available; a kubelet calls it when it starts."""
        self._runtimes[node_name] = runtime

    def remove(self, node_name: str) -> None:
        """Makes them unavailable: the node no longer answers."""
        self._runtimes.pop(node_name, None)

    def stream(self, pod: dict[str, Any], container: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The log of a container, as far as the query (follow, tailLines, previous...) asks.

        Raises:
            StatusError: there is none, or the query makes no sense. Raised by the call, not while the log is read.
        """
        name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "")
        runtime = self._runtimes.get(node)
        if runtime is None and not self._has_kubelet(node):
            raise internal_error(f"node {node} has no kubelet: pods run there in name only, and have no logs")
        if runtime is None:
            raise internal_error(f"the kubelet of node {node} does not answer: it does not run")
        options = self._options(query)
        identity = _container_id(pod, container, previous=_flag(query.get("previous")))
        found = runtime.find(identity)
        if found is None:
            raise bad_request(
                f'the log of container "{container}" in pod "{name}" is gone: it was removed from the node'
            )
        return found.log.read(options)

    def _options(self, query: Mapping[str, str]) -> LogOptions:
        since: datetime | None = None
        if (seconds := _number(query, "sinceSeconds", 1)) is not None:
            since = self._now() - timedelta(seconds=seconds)
        if text := query.get("sinceTime"):
            try:
                since = datetime.fromisoformat(text)
            except ValueError as error:
                raise bad_request(f'sinceTime: parsing time "{text}" as RFC 3339 failed') from error
            since = since if since.tzinfo is not None else since.replace(tzinfo=UTC)
        return LogOptions(
            follow=_flag(query.get("follow")),
            tail_lines=_number(query, "tailLines", 0),
            since=since,
            timestamps=_flag(query.get("timestamps")),
            limit_bytes=_number(query, "limitBytes", 1),
        )


def _container_id(pod: Mapping[str, Any], name: str, *, previous: bool) -> str:
    """The ID, in the runtime, of the container whose log is meant. Raises StatusError (400)."""
    status = pod.get("status", {})
    statuses = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    found = next((each for each in statuses if each["name"] == name), None)
    pod_name = pod["metadata"]["name"]
    if found is None:
        raise bad_request(f'container "{name}" in pod "{pod_name}" is not available')
    state, last = found.get("state", {}), (found.get("lastState") or {}).get("terminated")
    if previous:
        if not last or not last.get("containerID"):
            raise bad_request(f'previous terminated container "{name}" in pod "{pod_name}" not found')
        return _strip(last["containerID"])
    if "running" in state:
        return _strip(found.get("containerID", ""))
    if "terminated" in state:
        return _strip(state["terminated"].get("containerID", ""))
    if last:
        return _strip(last.get("containerID", ""))
    reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        reason = "trying and failing to pull image"
    raise bad_request(f'container "{name}" in pod "{pod_name}" is waiting to start: {reason}')


def _strip(identity: str) -> str:
    return identity.removeprefix(f"{RUNTIME_NAME}://")


def _flag(text: str | None) -> bool:
    return (text or "").lower() in ("true", "1")


def _number(query: Mapping[str, str], name: str, least: int) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        value = int(text)
    except ValueError as error:
        raise bad_request(f'{name}: "{text}" is not a number') from error
    if value < least:
        message = f"PodLogOptions is invalid: {name}: Invalid value: {value}: must be greater than or equal to {least}"
        raise StatusError(422, "Invalid", message)
    return value
