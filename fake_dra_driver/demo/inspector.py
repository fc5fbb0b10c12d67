"""How the driver and the apps are: questions about a cluster, and waiting for the right answer.

The answer to a question is an empty text for yes, else the reason why not yet, which a person gets to read when the
time is up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.controllers.daemonpods import fit
from fake_dra_driver.cluster.errors import listed
from fake_dra_driver.cluster.kinds import Namespace, Node, Pod
from fake_dra_driver.cluster.workloadkinds import DaemonSet, Deployment
from fake_dra_driver.demo.expectations import DemoError
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["Inspector", "Question"]

Question = Callable[[], Awaitable[str]]
_POLL_SECONDS = 0.1
_REST = 9
"""The pause between two questions is at least so many times as long as an answer takes: in a large cluster that is part
of a second, on the very processor that has to bring about what is asked for."""


class Inspector:
    """Asks one cluster about the driver in one namespace."""

    def __init__(
        self,
        client: Client,
        driver_namespace: str,
        deadline_seconds: float = 60,
        claims: type[KubeObject] = ResourceClaim,
    ) -> None:
        """Asks nothing yet.

        Args:
            client: of the cluster.
            driver_namespace: where the driver is.
            deadline_seconds: how long a wait may take.
            claims: the kind of claims that the cluster has.
        """
        self._client = client
        self._namespace = driver_namespace
        self._deadline_seconds = deadline_seconds
        self._claims = claims

    async def wait(self, what: str, question: Question) -> None:
        """Asks until the answer is empty. Raises DemoError with the last answer at the deadline."""
        reason = "the API server did not answer"
        try:
            async with asyncio.timeout(self._deadline_seconds):
                begun = loop_time()
                while reason := await question():
                    await asyncio.sleep(max(_POLL_SECONDS, _REST * (loop_time() - begun)))
                    begun = loop_time()
        except TimeoutError as error:
            raise DemoError(f"Timed out after {self._deadline_seconds:g} s, waiting until {what}: {reason}") from error

    async def state(self, node: str) -> NodeAllocationState:
        """The NodeAllocationState of a node. Raises NotFoundError."""
        return await self._client.get(NodeAllocationState, NamespacedName(self._namespace, node))

    async def driver_is_ready(self, nodes: Sequence[str], simulated: Sequence[str] = ()) -> str:
        """Whether the driver is Ready: the controller, and on each node a plugin with a NodeAllocationState.

        Simulated nodes have that alone, from the controller.
        """
        pods = (await self._client.list(Pod, self._namespace)).items
        plugins = {pod.spec.node_name for pod in pods if "kubeletplugin" in pod.key.name}
        if missing := set(nodes) - plugins:
            return f"no kubelet plugin on {listed(missing)}"
        controllers = (await self._client.list(Deployment, self._namespace)).items
        if any(each.status.ready_replicas < each.spec.replicas for each in controllers) or not controllers:
            return await self._why_not_ready(pods) or "the controller is not Ready"
        if reason := await self._why_not_ready(pods):
            return reason
        states = {state.metadata.name: state.status for state in (await self._client.list(NodeAllocationState)).items}
        late = [node for node in (*nodes, *simulated) if states.get(node) != "Ready"]
        return f"NodeAllocationState of {listed(late)} is not Ready" if late else ""

    async def plugin_nodes(self) -> Sequence[str]:
        """The nodes on which the driver's kubelet plugin has to be, as its DaemonSet says."""
        owners = (await self._client.list(DaemonSet, self._namespace)).items
        nodes = (await self._client.list(Node)).items
        return [node.metadata.name for node in nodes if any(fit(owner, _settled(node)).should_run for owner in owners)]

    async def pods_run(self, namespaces: Sequence[str], count: int) -> str:
        """Whether there are so many pods, and all of them are Ready."""
        pods = [pod for namespace in namespaces for pod in (await self._client.list(Pod, namespace)).items]
        if len(pods) != count:
            return f"there are {len(pods)} of {count} pods"
        return await self._why_not_ready(pods)

    async def containers(self, namespace: str) -> Sequence[tuple[str, str, str]]:
        """Namespace, pod and container of every container there."""
        pods = (await self._client.list(Pod, namespace)).items
        return [(namespace, pod.key.name, container.name) for pod in pods for container in pod.spec.containers]

    async def have_ended(self, namespaces: Sequence[str]) -> str:
        """Whether no pod and no claim is left there; deleting the namespaces themselves takes some seconds more."""
        kinds: tuple[type[KubeObject], ...] = (Pod, self._claims)
        left = [
            f"{kind.resource.kind} {obj.key}"
            for namespace in namespaces
            for kind in kinds
            for obj in (await self._client.list(kind, namespace)).items
        ]
        return f"still there: {', '.join(left)}" if left else ""

    async def are_gone(self, namespaces: Sequence[str]) -> str:
        """Whether these namespaces are gone, with everything in them."""
        there = {namespace.metadata.name for namespace in (await self._client.list(Namespace)).items}
        left = there.intersection(namespaces)
        return f"still there: {', '.join(sorted(left))}" if left else ""

    async def holds(self, node: str, check: Callable[[NodeAllocationState], None]) -> str:
        """Whether the NodeAllocationState of a node passes a check that raises DemoError."""
        try:
            check(await self.state(node))
        except NotFoundError:
            return f"{node} has no NodeAllocationState"
        except DemoError as error:
            return str(error)
        return ""

    async def _why_not_ready(self, pods: Sequence[Pod]) -> str:
        late = [pod for pod in pods if not _is_ready(pod)]
        if not late:
            return ""
        said = await self._events({pod.key: pod.uid for pod in late})
        return "; ".join(f"{pod.key} is {_phase(pod)}{said.get(pod.key, '')}" for pod in late)

    async def _events(self, pods: Mapping[NamespacedName, str]) -> Mapping[NamespacedName, str]:
        """The last warning about each pod, which usually is the reason."""
        said = {}
        for event in (await self._client.list(Event)).items:
            about = NamespacedName(event.involved_object.namespace, event.involved_object.name)
            if event.type == "Warning" and pods.get(about) == event.involved_object.uid:
                said[about] = f" ({event.reason}: {event.message})"
        return said


def _settled(node: Node) -> Node:
    """The node as it is once the taints of one that has just come are gone."""
    taints = tuple(taint for taint in node.spec.taints if not taint.key.startswith("node.kubernetes.io/"))
    return node.model_copy(update={"spec": node.spec.model_copy(update={"taints": taints})})


def _is_ready(pod: Pod) -> bool:
    ready = pod.condition("Ready")
    return ready is not None and ready.status == "True" and not pod.is_deleting


def _phase(pod: Pod) -> str:
    """The phase, or what a container waits for."""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    waiting = [
        status.state.waiting.reason for status in statuses if status.state.waiting and status.state.waiting.reason
    ]
    return waiting[0] if waiting else (pod.status.phase or "Pending")
