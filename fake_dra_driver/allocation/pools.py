"""The pools that a node sees, and which of them count.

Follows pools_incubating.go of k8s.io/dynamic-resource-allocation. A driver publishes a pool as slices of one
generation; while it replaces them, the pool is incomplete. What was found for a node is kept until a slice, a taint
rule or the node changes; nodes that see the same slices of a pool share it.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.candidate import Candidate, CandidateReader
from fake_dra_driver.allocation.contents import read_contents
from fake_dra_driver.allocation.counters import Counters
from fake_dra_driver.allocation.identity import DeviceId, PoolId
from fake_dra_driver.allocation.obstacles import PoolIncomplete, PoolInvalid, PoolObstacle, PoolReplaced
from fake_dra_driver.allocation.usage import PoolUsage, Usage
from fake_dra_driver.api.kube.core import Node, NodeSelector
from fake_dra_driver.api.kube.nodeselection import matches
from fake_dra_driver.api.resource.v1 import DeviceTaintRule, ResourceSlice

__all__ = ["NodeView", "Pool", "PoolIndex"]

_MAX_REFUSALS: Final = 100
"""For each node; a cluster has that many sorts of claims at most times."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A pool as a node sees it."""

    id: PoolId
    generation: int
    slices: int
    """How many slices of this generation there are."""
    expected_slices: int
    candidates: tuple[Candidate, ...]
    """The devices of the slices that the node sees, in the order of trying."""
    elsewhere: frozenset[DeviceId]
    """Those among them that are not on the node, though others of their slice are."""
    counters: Mapping[str, Counters]
    """By slice: those that its devices consume."""
    usage: PoolUsage
    obstacle: PoolObstacle | None
    """Why the pool does not count."""

    @property
    def is_replaced(self) -> bool:
        """Whether it is passed over in silence, even where a request wants all devices."""
        return isinstance(self.obstacle, PoolReplaced)


class NodeView:
    """The pools that a node sees, in the order of trying, those included that do not count. Equal nodes share it.

    It remembers what could not be had here. Most of what a scheduler asks, it has asked before: one pod after the other
    with the same claims, and the same nodes without a free device. More devices in use never make possible what was
    not possible before, so such an answer holds until devices are freed.
    """

    __slots__ = ("__weakref__", "_refused", "_remembers", "has_invalid_pools", "places", "pools")

    def __init__(self, pools: tuple[Pool, ...], behaviour: Behaviour) -> None:
        """Nothing was refused so far."""
        self.pools = pools
        self.places: tuple[tuple[Pool, Candidate], ...] = tuple(
            (pool, candidate) for pool in pools if _is_tried(pool, behaviour) for candidate in pool.candidates
        )
        """The devices to try, in their order."""
        self.has_invalid_pools = any(isinstance(pool.obstacle, PoolInvalid) for pool in pools)
        self._refused: dict[Hashable, int] = {}
        # The first share of a device spends its counters, and the others do not: more use makes more possible.
        self._remembers = not any(candidate.is_shareable for pool in self.pools for candidate in pool.candidates)

    def was_refused(self, key: Hashable) -> bool:
        """Whether these claims could not be had, and nothing was freed since."""
        return key in self._refused and self._refused.get(key) == self._releases()

    def remember_refusal(self, key: Hashable) -> None:
        """These claims cannot be had."""
        if self._remembers and key is not None:
            if len(self._refused) >= _MAX_REFUSALS:
                self._refused.clear()
            self._refused[key] = self._releases()

    def forget_refusals(self) -> None:
        """What claims ask for may mean something else now."""
        self._refused.clear()

    def _releases(self) -> int:
        # Each number only ever grows, so an equal sum means that none has changed.
        releases = 0
        for pool in self.pools:
            releases += pool.usage.releases
        return releases


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What a node sees of a pool."""

    generation: int
    slices: tuple[str, ...]
    """Their names."""
    elsewhere: frozenset[DeviceId]
    """Their devices that are not on the node."""


class PoolIndex:
    """All slices, by who sees them."""

    def __init__(self, behaviour: Behaviour, usage: Usage) -> None:
        """Knows no slices yet."""
        self._behaviour = behaviour
        self._usage = usage
        self._reader = CandidateReader()
        self._slices: dict[str, ResourceSlice] = {}
        self._of_node: dict[str, dict[str, ResourceSlice]] = {}
        self._of_no_node: dict[str, ResourceSlice] = {}
        self._of_pool: dict[PoolId, dict[str, ResourceSlice]] = {}
        self._rules: dict[str, DeviceTaintRule] = {}
        self._candidates: dict[str, tuple[Candidate, ...]] = {}
        self._views: dict[str, tuple[Node, NodeView]] = {}
        self._views_of_pools: WeakValueDictionary[tuple[Pool, ...], NodeView] = WeakValueDictionary()
        self._viewers: dict[PoolId, set[str]] = {}
        """The nodes whose view has the pool."""
        self._pools: dict[PoolId, dict[_Sighting, Pool]] = {}
        """By what is seen of them."""

    @property
    def slices(self) -> Mapping[str, ResourceSlice]:
        """All of them, by name."""
        return self._slices

    @property
    def rules(self) -> Mapping[str, DeviceTaintRule]:
        """All taint rules, by name."""
        return self._rules

    def put(self, resource_slice: ResourceSlice) -> None:
        """A slice was added or changed."""
        name = resource_slice.metadata.name
        if self._slices.get(name) is resource_slice:
            return
        self.drop(name)
        self._slices[name] = resource_slice
        self._home_of(resource_slice)[name] = resource_slice
        self._of_pool.setdefault(_pool_of(resource_slice), {})[name] = resource_slice
        self._look_again_at(resource_slice)

    def drop(self, name: str) -> None:
        """A slice was deleted."""
        resource_slice = self._slices.pop(name, None)
        if resource_slice is None:
            return
        del self._home_of(resource_slice)[name]
        pool = _pool_of(resource_slice)
        del self._of_pool[pool][name]
        if not self._of_pool[pool]:
            del self._of_pool[pool]
        self._candidates.pop(name, None)
        self._look_again_at(resource_slice)

    def put_rule(self, rule: DeviceTaintRule) -> None:
        """A taint rule was added or changed."""
        if self._rules.get(rule.metadata.name) is not rule:
            self._rules[rule.metadata.name] = rule
            self._look_again()

    def drop_rule(self, name: str) -> None:
        """A taint rule was deleted."""
        if self._rules.pop(name, None) is not None:
            self._look_again()

    def view_of(self, node: Node) -> NodeView:
        """The pools that a node sees."""
        known = self._views.get(node.metadata.name)
        if known is not None:
            if known[0] is node:
                return known[1]
            if known[0].metadata.labels == node.metadata.labels:
                self._views[node.metadata.name] = (node, known[1])
                return known[1]
        pools = tuple(self._ordered(self._gather(node)))
        view = self._views_of_pools.get(pools)
        if view is None:
            view = self._views_of_pools[pools] = NodeView(pools, self._behaviour)
        self._views[node.metadata.name] = (node, view)
        for pool in view.pools:
            self._viewers.setdefault(pool.id, set()).add(node.metadata.name)
        return view

    def forget_refusals(self) -> None:
        """What claims ask for may mean something else now."""
        for _, view in self._views.values():
            view.forget_refusals()

    def _node_of(self, resource_slice: ResourceSlice) -> str | None:
        """The only node that looks at the slice, if there is but one."""
        if resource_slice.spec.shared_counters and self._behaviour.counter_slices_everywhere:
            return None
        return resource_slice.spec.node_name or None

    def _home_of(self, resource_slice: ResourceSlice) -> dict[str, ResourceSlice]:
        node = self._node_of(resource_slice)
        return self._of_no_node if node is None else self._of_node.setdefault(node, {})

    def _look_again_at(self, resource_slice: ResourceSlice) -> None:
        pool = _pool_of(resource_slice)
        self._pools.pop(pool, None)
        node = self._node_of(resource_slice)
        if node is None:
            self._views.clear()
            self._viewers.clear()
            return
        for viewer in {node, *self._viewers.pop(pool, ())}:
            self._views.pop(viewer, None)

    def _look_again(self) -> None:
        self._candidates.clear()
        self._pools.clear()
        self._views.clear()
        self._viewers.clear()

    def _gather(self, node: Node) -> Iterator[Pool]:
        seen: dict[PoolId, _Sighting] = {}
        local = self._of_node.get(node.metadata.name, {})
        for resource_slice in (*local.values(), *self._of_no_node.values()):
            elsewhere = self._elsewhere(resource_slice, node)
            if elsewhere is None:
                continue
            pool, generation = _pool_of(resource_slice), resource_slice.spec.pool.generation
            before = seen.get(pool)
            if before is None or generation > before.generation:
                seen[pool] = _Sighting(generation, (resource_slice.metadata.name,), elsewhere)
            elif generation == before.generation:
                names = (*before.slices, resource_slice.metadata.name)
                seen[pool] = _Sighting(generation, names, before.elsewhere | elsewhere)
        for pool, sighting in seen.items():
            built = self._pools.setdefault(pool, {})
            if sighting not in built:
                built[sighting] = self._build(pool, sighting)
            yield built[sighting]

    def _elsewhere(self, resource_slice: ResourceSlice, node: Node) -> frozenset[DeviceId] | None:
        """Which devices of a slice are not on the node; None: the slice is not about this node."""
        spec = resource_slice.spec
        if self._is_ignored(resource_slice):
            return None
        if spec.shared_counters and self._behaviour.counter_slices_everywhere:
            return frozenset()
        if spec.node_name or spec.all_nodes or spec.node_selector is not None:
            is_here = _is_here(node, spec.node_name, spec.all_nodes, spec.node_selector)
            return frozenset() if is_here else None
        if not spec.per_device_node_selection:
            return None
        elsewhere = frozenset(
            DeviceId(spec.driver, spec.pool.name, each.name)
            for each in spec.devices
            if not _is_here(node, each.node_name, each.all_nodes, each.node_selector)
        )
        return elsewhere if len(elsewhere) < len(spec.devices) else None

    def _is_ignored(self, resource_slice: ResourceSlice) -> bool:
        """Whether a slice needs what is off. Its pool is incomplete without it."""
        spec = resource_slice.spec
        if not self._behaviour.partitionable_devices and (
            spec.per_device_node_selection is not None or spec.shared_counters
        ):
            return True
        return _uses_compatibility_groups(resource_slice)

    def _build(self, pool: PoolId, sighting: _Sighting) -> Pool:
        seen = [self._slices[name] for name in sighting.slices]
        expected = seen[0].spec.pool.resource_slice_count
        everything = seen
        incomplete: PoolObstacle | None = None
        if len(seen) != expected:
            if self._behaviour.pools_over_cluster:
                everything = self._generation_of(pool, sighting.generation)
            newest = max(each.spec.pool.generation for each in self._of_pool[pool].values())
            if newest > sighting.generation and self._behaviour.pools_over_cluster:
                incomplete = PoolReplaced(pool, sighting.generation, len(everything), expected, newest)
            elif len(everything) != expected:
                incomplete = PoolIncomplete(pool, sighting.generation, len(everything), expected)
        usage = self._usage.of(pool)
        contents = read_contents(self._in_order(seen), self._in_order(everything), self._read, usage, self._behaviour)
        invalid: PoolObstacle | None = None
        if contents.contradiction is not None:
            invalid = PoolInvalid(pool, sighting.generation, len(everything), expected, contents.contradiction)
        return Pool(
            id=pool,
            generation=sighting.generation,
            slices=len(everything),
            expected_slices=expected,
            candidates=contents.candidates,
            elsewhere=sighting.elsewhere,
            counters=contents.counters,
            usage=usage,
            obstacle=(invalid or incomplete) if self._behaviour.incomplete_pools_usable else (incomplete or invalid),
        )

    def _generation_of(self, pool: PoolId, generation: int) -> list[ResourceSlice]:
        """All slices of a generation, on whichever node."""
        return [
            each
            for each in self._of_pool[pool].values()
            if each.spec.pool.generation == generation and not _uses_compatibility_groups(each)
        ]

    def _read(self, resource_slice: ResourceSlice) -> tuple[Candidate, ...]:
        name = resource_slice.metadata.name
        if name not in self._candidates:
            rules = self._rules.values() if self._behaviour.taint_rules else ()
            self._candidates[name] = self._reader.read(resource_slice, rules)
        return self._candidates[name]

    def _in_order(self, slices: Iterable[ResourceSlice]) -> list[ResourceSlice]:
        last = self._behaviour.conditional_slices_last
        return sorted(slices, key=lambda each: (last and _is_conditional(each), each.metadata.name))

    def _ordered(self, pools: Iterable[Pool]) -> list[Pool]:
        """By driver and name, those last that have binding conditions and so take longer to bind.

        Before the order was fixed, a real scheduler's was that of a Go map; this one was as likely as any other.
        """
        return sorted(pools, key=lambda pool: (self._is_conditional(pool), pool.id))

    def _is_conditional(self, pool: Pool) -> bool:
        conditions = any(candidate.device.binding_conditions for candidate in pool.candidates)
        return conditions and _is_tried(pool, self._behaviour)


def _is_tried(pool: Pool, behaviour: Behaviour) -> bool:
    """Whether devices of the pool are looked at."""
    match pool.obstacle:
        case None:
            return True
        case PoolIncomplete():
            return behaviour.incomplete_pools_usable
        case PoolInvalid():
            return behaviour.invalid_pools_abort
        case _:
            return False


def _pool_of(resource_slice: ResourceSlice) -> PoolId:
    return PoolId(resource_slice.spec.driver, resource_slice.spec.pool.name)


def _is_here(node: Node, name: str | None, all_nodes: bool | None, selector: NodeSelector | None) -> bool:
    if name:
        return node.metadata.name == name
    return bool(all_nodes) or (selector is not None and matches(selector, node))


def _uses_compatibility_groups(resource_slice: ResourceSlice) -> bool:
    """Slices whose devices have them are ignored: whether they go together is not known here."""
    return any(each.compatibility_groups for device in resource_slice.spec.devices for each in device.consumes_counters)


def _is_conditional(resource_slice: ResourceSlice) -> bool:
    return any(each.binding_conditions for each in resource_slice.spec.devices)
