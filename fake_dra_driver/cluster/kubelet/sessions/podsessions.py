"""Answers ``kubectl exec``, ``attach``, ``cp`` and ``port-forward`` for all nodes of a cluster.

Follows getExec, getAttach and getPortForward of k8s.io/kubernetes/pkg/kubelet/server and GetExec, GetAttach and
GetPortForward of kubelet_pods.go, with their words. One step shorter than on a real cluster, where the API server
connects to the kubelet of the pod's node.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.apiserver.errors import StatusError, too_many_requests
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.verbs.podverbs import Connect, SessionRefusal, SessionSource
from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerTarget
from fake_dra_driver.cluster.kubelet.sessions.commandsession import attach, run_command
from fake_dra_driver.cluster.kubelet.sessions.copying import copy_command
from fake_dra_driver.cluster.kubelet.sessions.portforward import forward_ports
from fake_dra_driver.cluster.remotecommand.negotiation import Agreement
from fake_dra_driver.cluster.remotecommand.session import IdleWire, Work, run_session
from fake_dra_driver.cluster.remotecommand.streams import StreamOptions, Wire

__all__ = ["FindTarget", "PodSessions"]

log = logger.bind(component="sessions")

FindTarget = Callable[[UID, str], HandlerTarget | None]
"""Finds a container that runs on a node, by its pod and its name."""

MAX_SESSIONS: Final = 64
"""At a time, of all nodes: each takes five open files of a process that has a thousand."""
_IDLE_SECONDS: Final = 4 * 3600.0
"""streamingConnectionIdleTimeout of a kubelet."""


class PodSessions(SessionSource):
    """The sessions of all containers of a cluster.

    Args:
        has_kubelet: whether a node, by its name, has a kubelet at all, be it stopped.
        idle_seconds: how long nothing may be carried.
    """

    def __init__(
        self, *, has_kubelet: Callable[[str], bool] = lambda _: True, idle_seconds: float = _IDLE_SECONDS
    ) -> None:
        self._has_kubelet = has_kubelet
        self._idle_seconds = idle_seconds
        self._nodes: dict[str, FindTarget] = {}
        self._running = 0

    def add(self, node_name: str, find: FindTarget) -> None:
        """Makes the containers of a node available; a kubelet calls it when it starts."""
        self._nodes[node_name] = find

    def remove(self, node_name: str) -> None:
        """Makes them unavailable: the node no longer answers. Sessions that run go on, as on a real node."""
        self._nodes.pop(node_name, None)

    @override
    def open(self, wanted: Connect, agreement: Agreement) -> Callable[[Wire], Awaitable[None]]:
        node = wanted.pod["spec"].get("nodeName", "")
        find = self._nodes.get(node)
        if find is None:
            reason = f"the kubelet of node {node} does not run"
            if not self._has_kubelet(node):
                reason = f"node {node} has no kubelet: pods run there in name only, without containers"
            message = f"error dialing backend: {reason}"
            raise StatusError(500, "InternalError", f"Internal error occurred: {message}", _causes(message))
        if self._running >= MAX_SESSIONS:
            raise too_many_requests()
        if wanted.verb == "portforward":
            return partial(self._run, partial(forward_ports, ports=_ports(find, wanted.pod), pod=_named(wanted.pod)))
        options = wanted.streams
        if options.tty and options.stderr:
            options = replace(options, stderr=False)  # a terminal has one output
        if not (options.stdin or options.stdout or options.stderr):
            raise SessionRefusal(400, "you must specify at least 1 of stdin, stdout, stderr")
        metadata = wanted.pod["metadata"]
        target = find(UID(metadata["uid"]), wanted.container)
        if target is None and wanted.verb == "exec":
            raise SessionRefusal(500, f'container not found ("{wanted.container}")')
        if target is None:
            raise SessionRefusal(500, f"container {wanted.container} not found in pod {_full_name(wanted.pod)}")
        work = _command(target, wanted) if wanted.verb == "exec" else _attachment(target)
        return partial(self._run, partial(_serve, agreement, options, work))

    async def _run(self, use: Callable[[Wire], Awaitable[None]], wire: Wire) -> None:
        """Uses a connection that was handed over."""
        self._running += 1
        try:
            async with asyncio.timeout(self._idle_seconds) as timer:
                await use(IdleWire(wire, timer, self._idle_seconds))
        except TimeoutError:
            log.debug("Session has ended: nothing was sent for too long", seconds=self._idle_seconds)
        finally:
            self._running -= 1


async def _serve(agreement: Agreement, options: StreamOptions, work: Work, wire: Wire) -> None:
    await run_session(agreement.make_streams(wire, options), work)


def _ports(find: FindTarget, pod: Object) -> Mapping[int, int]:
    """The ports of this machine by those of a pod's containers, where they differ. Raises SessionRefusal."""
    uid = UID(pod["metadata"]["uid"])
    found = [find(uid, each["name"]) for each in pod["spec"]["containers"]]
    running = [target.container for target in found if target is not None]
    if not running:
        raise SessionRefusal(500, f'pod not found ("{_full_name(pod)}")')
    return {port: real for container in running for port, real in container.config.ports.items()}


def _full_name(pod: Object) -> str:
    return f"{pod['metadata']['name']}_{pod['metadata']['namespace']}"


def _named(pod: Object) -> str:
    return f"{_full_name(pod)}, uid {pod['metadata']['uid']}"


def _command(target: HandlerTarget, wanted: Connect) -> Work:
    argv = copy_command(target, wanted.command) or [target.locality.text(each) for each in wanted.command]
    return partial(run_command, target.runtime, target.container, argv, wanted.command)


def _attachment(target: HandlerTarget) -> Work:
    return partial(attach, target.container, ends_input=target.spec.stdin_once)


def _causes(message: str) -> dict[str, object]:
    return {"causes": [{"message": message}]}
