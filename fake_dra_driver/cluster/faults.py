"""What can go wrong with a cluster, on demand, as methods for tests; ``faultcommand`` has them for the command line.

Faults of single requests belong to the API server (``requestfaults``); here they stand next to faults of nodes and of
the control plane. Every fault is something that a real cluster does to its clients; nothing is faked in a client.
"""

import asyncio
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, SelectiveFault, on
from fake_dra_driver.cluster.apiserver.types.resource import ALL_VERBS, Resource
from fake_dra_driver.cluster.errors import ClusterError, no_such

__all__ = ["ClusterFaults", "FaultyNode", "Restartable", "find_resource", "find_resources"]


class FaultyNode(Protocol):
    """What faults need of a node."""

    @property
    def is_on(self) -> bool:
        """Whether the machine is switched on."""
        ...

    async def stop(self) -> bool:
        """Switches the machine off. Returns whether it was on."""
        ...

    async def start(self) -> bool:
        """Switches it on again. Returns whether it was off."""
        ...

    async def reboot(self) -> None:
        """Off and on, with an empty /var/run. Raises ClusterError when it is off."""
        ...

    async def restart_kubelet(self) -> None:
        """The kubelet stops and starts again; containers keep running. Raises ClusterError when the machine is off."""
        ...

    async def drivers_with_slices(self) -> Sequence[str]:
        """The drivers that have published slices of the node. Raises ClusterError when it is off, or has none ever."""
        ...

    async def wipe_slices(self, driver: str = "") -> int:
        """Deletes slices of the node, of a driver or of all; returns how many. Raises ClusterError as the above."""
        ...

    def health_streams(self) -> Sequence[str]:
        """The drivers with an open stream about the health of their devices. Raises ClusterError when it is off."""
        ...

    def cut_health_stream(self, driver: str) -> None:
        """Breaks that stream. Raises ClusterError when the machine is off."""
        ...

    def refuse_registrations(self, driver: str, times: int) -> None:
        """The kubelet refuses the next registrations of a driver; with 0, all until ``heal``."""
        ...

    def heal(self) -> bool:
        """Refuses no registrations from now on. Returns whether some still were to be refused."""
        ...

    def running_containers(self) -> Sequence[tuple[NamespacedName, str]]:
        """Pod and name of each container that runs."""
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
        self._request_faults: list[SelectiveFault] = []
        self._is_apiserver_away = False

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
    ) -> str:
        """The next requests of a kind go wrong.

        Args:
            answer: ``409``, ``429``, ``500``, ``503`` or ``504`` is the status of the answer; with ``timeout`` none
                comes, and with ``reset`` the connection breaks.
            verb: such as ``update``; empty: any.
            resource: as kubectl takes it: the plural, the singular or a short name, perhaps with its group; empty: any.
            subresource: such as ``status``; empty: the object itself; None: both.
            name: of the object; empty: any.
            times: how many requests; 0: all from now on.
            after: the requests are carried out before they fail, so that a write has taken place.

        Returns:
            The plural of the resource; empty: any.

        Raises:
            ClusterError: there is no such answer, or no such request: the fault would never show.
        """
        try:
            if answer in ("timeout", "reset"):
                fault = getattr(Fault, answer)(after=after)
            else:
                fault = Fault.answer(int(answer), after=after)
        except ValueError as error:
            raise ClusterError(f"The answer {answer} is unknown: {error}, timeout and reset") from error
        plural = self._checked(verb, resource, subresource)
        hook = on(fault, verb=verb, resource=plural, subresource=subresource, name=name, times=times)
        self._server.faults.add(hook)
        self._request_faults.append(hook)
        return plural

    def _checked(self, verb: str, resource: str, subresource: str | None) -> str:
        """The plural of a resource whose requests there are. Raises ClusterError."""
        found = find_resources(self._server.registry, resource) if resource else []
        if subresource and found:
            parts = {each.name for one in found for each in one.subresources}
            if subresource not in parts:
                raise no_such(f"subresource of {found[0].plural} called", subresource, parts)
        verbs = {each for one in found for each in _verbs(one, subresource)} if found else set(ALL_VERBS)
        if verb and verb not in verbs:
            raise no_such(f"verb for {found[0].plural} called" if found else "verb", verb, verbs)
        return found[0].plural if found else ""

    def heal(self) -> Sequence[Literal["requests", "registrations"]]:
        """Ends what ``fail_requests`` and ``refuse_registrations`` have started. Returns what still was to fail."""
        healed: list[Literal["requests", "registrations"]] = []
        if any(not fault.is_over for fault in self._request_faults):
            healed.append("requests")
        for fault in self._request_faults:
            self._server.faults.remove(fault)
        self._request_faults.clear()
        were_refused = [node.heal() for node in self._nodes.values()]
        if any(were_refused):
            healed.append("registrations")
        return healed

    def drop_watches(self) -> None:
        """Breaks the connections of all watches."""
        self._server.drop_watches()

    def compact(self) -> None:
        """Forgets all history: a watch or list that continues from an older version gets 410."""
        self._server.compact()

    async def restart_apiserver(self, away_seconds: float = 0.0) -> None:
        """Kills the API server, which comes back with all its objects after that time.

        Raises:
            ClusterError: it is away already, since another call of this has not ended.
        """
        if self._is_apiserver_away:
            raise ClusterError("The API server is away already, and comes back by itself")
        self._is_apiserver_away = True
        try:
            await self._server.kill()
            try:
                await asyncio.sleep(away_seconds)
            finally:
                await self._server.start()
        finally:
            self._is_apiserver_away = False

    # --- the rest of the control plane ---

    async def restart_component(self, name: str) -> None:
        """Restarts ``kube-scheduler`` or ``kube-controller-manager``. Raises ClusterError."""
        found = self._components.get(name)
        if found is None:
            raise no_such("component", name, self._components)
        await found.restart()

    # --- nodes ---

    @property
    def nodes(self) -> Mapping[str, FaultyNode]:
        """The nodes, by name."""
        return self._nodes

    async def stop_node(self, name: str) -> bool:
        """Switches the node off: nothing runs on it, and the API server is not told.

        Returns:
            Whether it was on.

        Raises:
            ClusterError: there is no such node.
        """
        return await self._node(name).stop()

    async def start_node(self, name: str) -> bool:
        """Switches a stopped node on again, with an empty /var/run.

        Returns:
            Whether it was off.

        Raises:
            ClusterError: there is no such node, or it cannot be registered.
        """
        return await self._node(name).start()

    async def reboot_node(self, name: str) -> None:
        """Switches the node off and on: all its processes have ended, /var/run is empty. Raises ClusterError."""
        await self._node(name).reboot()

    async def restart_kubelet(self, name: str) -> None:
        """Restarts the kubelet of the node; containers keep running. Raises ClusterError."""
        await self._node(name).restart_kubelet()

    # --- what kubelets do to drivers ---

    async def wipe_slices(self, name: str, driver: str = "") -> int:
        """Deletes the ResourceSlices of the node, as its kubelet does when it starts.

        Args:
            name: of the node.
            driver: whose slices; empty: those of all.

        Returns:
            How many there were.

        Raises:
            ClusterError: there is no such node, or no such slice.
            RuntimeLayerError: not all could be deleted.
        """
        node = self._node(name)
        if driver and driver not in (drivers := await node.drivers_with_slices()):
            raise no_such(f"driver with slices of {name} called", driver, drivers)
        return await node.wipe_slices(driver)

    def cut_health_streams(self, name: str, driver: str = "") -> Sequence[str]:
        """Breaks streams about the health of devices, which the kubelet opens again after five seconds.

        Args:
            name: of the node.
            driver: whose stream; empty: those of all.

        Returns:
            The drivers that had one.

        Raises:
            ClusterError: there is no such node, or no such stream.
        """
        node = self._node(name)
        drivers = node.health_streams()
        if driver and driver not in drivers:
            raise no_such(f"driver with a health stream on {name} called", driver, drivers)
        cut = [driver] if driver else drivers
        for each in cut:
            node.cut_health_stream(each)
        return cut

    def refuse_registrations(self, name: str, driver: str, times: int = 1) -> None:
        """The kubelet refuses registrations of a driver; one that is registered stays so until it registers again.

        Args:
            name: of the node.
            driver: whose registrations; it need not be there yet.
            times: how many; 0: all, until ``heal``.

        Raises:
            ClusterError: there is no such node.
        """
        self._node(name).refuse_registrations(driver, times)

    def running_containers(self) -> Sequence[tuple[NamespacedName, str]]:
        """Pod and name of each container that runs, node by node."""
        return [each for node in self._nodes.values() for each in node.running_containers()]

    def send_signal(self, pod: NamespacedName, container: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends a signal to the processes of a container: SIGKILL, or SIGSTOP and SIGCONT to hold them for a while.

        Raises:
            ClusterError: there is no such container, or it does not run.
        """
        if not any(node.send_signal(pod, container, number) for node in self._nodes.values()):
            running = self.running_containers()
            of_pod = {name for each, name in running if each == pod}
            if of_pod:
                raise no_such(f"running container of {pod} called", container, of_pod)
            raise no_such("running pod", str(pod), {str(each) for each, _ in running})

    def _node(self, name: str) -> FaultyNode:
        found = self._nodes.get(name)
        if found is None:
            raise no_such("node", name, self._nodes)
        return found


def find_resource(served: Iterable[Resource], name: str) -> Resource:
    """The first of ``find_resources``."""
    return find_resources(served, name)[0]


def find_resources(served: Iterable[Resource], name: str) -> Sequence[Resource]:
    """What kubectl may mean by a name, in the order in which it is served; never empty. Raises ClusterError."""
    resources = list(served)
    found = [each for each in resources if name.lower() in _names(each)]
    if not found:
        raise no_such("resource", name, {each.plural for each in resources})
    return found


def _names(resource: Resource) -> set[str]:
    """What kubectl takes for the resource: plural, singular and short names, also with the group."""
    names = {resource.plural, resource.singular or resource.kind.lower(), *resource.short_names}
    return names | {f"{name}.{resource.group}" for name in names}


def _verbs(resource: Resource, subresource: str | None) -> set[str]:
    """The verbs of an object ("") or a subresource, or of both (None)."""
    of_parts = {verb for each in resource.subresources if subresource in (None, each.name) for verb in each.verbs}
    return of_parts if subresource else of_parts | set(resource.verbs)
