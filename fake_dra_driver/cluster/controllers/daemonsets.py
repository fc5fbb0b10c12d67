"""Keeps one pod of each DaemonSet on each node that it is for, and replaces those of an older template.

Follows k8s.io/kubernetes/pkg/controller/daemon, with rolling update within maxUnavailable, and OnDelete. Simpler than
there: maxSurge is ignored (old pods go first, at least one).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta
from fake_dra_driver.cluster.controllers.adoption import Adoption
from fake_dra_driver.cluster.controllers.daemonpods import Fit, daemon_pod_spec, fit, target_node
from fake_dra_driver.cluster.controllers.mapping import changes_node_fit, watch_pods
from fake_dra_driver.cluster.controllers.podcontrol import (
    BY_CONTROLLER,
    PodControl,
    age_rank,
    controller_uid,
    counted,
    is_namespace_going,
    is_ready,
    seconds_to_available,
)
from fake_dra_driver.cluster.controllers.revisions import REVISION_HASH, Revisions
from fake_dra_driver.cluster.controllers.rollout import resolve
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, DaemonSet
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import ApiError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["DaemonSetReconciler", "daemonset_controller"]

log = logger.bind(component="daemonset-controller")

_TEMPLATE_GENERATION: Final = "pod-template-generation"
_GENERATION_ANNOTATION: Final = "deprecated.daemonset.template.generation"
_FIRST_REPLACEMENT_SECONDS: Final = 1.0
_LAST_REPLACEMENT_SECONDS: Final = 900.0
"""Pauses before a pod that has failed is replaced, for each node (FailedPodsBackoff)."""
_WORKERS: Final = 2
"""ConcurrentDaemonSetSyncs."""


class DaemonSetReconciler(Reconciler):
    """Reconciles one DaemonSet."""

    def __init__(
        self,
        client: Client,
        sets: Informer[DaemonSet],
        pods: Informer[Pod],
        nodes: Informer[Node],
        revisions: Revisions,
        events: EventSink,
        now: WallClock,
    ) -> None:
        self._client = client
        self._sets = sets
        self._pods = pods
        self._nodes = nodes
        self._adoption = Adoption(client, Pod, pods)
        self._revisions = revisions
        self._control = PodControl(client, events)
        self._events = events
        self._now = now
        self._failures: ExponentialRateLimiter[tuple[UID, str]] = ExponentialRateLimiter(
            _FIRST_REPLACEMENT_SECONDS, _LAST_REPLACEMENT_SECONDS
        )
        self._not_before: dict[tuple[UID, str], float] = {}
        """Loop time before which no pod that has failed is replaced, by DaemonSet and node."""

    @override
    async def reconcile(self, request: Request) -> Result:
        owner = self._sets.get(request)
        if owner is None or owner.is_deleting:
            self._forget_failures({each.uid for each in self._sets.list()})
            return Result()
        try:
            current = await self._revisions.current(owner, owner.spec)
        except ApiError as error:
            if is_namespace_going(error):
                return Result()
            raise
        await self._adoption.adopt(owner, owner.spec)
        revision = current.metadata.labels[REVISION_HASH]
        fits = {node.metadata.name: fit(owner, node) for node in self._nodes.list()}
        wait = await self._place(owner, fits, revision)
        if owner.spec.update_strategy.type == "RollingUpdate":
            await self._replace_outdated(owner, fits, revision)
        used = {pod.metadata.labels.get(REVISION_HASH) for pod in self._pods.by_index(BY_CONTROLLER, owner.uid)}
        await self._revisions.forget(owner, {revision, *used}, owner.spec.revision_history_limit)
        return await self._write_status(owner, fits, revision, wait)

    def _by_node(self, owner: DaemonSet) -> Mapping[str, list[Pod]]:
        """The DaemonSet's pods by the node they are for, the oldest first, as they are after our own writes."""
        found: dict[str, list[Pod]] = {}
        for pod in sorted(self._pods.by_index(BY_CONTROLLER, owner.uid), key=age_rank):
            found.setdefault(target_node(pod), []).append(pod)
        return found

    # --- one pod for each node ---

    async def _place(self, owner: DaemonSet, fits: Mapping[str, Fit], revision: str) -> float | None:
        """Creates missing pods and deletes superfluous ones. Returns when to look again."""
        waits: list[float] = []
        by_node = self._by_node(owner)
        for name, each in fits.items():
            pods = by_node.get(name, [])
            if not each.may_stay:
                await self._delete(owner, pods)
                continue
            failed = [pod for pod in pods if pod.is_finished and not pod.is_deleting]
            for pod in failed:
                wait = await self._replace_failed(owner, pod, name)
                if wait:
                    waits.append(wait)
            alive = [pod for pod in pods if not pod.is_finished]
            if not pods and each.should_run:
                more = ObjectMeta(labels={REVISION_HASH: revision, **_template_generation(owner)})
                await self._control.create(owner, owner.spec.template, more=more, spec=daemon_pod_spec(owner, name))
            await self._delete(owner, alive[1:])
        for name, pods in by_node.items():
            # Pods that are for no existing node. Those bound to a missing node are the pod collector's.
            if name not in fits:
                await self._delete(owner, [pod for pod in pods if not pod.spec.node_name])
        for key in [key for key in self._not_before if key[0] == owner.uid and key[1] not in fits]:
            self._forget_failure(key)
        return min(waits, default=None)

    def _forget_failures(self, present: Collection[UID]) -> None:
        for key in [key for key in self._not_before if key[0] not in present]:
            self._forget_failure(key)

    def _forget_failure(self, key: tuple[UID, str]) -> None:
        del self._not_before[key]
        self._failures.forget(key)

    async def _replace_failed(self, owner: DaemonSet, pod: Pod, node: str) -> float:
        """Deletes a pod that has ended, once its node's pause is over. Returns the seconds left of the pause."""
        key, now = (owner.uid, node), loop_time()
        not_before = self._not_before.get(key, now)
        if now < not_before:
            return not_before - now
        if now - not_before > 2 * _LAST_REPLACEMENT_SECONDS:
            self._failures.forget(key)
        message = f"Found failed daemon pod {pod.key} on node {node}, will try to kill it"
        self._events.event(owner, "Warning", "FailedDaemonPod", message)
        await self._control.delete(owner, pod)
        self._not_before[key] = now + self._failures.when(key)
        return 0.0

    async def _delete(self, owner: DaemonSet, pods: Sequence[Pod]) -> None:
        for pod in pods:
            if not pod.is_deleting:
                await self._control.delete(owner, pod)

    # --- rolling update ---

    async def _replace_outdated(self, owner: DaemonSet, fits: Mapping[str, Fit], revision: str) -> None:
        """Deletes pods of older templates: unavailable ones, and as many others as may be unavailable."""
        wanted = [name for name, each in fits.items() if each.should_run]
        rolling = owner.spec.update_strategy.rolling_update
        allowed = max(resolve(rolling.max_unavailable if rolling else 1, len(wanted), up=True), 1)
        by_node, candidates = self._by_node(owner), []
        for name in sorted(wanted):
            pods = [pod for pod in by_node.get(name, []) if not pod.is_finished]
            outdated = [pod for pod in pods if pod.metadata.labels.get(REVISION_HASH) != revision]
            alive = [pod for pod in pods if not pod.is_deleting]
            if not any(self._is_available(owner, pod) for pod in alive):
                allowed -= 1
                await self._delete(owner, outdated)
            elif outdated and outdated[0] in alive:
                candidates.append(outdated[0])
        await self._delete(owner, candidates[: max(allowed, 0)])

    def _is_available(self, owner: DaemonSet, pod: Pod) -> bool:
        return seconds_to_available(pod, owner.spec.min_ready_seconds, self._now()) == 0

    # --- status ---

    async def _write_status(
        self, owner: DaemonSet, fits: Mapping[str, Fit], revision: str, wait: float | None
    ) -> Result:
        by_node = self._by_node(owner)
        counts = dict.fromkeys(_COUNTS, 0)
        waits = [] if wait is None else [wait]
        for name, each in fits.items():
            pod = next(iter(by_node.get(name, ())), None)
            if not each.should_run:
                counts["number_misscheduled"] += pod is not None
                continue
            counts["desired_number_scheduled"] += 1
            if pod is None:
                continue
            until = seconds_to_available(pod, owner.spec.min_ready_seconds, self._now())
            counts["current_number_scheduled"] += 1
            counts["number_ready"] += is_ready(pod)
            counts["number_available"] += until == 0
            counts["updated_number_scheduled"] += pod.metadata.labels.get(REVISION_HASH) == revision
            if until:
                waits.append(until)
        counts["number_unavailable"] = counts["desired_number_scheduled"] - counts["number_available"]
        counts["observed_generation"] = owner.metadata.generation
        status = counted(owner.status, counts, always=_ALWAYS)
        if status.to_wire() != owner.status.to_wire():
            await self._client.update_status(owner.model_copy(update={"status": status}))
        return Result(requeue_after=min(waits, default=None))


_ALWAYS: Final = ("current_number_scheduled", "number_misscheduled", "desired_number_scheduled", "number_ready")
_COUNTS: Final = (*_ALWAYS, "updated_number_scheduled", "number_available")


def _template_generation(owner: DaemonSet) -> Mapping[str, str]:
    generation = owner.metadata.annotations.get(_GENERATION_ANNOTATION)
    return {_TEMPLATE_GENERATION: generation} if generation else {}


def daemonset_controller(client: Client, cache: Cache, events: EventSink, now: WallClock) -> Controller:
    """The controller of DaemonSets."""
    sets, pods, nodes = cache.informer(DaemonSet), cache.informer(Pod), cache.informer(Node)
    revisions = cache.informer(ControllerRevision)
    pods.add_index(BY_CONTROLLER, controller_uid)
    revisions.add_index(BY_CONTROLLER, controller_uid)
    reconciler = DaemonSetReconciler(client, sets, pods, nodes, Revisions(client, revisions), events, now)
    controller = Controller("daemonset", reconciler, workers=_WORKERS)

    def all_sets(_: object) -> list[NamespacedName]:
        return [each.key for each in sets.list()]

    controller.watch(sets, predicate=lambda change: change.new is not None)
    watch_pods(controller, pods, DaemonSet)
    controller.watch(nodes, all_sets, predicate=changes_node_fit)
    return controller
