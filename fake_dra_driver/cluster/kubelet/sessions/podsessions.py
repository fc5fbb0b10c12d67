"""Answers ``kubectl exec``, ``attach`` and ``cp`` for all nodes of a cluster: the ``SessionSource`` of the API server.

Follows getExec and getAttach of k8s.io/kubernetes/pkg/kubelet/server and GetExec, GetAttach of kubelet_pods.go, with
their words. One step shorter than on a real cluster, where the API server connects to the kubelet of the pod's node.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.apiserver.errors import StatusError, too_many_requests
from fake_dra_driver.cluster.apiserver.verbs.podverbs import Connect, SessionRefusal, SessionSource
from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerTarget
from fake_dra_driver.cluster.kubelet.sessions.commandsession import attach, run_command
from fake_dra_driver.cluster.kubelet.sessions.copying import copy_command
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
        idle_seconds: how long nothing may be carried.
    """

    def __init__(self, *, idle_seconds: float = _IDLE_SECONDS) -> None:
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
            message = f"error dialing backend: the kubelet of node {node} does not run"
            raise StatusError(500, "InternalError", f"Internal error occurred: {message}", _causes(message))
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
            pod = f"{metadata['name']}_{metadata['namespace']}"
            raise SessionRefusal(500, f"container {wanted.container} not found in pod {pod}")
        if self._running >= MAX_SESSIONS:
            raise too_many_requests()
        work = _command(target, wanted) if wanted.verb == "exec" else _attachment(target)
        return partial(self._run, agreement, options, work)

    async def _run(self, agreement: Agreement, options: StreamOptions, work: Work, wire: Wire) -> None:
        """Uses a connection that was handed over."""
        self._running += 1
        try:
            async with asyncio.timeout(self._idle_seconds) as timer:
                streams = agreement.make_streams(IdleWire(wire, timer, self._idle_seconds), options)
                await run_session(streams, work)
        except TimeoutError:
            log.debug("Session has ended: nothing was sent for too long", seconds=self._idle_seconds)
        finally:
            self._running -= 1


def _command(target: HandlerTarget, wanted: Connect) -> Work:
    argv = copy_command(target, wanted.command) or [target.locality.text(each) for each in wanted.command]
    return partial(run_command, target.runtime, target.container, argv, wanted.command)


def _attachment(target: HandlerTarget) -> Work:
    return partial(attach, target.container, ends_input=target.spec.stdin_once)


def _causes(message: str) -> dict[str, object]:
    return {"causes": [{"message": message}]}
