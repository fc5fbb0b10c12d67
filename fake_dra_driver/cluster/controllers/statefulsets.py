"""Keeps the pods of each StatefulSet: with stable names, in order, and replaces those of an older template.

Follows k8s.io/kubernetes/pkg/controller/statefulset (stateful_set_control.go). Not here: PersistentVolumeClaims, which
the cluster does not have.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.cluster.controllers.adoption import Adoption
from fake_dra_driver.cluster.controllers.mapping import watch_pods
from fake_dra_driver.cluster.controllers.podcontrol import (
    BY_CONTROLLER,
    controller_uid,
    counted,
    is_namespace_going,
    seconds_to_available,
)
from fake_dra_driver.cluster.controllers.revisions import REVISION_HASH, Revisions
from fake_dra_driver.cluster.controllers.statefulpods import (
    Replicas,
    is_healthy,
    is_named_by,
    is_outdated,
    is_running,
    is_stepwise,
    make_pod,
    max_unavailable,
)
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, StatefulSet
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import ApiError, NotFoundError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["StatefulSetReconciler", "statefulset_controller"]

log = logger.bind(component="statefulset-controller")

_HASH: Final = "controller.kubernetes.io/hash"
"""Label of the revisions of StatefulSets."""
_WORKERS: Final = 5
"""ConcurrentStatefulSetSyncs."""


class StatefulSetReconciler(Reconciler):
    """Reconciles one StatefulSet."""

    def __init__(
        self,
        client: Client,
        sets: Informer[StatefulSet],
        pods: Informer[Pod],
        revisions: Revisions,
        events: EventSink,
        now: WallClock,
    ) -> None:
        self._client = client
        self._sets = sets
        self._pods = pods
        self._adoption = Adoption(client, Pod, pods)
        self._revisions = revisions
        self._events = events
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        owner = self._sets.get(request)
        if owner is None or owner.is_deleting:
            return Result()
        try:
            updated = await self._revisions.current(owner, owner.spec)
        except ApiError as error:
            if is_namespace_going(error):
                return Result()
            raise
        await self._adoption.adopt(owner, owner.spec, partial(is_named_by, owner))
        names = {each.metadata.name: each for each in (*self._revisions.of(owner), updated)}
        current = names.get(owner.status.current_revision, updated)
        try:
            await self._keep(owner, current, updated)
        finally:
            result = await self._write_status(owner, current, updated)
        await self._forget_history(owner, current, updated)
        return result

    def _replicas(self, owner: StatefulSet) -> Replicas:
        """Its pods, as they are after this controller's own writes."""
        return Replicas.of(owner, self._pods.by_index(BY_CONTROLLER, owner.uid))

    # --- pods ---

    async def _keep(self, owner: StatefulSet, current: ControllerRevision, updated: ControllerRevision) -> None:
        """Creates, deletes and replaces pods, as far as it is their turn. Raises what the client's calls raise."""
        if await self._keep_wanted(owner, current, updated) and await self._remove_condemned(owner):
            await self._replace_outdated(owner, updated)

    async def _keep_wanted(self, owner: StatefulSet, current: ControllerRevision, updated: ControllerRevision) -> bool:
        """Creates what is missing; returns whether others may have their turn."""
        goes_on = True
        for ordinal, pod in self._replicas(owner).wanted.items():
            if pod is None:
                await self._create(owner, make_pod(owner, ordinal, current, updated))
                if is_stepwise(owner):
                    return False
            elif pod.is_finished:
                if not pod.is_deleting:
                    kind = "failed" if pod.status.phase == "Failed" else "terminated"
                    text = f"StatefulSet {owner.key} is recreating {kind} Pod {pod.metadata.name}"
                    self._events.event(owner, "Warning", f"Recreating{kind.title()}Pod", text)
                    await self._delete(owner, pod)
                if is_stepwise(owner):
                    return False
                goes_on = False
            elif is_stepwise(owner) and not (is_healthy(pod) and self._is_available(owner, pod)):
                return False
        return goes_on

    async def _remove_condemned(self, owner: StatefulSet) -> bool:
        """Deletes what is too many, the last one first; returns whether others may have their turn."""
        replicas = self._replicas(owner)
        unhealthy = [
            pod for pod in (*replicas.wanted.values(), *reversed(replicas.condemned)) if pod and not is_healthy(pod)
        ]
        for pod in replicas.condemned:
            waits = is_stepwise(owner)
            if pod.is_deleting:
                if waits:
                    return False
                continue
            # One that never becomes ready is not waited for, unless another one before it is not ready either.
            if waits and not is_running(pod) and pod is not unhealthy[0]:
                return False
            await self._delete(owner, pod)
            if waits:
                return False
        return True

    async def _replace_outdated(self, owner: StatefulSet, updated: ControllerRevision) -> None:
        """Deletes pods of an older template, the last one first, as many as may be unavailable."""
        strategy = owner.spec.update_strategy
        if strategy.type != "RollingUpdate":
            return
        first = owner.spec.ordinals.start + (strategy.rolling_update.partition if strategy.rolling_update else 0)
        wanted = self._replicas(owner).wanted
        left = max_unavailable(owner)
        for ordinal in sorted(wanted, reverse=True):
            pod = wanted[ordinal]
            if ordinal < first or left <= 0:
                return
            if pod is None or not is_healthy(pod) or not self._is_available(owner, pod):
                left -= 1
            if pod is not None and is_outdated(pod, updated) and not pod.is_deleting:
                if is_healthy(pod) and self._is_available(owner, pod):
                    left -= 1
                await self._delete(owner, pod)

    def _is_available(self, owner: StatefulSet, pod: Pod) -> bool:
        return seconds_to_available(pod, owner.spec.min_ready_seconds, self._now()) == 0

    async def _create(self, owner: StatefulSet, pod: Pod) -> None:
        about = f"Create Pod {pod.metadata.name} in StatefulSet {owner.metadata.name}"
        try:
            await self._client.create(pod)
        except ApiError as error:
            if is_namespace_going(error):
                return
            self._events.event(owner, "Warning", "FailedCreate", f"{about} failed error: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulCreate", f"{about} successful")
        log.info("pod created", statefulset=str(owner.key), pod=pod.metadata.name)

    async def _delete(self, owner: StatefulSet, pod: Pod) -> None:
        about = f"Delete Pod {pod.metadata.name} in StatefulSet {owner.metadata.name}"
        try:
            await self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFoundError:
            return
        except ApiError as error:
            self._events.event(owner, "Warning", "FailedDelete", f"{about} failed error: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulDelete", f"{about} successful")

    # --- status ---

    async def _write_status(
        self, owner: StatefulSet, current: ControllerRevision, updated: ControllerRevision
    ) -> Result:
        """Writes the status. Comes back when a ready pod becomes available just by the passing of time."""
        pods = self._replicas(owner).present
        waits = [
            seconds_to_available(pod, owner.spec.min_ready_seconds, self._now()) for pod in pods if is_running(pod)
        ]
        staying = [pod.metadata.labels.get(REVISION_HASH) for pod in pods if not pod.is_deleting]
        counts = {
            "replicas": len(pods),
            "ready_replicas": len(waits),
            "available_replicas": sum(wait == 0 for wait in waits),
            "current_replicas": staying.count(current.metadata.name),
            "updated_replicas": staying.count(updated.metadata.name),
            "observed_generation": owner.metadata.generation,
        }
        done = counts["updated_replicas"] == counts["ready_replicas"] == counts["replicas"] == owner.spec.replicas
        is_done = done and owner.spec.update_strategy.type == "RollingUpdate"
        if is_done:
            counts["current_replicas"] = counts["updated_replicas"]
        names: Mapping[str, object] = {
            "current_revision": (updated if is_done else current).metadata.name,
            "update_revision": updated.metadata.name,
            "collision_count": owner.status.collision_count or 0,
        }
        status = counted(owner.status, counts, always=("replicas", "available_replicas")).model_copy(update=names)
        if status.to_wire() != owner.status.to_wire():
            await self._client.update_status(owner.model_copy(update={"status": status}))
        soon = [wait for wait in waits if wait]
        return Result(requeue_after=min(soon)) if soon else Result()

    async def _forget_history(
        self, owner: StatefulSet, current: ControllerRevision, updated: ControllerRevision
    ) -> None:
        used = {pod.metadata.labels.get(REVISION_HASH) for pod in self._pods.by_index(BY_CONTROLLER, owner.uid)}
        used |= {current.metadata.name, updated.metadata.name}
        await self._revisions.forget(owner, used, owner.spec.revision_history_limit)


def statefulset_controller(client: Client, cache: Cache, events: EventSink, now: WallClock) -> Controller:
    """The controller of StatefulSets."""
    sets, pods, revisions = cache.informer(StatefulSet), cache.informer(Pod), cache.informer(ControllerRevision)
    pods.add_index(BY_CONTROLLER, controller_uid)
    revisions.add_index(BY_CONTROLLER, controller_uid)
    reconciler = StatefulSetReconciler(client, sets, pods, Revisions(client, revisions, _HASH), events, now)
    controller = Controller("statefulset", reconciler, workers=_WORKERS)
    controller.watch(sets, predicate=lambda change: change.new is not None)
    watch_pods(controller, pods, StatefulSet)
    return controller
