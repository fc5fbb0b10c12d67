"""What can be done with a pod in addition to reading and writing it: bind, evict, read its logs, run commands in it.

Follows k8s.io/kubernetes/pkg/registry/core/pod (rest/log.go, rest/subresources.go, storage/storage.go,
storage/eviction.go). Logs and sessions are the kubelets': ``LogSource`` and ``SessionSource`` are where they are
plugged in. There are no disruption budgets.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    StatusError,
    bad_request,
    conflict,
    forbidden,
    internal_error,
    invalid,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.message import Answer, Request, Stream, Upgrade
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Key, Object
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.verbs.deletion import Deletion
from fake_dra_driver.cluster.apiserver.verbs.options import DeleteOptions, WriteOptions, is_set, parse_integer
from fake_dra_driver.cluster.apiserver.verbs.reading import Reading
from fake_dra_driver.cluster.apiserver.verbs.writing import Writing, storage_error
from fake_dra_driver.cluster.remotecommand.negotiation import Agreement, NegotiationError, agree, is_upgrade
from fake_dra_driver.cluster.remotecommand.streams import StreamOptions, Wire

__all__ = ["Connect", "LogSource", "PodVerbs", "SessionRefusal", "SessionSource"]

_CREATED: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
_LOG_MINIMUM = {"sinceSeconds": 1, "tailLines": 0, "limitBytes": 1}
_TIME_LAYOUT = "2006-01-02T15:04:05Z07:00"


class LogSource(Protocol):
    """Answers ``kubectl logs``; implemented by the kubelets."""

    def stream(self, pod: Object, container: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The log of a container, as far as the query (follow, tailLines, previous...) asks. Raises StatusError."""
        ...


@dataclass(frozen=True, slots=True)
class Connect:
    """What a client wants of a pod: PodExecOptions, PodAttachOptions or PodPortForwardOptions."""

    verb: str
    """``exec``, ``attach`` or ``portforward``."""
    pod: Object
    container: str
    """Empty if ports are to be forwarded, those of all containers."""
    command: Sequence[str]
    streams: StreamOptions


class SessionRefusal(Exception):  # noqa: N818 - what a client is told, not an error of this program
    """A kubelet refuses a session, with a text that is no Status.

    Args:
        code: of the HTTP answer.
        message: its text.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SessionSource(Protocol):
    """Answers ``kubectl exec``, ``attach``, ``cp`` and ``port-forward``; implemented by the kubelets."""

    def open(self, wanted: Connect, agreement: Agreement) -> Callable[[Wire], Awaitable[None]]:
        """What uses the connection, once it is handed over. To be called, and awaited, soon or never.

        Raises:
            SessionRefusal: a real kubelet would refuse.
            StatusError: a real API server would.
        """
        ...


class PodVerbs:
    """The verbs of pods' subresources, on one store."""

    def __init__(self, reading: Reading, writing: Writing, deletion: Deletion, stamps: Stamps) -> None:
        self._reading = reading
        self._writing = writing
        self._deletion = deletion
        self._stamps = stamps
        self.logs: LogSource | None = None
        """Answers requests for logs; None: they get 404."""
        self.sessions: SessionSource | None = None
        """Answers exec, attach and portforward; None: they get 404."""

    def bind(self, resource: Resource, key: Key, binding: Object, options: WriteOptions) -> Object:
        """Assigns a pod to a node, once. Raises StatusError."""
        metadata, target = binding.get("metadata") or {}, binding.get("target") or {}
        if metadata.get("name") != key.name:
            raise bad_request("name in URL does not match name in Binding object")
        _check_target(target)

        def transform(pod: Object) -> Object:
            _check_precondition(resource, key, metadata, pod)
            if problem := _why_unbindable(pod):
                raise conflict("", "pods/binding", key.name, f"pod {key.name} {problem}")
            pod["spec"]["nodeName"] = target["name"]
            conditions = [each for each in pod["status"].get("conditions") or () if each["type"] != "PodScheduled"]
            scheduled = {
                "type": "PodScheduled",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": self._stamps.now_text(),
            }
            pod["status"]["conditions"] = [*conditions, scheduled]
            annotations = metadata.get("annotations")
            if annotations:
                pod["metadata"].setdefault("annotations", {}).update(annotations)
            return pod

        self._writing.force_change(resource, key, transform, options)
        return _CREATED

    def evict(self, resource: Resource, key: Key, eviction: Object, options: WriteOptions) -> Object:
        """Deletes a pod with the options of the eviction. Raises StatusError."""
        if (eviction.get("metadata") or {}).get("name") != key.name:
            raise bad_request("name in URL does not match name in Eviction object")
        dry_run = {"dryRun": "All"} if options.dry_run else {}
        self._deletion.delete(resource, key, DeleteOptions.parse(dry_run, eviction.get("deleteOptions") or {}))
        return _CREATED

    def log(self, resource: Resource, key: Key, query: Mapping[str, str]) -> Answer | Stream:
        """The log of one of a pod's containers. Raises StatusError."""
        _check_log_query(key.name, query)
        pod = self._reading.get(resource, key).value
        container = _container(pod, query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            return Answer(204, b"", "text/plain")
        if self.logs is None:
            raise StatusError(404, "NotFound", "no kubelet runs in this cluster: there are no logs", {})
        return Stream(self.logs.stream(pod, container, query), "text/plain")

    def connect(self, resource: Resource, key: Key, verb: str, request: Request) -> Answer | Upgrade:
        """Runs a command in a container, attaches to it, or forwards ports. Raises StatusError."""
        pod = self._reading.get(resource, key).value
        forwards = verb == "portforward"
        container = "" if forwards else _container(pod, request.query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            raise bad_request(f"pod {key.name} does not have a host assigned")
        if not is_upgrade(request.headers):
            raise bad_request("Upgrade request required")
        if self.sessions is None:
            raise StatusError(404, "NotFound", "no kubelet runs in this cluster: there are no containers", {})
        streams = StreamOptions(*(is_set(request.query.get(name)) for name in ("stdin", "stdout", "stderr", "tty")))
        try:
            agreement = agree(request.headers, forwards=forwards)
            wanted = Connect(verb, pod, container, request.values("command"), streams)
            return Upgrade(agreement, self.sessions.open(wanted, agreement))
        except (NegotiationError, SessionRefusal) as error:
            return Answer(error.code, f"{error.message}\n".encode(), "text/plain; charset=utf-8")


def _check_target(target: Object) -> None:
    """Raises StatusError: 500, since the errors of ValidatePodBinding are passed on unclassified."""
    problems = []
    if target.get("kind") not in (None, "", "Node"):
        problems.append(unsupported_value("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        problems.append(required("target.name"))
    if problems:
        texts = ", ".join(map(str, problems))
        raise internal_error(texts if len(problems) == 1 else f"[{texts}]")


def _check_precondition(resource: Resource, key: Key, wanted: Object, pod: Object) -> None:
    """A binding may have preconditions on the pod's UID and version. Raises StatusError."""
    present = pod["metadata"]
    for field, name in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) and wanted[field] != present[field]:
            detail = f"Precondition failed: {name} in precondition: {wanted[field]}, {name} in object meta: "
            raise storage_error(resource, key, detail + present[field])


def _why_unbindable(pod: Object) -> str:
    """Why a pod cannot be assigned to a node; empty when it can."""
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted, cannot be assigned to a host"
    if pod["spec"].get("nodeName"):
        return f'is already assigned to node "{pod["spec"]["nodeName"]}"'
    return "has non-empty .spec.schedulingGates" if pod["spec"].get("schedulingGates") else ""


def _check_log_query(pod: str, query: Mapping[str, str]) -> None:
    """Numbers and times must be valid (400), and in bounds (422). Raises StatusError."""
    problems: list[Problem] = []
    if since := query.get("sinceTime"):
        try:
            datetime.fromisoformat(since)
        except ValueError as error:
            raise bad_request(
                f'parsing time "{since}" as "{_TIME_LAYOUT}": cannot parse "{since}" as "2006"'
            ) from error
        if "sinceSeconds" in query:
            problems.append(forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    for name, minimum in _LOG_MINIMUM.items():
        if name in query and (number := parse_integer(query[name])) < minimum:
            bound = "greater than or equal to 0" if minimum == 0 else "greater than 0"
            problems.append(invalid_value(name, str(number), f"must be {bound}"))
    if problems:
        raise invalid("", "PodLogOptions", pod, problems)


def _container(pod: Object, container: str) -> str:
    """The container that is meant. Raises StatusError (400), in the words of a real API server."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    kinds = ("initContainers", "containers", "ephemeralContainers")
    names = [each["name"] for kind in kinds for each in spec.get(kind) or ()]
    if not container and len(spec["containers"]) == 1:
        return str(spec["containers"][0]["name"])
    if not container:
        listed = " ".join(names)
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{listed}]")
    if container not in names:
        raise bad_request(f"container {container} is not valid for pod {name}")
    return container
