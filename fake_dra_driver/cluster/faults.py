"""What can go wrong with a cluster, on demand: methods for tests, names and options for the command line.

Faults of single requests belong to the API server (``requestfaults``); here they get names, next to faults of nodes and
of the control plane. Every fault is something that a real cluster does to its clients; nothing is faked in a client.
"""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any, Protocol

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, FaultHook, on
from fake_dra_driver.cluster.errors import ClusterError

__all__ = ["ClusterFaults", "FaultyNode", "Restartable"]

_MAX_AWAY_SECONDS = 100.0
"""Less than the client of the control socket waits for its answer."""


class FaultyNode(Protocol):
    """What faults need of a node."""

    async def stop(self) -> None:
        """The machine is switched off."""
        ...

    async def start(self) -> None:
        """It is switched on again."""
        ...

    async def reboot(self) -> None:
        """Off and on, with an empty /var/run."""
        ...

    async def restart_kubelet(self) -> None:
        """The kubelet stops and starts again; containers keep running."""
        ...

    def send_signal(self, pod: NamespacedName, container: str, number: signal.Signals) -> bool:
        """Sends a signal to the processes of a running container. Returns whether there was one."""
        ...


class Restartable(Protocol):
    """What faults need of a program of the control plane."""

    async def restart(self) -> None:
        """Stops it, and starts it again with nothing remembered."""
        ...


class ClusterFaults:
    """The faults of one cluster.

    Args:
        server: the API server.
        nodes: by name.
        components: the other programs of the control plane, by name.
    """

    def __init__(
        self, server: ApiServer, nodes: Mapping[str, FaultyNode], components: Mapping[str, Restartable]
    ) -> None:
        self._server = server
        self._nodes = nodes
        self._components = components
        self._hooks: list[FaultHook] = []

    # --- the API server ---

    def fail_requests(
        self,
        answer: str = "500",
        *,
        verb: str = "",
        resource: str = "",
        subresource: str | None = None,
        name: str = "",
        times: int = 1,
        after: bool = False,
    ) -> None:
        """The next requests of a kind go wrong.

        Args:
            answer: ``409``, ``429``, ``500``, ``503`` or ``504`` is the status of the answer; with ``timeout`` none
                comes, and with ``reset`` the connection breaks.
            verb: such as ``update``; empty: any.
            resource: the plural; empty: any.
            subresource: such as ``status``; empty: the object itself; None: both.
            name: of the object; empty: any.
            times: how many requests; 0: all from now on.
            after: the requests are carried out before they fail, so that a write has taken place.

        Raises:
            ClusterError: there is no such answer.
        """
        try:
            if answer in ("timeout", "reset"):
                fault = getattr(Fault, answer)(after=after)
            else:
                fault = Fault.answer(int(answer), after=after)
        except ValueError as error:
            raise ClusterError(f"The answer {answer} is unknown: {error}, timeout and reset") from error
        hook = on(fault, verb=verb, resource=resource, subresource=subresource, name=name, times=times)
        self._server.faults.add(hook)
        self._hooks.append(hook)

    def heal(self) -> None:
        """Ends what ``fail_requests`` has started."""
        for hook in self._hooks:
            self._server.faults.remove(hook)
        self._hooks.clear()

    def drop_watches(self) -> None:
        """Breaks the connections of all watches."""
        self._server.drop_watches()

    def compact(self) -> None:
        """Forgets all history: a watch or list that continues from an older version gets 410."""
        self._server.compact()

    async def restart_apiserver(self, away_seconds: float = 0.0) -> None:
        """Kills the API server, which comes back with all its objects after that time."""
        await self._server.kill()
        try:
            await asyncio.sleep(away_seconds)
        finally:
            await self._server.start()

    # --- the rest of the control plane ---

    async def restart_component(self, name: str) -> None:
        """Restarts ``kube-scheduler`` or ``kube-controller-manager``. Raises ClusterError."""
        found = self._components.get(name)
        if found is None:
            raise ClusterError(f"There is no component {name}; there are: {', '.join(self._components)}")
        await found.restart()

    # --- nodes ---

    async def stop_node(self, name: str) -> None:
        """Switches the node off: nothing runs on it, and the API server is not told. Raises ClusterError."""
        await self._node(name).stop()

    async def start_node(self, name: str) -> None:
        """Switches a stopped node on again, with an empty /var/run. Raises ClusterError."""
        await self._node(name).start()

    async def reboot_node(self, name: str) -> None:
        """Switches the node off and on: all its processes have ended, /var/run is empty. Raises ClusterError."""
        await self._node(name).reboot()

    async def restart_kubelet(self, name: str) -> None:
        """Restarts the kubelet of the node; containers keep running. Raises ClusterError."""
        await self._node(name).restart_kubelet()

    def send_signal(self, pod: NamespacedName, container: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends a signal to the processes of a container: SIGKILL, or SIGSTOP and SIGCONT to hold them for a while.

        Raises:
            ClusterError: there is no such container, or it does not run.
        """
        if not any(node.send_signal(pod, container, number) for node in self._nodes.values()):
            raise ClusterError(f"No container {container!r} of pod {pod} is running")

    def _node(self, name: str) -> FaultyNode:
        found = self._nodes.get(name)
        if found is None:
            raise ClusterError(f"There is no node {name}; there are: {', '.join(self._nodes) or 'none'}")
        return found

    # --- by name ---

    async def by_name(self, fault: str, options: Mapping[str, Any]) -> str:
        """Does what the command line asks for. Returns what was done.

        Raises:
            ClusterError: there is no such fault, or its options do not fit.
        """
        match fault:
            case "fail-requests":
                names = ("answer", "verb", "resource", "subresource", "name", "times", "after")
                self.fail_requests(**{name: options[name] for name in names if name in options})
                times = options.get("times", 1)
                count = "request fails" if times == 1 else "requests fail" if times == 0 else f"{times} requests fail"
                return f"the next {count} of those you named"
            case "heal":
                self.heal()
                return "requests no longer fail"
            case "drop-watches":
                self.drop_watches()
                return "the connections of all watches are broken"
            case "compact":
                self.compact()
                return "the history is forgotten"
            case "restart-apiserver":
                away = min(float(options.get("seconds", 0)), _MAX_AWAY_SECONDS)
                await self.restart_apiserver(away)
                return f"the API server was away for {away:g} s"
            case "stop-node" | "start-node" | "reboot-node" | "restart-kubelet":
                node = str(options.get("node", "")) or next(iter(self._nodes), "")
                await getattr(self, fault.replace("-", "_"))(node)
                return f"{fault} of {node} is done"
            case "kill-container":
                namespace, _, pod = str(options.get("pod", "")).rpartition("/")
                container = str(options.get("container", ""))
                self.send_signal(NamespacedName(namespace or "default", pod), container)
                return f"the container {container} was killed"
        raise ClusterError(f"There is no fault {fault!r}")
