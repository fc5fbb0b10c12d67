"""A small autoscaler: nodes come when pods wait for devices, and go when no pod needs them.

Goes the way of the cluster-autoscaler: pods that the scheduler has refused are tried on the nodes that there are, with
those that are on their way, then on ones that could be had, whose devices a template tells. It looks at the claims of
pods alone: not at CPU and memory, and not at what a pod says of nodes.
"""

import itertools
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from fake_dra_driver.allocation import Allocation, Allocator, Behaviour
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.profile.rendering import ProfileRenderer
from tests.e2e.client import Client
from tests.e2e.objects import RunningPod

__all__ = ["POOL_LABEL", "Autoscaler", "Machines", "Pool", "Seen", "nodes_needed", "pool_of_profile"]

POOL_LABEL: Final = "example.com/pool"
"""Of each node of a pool, with the pool's name."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes that are alike, of which more can be had."""

    name: str
    slices: Sequence[v1.ResourceSliceSpec]
    """Of one node, whatever it is called."""
    most: int
    """Nodes at the same time."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is in a cluster, as far as it matters here."""

    waiting: Sequence[Sequence[v1.ResourceClaim]]
    """Of each pod that the scheduler has refused: the claims that are not allocated."""
    claims: Sequence[v1.ResourceClaim]
    classes: Sequence[v1.DeviceClass]
    slices: Sequence[v1.ResourceSlice]
    nodes: Mapping[str, Sequence[Node]]
    """By the name of their pool."""


class Machines(Protocol):
    """Where nodes come from: a cloud, as it were."""

    def add(self, pool: str, count: int) -> None:
        """Begins to start so many."""
        ...

    def remove(self, node: str) -> None:
        """Takes one away."""
        ...


def pool_of_profile(name: str, profile: DeviceProfile, driver: str, *, most: int) -> Pool:
    """Nodes that have the devices of a profile, which fit into one slice and need no counters."""
    devices = ProfileRenderer(profile).render("template").devices
    in_pool = v1.ResourcePool(name="template", generation=1, resource_slice_count=1)
    published = tuple(each.published for each in devices)
    return Pool(name, [v1.ResourceSliceSpec(driver=driver, pool=in_pool, devices=published)], most)


def nodes_needed(seen: Seen, pools: Sequence[Pool]) -> Mapping[str, int]:
    """How many more nodes of each pool the waiting pods need. A pod gets one of the first pool that has room for it."""
    plan = _Plan(seen)
    needed: Counter[str] = Counter()
    for pool in pools:
        nodes = seen.nodes.get(pool.name, ())
        for node in nodes:
            plan.add_node(node, pool)
    for claims in seen.waiting:
        if plan.place(claims):
            continue
        for pool in pools:
            room = pool.most - len(seen.nodes.get(pool.name, ())) - needed[pool.name]
            if room > 0 and plan.place_on_new_node(claims, pool):
                needed[pool.name] += 1
                break
    return needed


class _Plan:
    """Nodes, and who would get which of their devices."""

    def __init__(self, seen: Seen) -> None:
        self._allocator = Allocator(Behaviour(), new_share_id=lambda: str(uuid.uuid4()))
        self._allocator.replace(slices=seen.slices, classes=seen.classes, claims=seen.claims)
        self._with_devices = {each.spec.node_name for each in seen.slices}
        self._nodes: list[Node] = []
        self._numbers = itertools.count()

    def add_node(self, node: Node, pool: Pool) -> None:
        """One that is there; one whose devices are not published yet will have those of its pool."""
        if node.metadata.name not in self._with_devices:
            self._publish(node.metadata.name, pool)
        self._nodes.append(node)

    def place(self, claims: Sequence[v1.ResourceClaim]) -> bool:
        """Whether there is room on one of the nodes; it is taken then."""
        return any(self._take(claims, node) for node in self._nodes)

    def place_on_new_node(self, claims: Sequence[v1.ResourceClaim], pool: Pool) -> bool:
        """Whether a node of this pool would have room; it is one of the nodes then, and the room is taken."""
        node = Node(metadata=ObjectMeta(name=f"{pool.name}-imagined-{next(self._numbers)}"))
        names = self._publish(node.metadata.name, pool)
        if self._take(claims, node):
            self._nodes.append(node)
            return True
        for name in names:
            self._allocator.drop_slice(name)
        return False

    def _publish(self, node: str, pool: Pool) -> Sequence[str]:
        names = [f"{node}-{number}" for number in range(len(pool.slices))]
        for name, spec in zip(names, pool.slices, strict=True):
            in_pool = spec.pool.model_copy(update={"name": node})
            whole = spec.model_copy(update={"pool": in_pool, "node_name": node})
            self._allocator.put_slice(v1.ResourceSlice(metadata=ObjectMeta(name=name), spec=whole))
        return names

    def _take(self, claims: Sequence[v1.ResourceClaim], node: Node) -> bool:
        found = self._allocator.allocate(claims, node)
        if not isinstance(found, Allocation):
            return False
        for claim, result in zip(claims, found.results, strict=True):
            self._allocator.assume(claim, result)
        return True


class Autoscaler:
    """Looks at a cluster step by step, and remembers nothing between two of them.

    Args:
        client: of the cluster.
        machines: where nodes come from.
        pools: in the order in which they are tried.
        namespace: of the pods that count.
    """

    def __init__(self, client: Client, machines: Machines, pools: Sequence[Pool], namespace: str) -> None:
        self._client = client
        self._machines = machines
        self._pools = pools
        self._namespace = namespace

    def step(self) -> None:
        """Adds the nodes that are needed; when no pod is without a node, removes those that no pod is on."""
        # Pods first: a claim that is allocated meanwhile is not looked at twice.
        pods = [pod for pod in self._client.list(RunningPod, self._namespace) if not pod.is_deleting]
        seen = self._look(pods)
        for pool, count in nodes_needed(seen, self._pools).items():
            self._machines.add(pool, count)
        if all(pod.spec.node_name for pod in pods):
            used = {pod.spec.node_name for pod in self._client.list(RunningPod, self._namespace)}
            for node in itertools.chain.from_iterable(seen.nodes.values()):
                if node.metadata.name not in used:
                    self._machines.remove(node.metadata.name)

    def sizes(self) -> Mapping[str, int]:
        """How many nodes each pool has now."""
        return {pool: len(nodes) for pool, nodes in self._nodes().items()}

    def _look(self, pods: Sequence[RunningPod]) -> Seen:
        claims = self._client.list(v1.ResourceClaim)
        of_name = {claim.metadata.name: claim for claim in claims if claim.metadata.namespace == self._namespace}
        waiting = [_open_claims(pod, of_name) for pod in pods if _is_refused(pod)]
        return Seen(
            waiting=[each for each in waiting if each],
            claims=claims,
            classes=self._client.list(v1.DeviceClass),
            slices=self._client.list(v1.ResourceSlice),
            nodes=self._nodes(),
        )

    def _nodes(self) -> Mapping[str, Sequence[Node]]:
        found: dict[str, list[Node]] = {pool.name: [] for pool in self._pools}
        for node in self._client.list(Node):
            pool = node.metadata.labels.get(POOL_LABEL, "")
            if pool in found and not node.is_deleting:
                found[pool].append(node)
        return found


def _is_refused(pod: RunningPod) -> bool:
    conditions = pod.status.conditions
    return not pod.spec.node_name and any(each.type == "PodScheduled" and each.status == "False" for each in conditions)


def _open_claims(pod: RunningPod, claims: Mapping[str, v1.ResourceClaim]) -> Sequence[v1.ResourceClaim]:
    made = {each.name: each.resource_claim_name for each in pod.status.resource_claim_statuses or ()}
    names = [entry.claim_name or made.get(entry.name) for entry in pod.spec.resource_claims]
    found = [claims[name] for name in names if name is not None and name in claims]
    return [claim for claim in found if claim.status.allocation is None]
