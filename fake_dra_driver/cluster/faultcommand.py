"""Faults by name, for the command line: options in, a sentence about what was done out.

What is so already is said, and is no error, as with ``kubectl cordon``; what cannot be done is a ClusterError.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.errors import ClusterError, listed, no_such
from fake_dra_driver.cluster.faults import ClusterFaults

__all__ = ["FaultCommand"]

_FATES = {"timeout": "get no answer", "reset": "lose the connection"}
"""What happens to failing requests that get no status."""


class FaultCommand:
    """Carries out what ``fake-dra-driver cluster fault`` asks for. Its methods have the options as arguments."""

    def __init__(self, faults: ClusterFaults) -> None:
        self._faults = faults
        self.commands: Mapping[str, Callable[..., Awaitable[str]]] = {
            "fail-requests": self._fail_requests,
            "heal": self._heal,
            "drop-watches": self._drop_watches,
            "compact": self._compact,
            "restart-apiserver": self._restart_apiserver,
            "stop-node": self._stop_node,
            "start-node": self._start_node,
            "reboot-node": self._reboot_node,
            "restart-kubelet": self._restart_kubelet,
            "wipe-slices": self._wipe_slices,
            "cut-health-streams": self._cut_health_streams,
            "refuse-registrations": self._refuse_registrations,
            "kill-container": self._kill_container,
        }
        """By name."""

    async def run(self, fault: str, options: Mapping[str, Any]) -> str:
        """Does it. Returns what was done.

        Raises:
            ClusterError: there is no such fault, its options do not fit, or it cannot be done.
        """
        command = self.commands.get(fault)
        if command is None:
            raise no_such("fault", fault, self.commands)
        try:
            inspect.signature(command).bind(**options)
        except TypeError as error:
            raise ClusterError(
                f"The cluster is of another version, and its {fault} has other options: {error}"
            ) from error
        return await command(**options)

    # --- the API server ---

    async def _fail_requests(
        self, *, answer: str = "500", verb: str = "", resource: str = "", times: int = 1, after: bool = False
    ) -> str:
        given, _, subresource = resource.partition("/")
        plural = self._faults.fail_requests(
            answer, verb=verb, resource=given, subresource=subresource or None, times=times, after=after
        )
        target = f"{plural}/{subresource}" if subresource else plural
        which = f"{verb} request{'' if times == 1 else 's'}{f' for {target}' if target else ''}".lstrip()
        fate = _FATES.get(answer, f"get {answer}")
        how = f"will be carried out, and {fate}" if after else f"will {fate}"
        match times:
            case 0:
                return f"all {which} {how}, until 'fake-dra-driver cluster fault heal'"
            case 1:
                return f"the next {which} {how}"
            case _:
                return f"the next {times} {which} {how}"

    async def _heal(self) -> str:
        failing = self._faults.heal()
        healed = f"{' and '.join(failing)} no longer fail" if failing else "nothing was failing"
        off = [name for name, node in self._faults.nodes.items() if not node.is_on]
        return f"{healed}; still switched off: {listed(off)}" if off else healed

    async def _drop_watches(self) -> str:
        self._faults.drop_watches()
        return "the connections of all watches are broken"

    async def _compact(self) -> str:
        self._faults.compact()
        return "the history is forgotten"

    async def _restart_apiserver(self, *, seconds: float = 0) -> str:
        await self._faults.restart_apiserver(seconds)
        return f"the API server was away for {seconds:g} s" if seconds else "the API server was killed, and is back"

    # --- nodes ---

    async def _stop_node(self, *, node: str = "") -> str:
        name = self._named(node)
        return f"{name} is switched off" if await self._faults.stop_node(name) else f"{name} is off already"

    async def _start_node(self, *, node: str = "") -> str:
        name = self._named(node)
        return f"{name} is switched on again" if await self._faults.start_node(name) else f"{name} is running already"

    async def _reboot_node(self, *, node: str = "") -> str:
        name = self._named(node)
        await self._faults.reboot_node(name)
        return f"{name} was rebooted"

    async def _restart_kubelet(self, *, node: str = "") -> str:
        name = self._named(node)
        await self._faults.restart_kubelet(name)
        return f"the kubelet of {name} was restarted"

    async def _wipe_slices(self, *, node: str = "", driver: str = "") -> str:
        name = self._named(node)
        count = await self._faults.wipe_slices(name, driver)
        owner = f"{driver} on {name}" if driver else name
        match count:
            case 0:
                return f"there are no slices of {owner}"
            case 1:
                return f"the only slice of {owner} was deleted"
            case _:
                return f"the {count} slices of {owner} were deleted"

    async def _cut_health_streams(self, *, node: str = "", driver: str = "") -> str:
        name = self._named(node)
        cut = self._faults.cut_health_streams(name, driver)
        return f"cut on {name}: the health stream of {listed(cut)}" if cut else f"no health stream is open on {name}"

    async def _refuse_registrations(self, *, node: str = "", driver: str = "", times: int = 1) -> str:
        name = self._named(node)
        if not driver:
            raise ClusterError("Name a driver with --driver, such as gpu.example.com")
        self._faults.refuse_registrations(name, driver, times)
        match times:
            case 0:
                return f"{name} will refuse {driver} whenever it registers, until 'fake-dra-driver cluster fault heal'"
            case 1:
                return f"{name} will refuse {driver} when it registers next"
            case _:
                return f"{name} will refuse {driver} the next {times} times it registers"

    def _named(self, node: str) -> str:
        return node or next(iter(self._faults.nodes), "")

    async def _kill_container(self, *, pod: str = "", container: str = "") -> str:
        running = self._faults.running_containers()
        if not pod:
            raise ClusterError(f"Name a pod with --pod. These run: {listed({str(each) for each, _ in running})}")
        namespace, _, name = pod.rpartition("/")
        key = NamespacedName(namespace or "default", name)
        names = {each for found, each in running if found == key}
        if not container and len(names) > 1:
            raise ClusterError(f"Name a container of {key} with --container. These run: {listed(names)}")
        container = container or next(iter(names), "")
        self._faults.send_signal(key, container)
        return f"the container {container} of {key} was killed"
