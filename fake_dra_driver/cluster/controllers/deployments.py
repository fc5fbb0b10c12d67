"""Keeps a ReplicaSet for each template that a Deployment has had, and moves pods from the old ones to the new one.

Follows k8s.io/kubernetes/pkg/controller/deployment: rolling update and Recreate, revisions, history. Simpler than that:
a change of ``replicas`` during a rollout is not spread over all sets in proportion; the rollout just goes on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.cluster.controllers.adoption import Adoption
from fake_dra_driver.cluster.controllers.deploymentstatus import deployment_status, rollout_deadline
from fake_dra_driver.cluster.controllers.mapping import to_controller
from fake_dra_driver.cluster.controllers.podcontrol import (
    BY_CONTROLLER,
    age_rank,
    controller_uid,
    counted,
    is_namespace_going,
    template_hash,
)
from fake_dra_driver.cluster.controllers.rollout import max_surge, new_set_replicas, old_set_replicas
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.owners import controlled_by
from fake_dra_driver.cluster.releases import DEFAULT, Release
from fake_dra_driver.cluster.workloadkinds import Deployment, LabelSelector, PodTemplateSpec, ReplicaSet, ReplicaSetSpec
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import AlreadyExistsError, ApiError, RetryError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["POD_TEMPLATE_HASH", "REVISION", "DeploymentReconciler", "deployment_controller"]

log = logger.bind(component="deployment-controller")

POD_TEMPLATE_HASH: Final = "pod-template-hash"
REVISION: Final = "deployment.kubernetes.io/revision"
_DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
_MAX: Final = "deployment.kubernetes.io/max-replicas"
_NOT_HANDED_ON: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION, _DESIRED, _MAX})
"""Annotations of a Deployment that its ReplicaSets do not get."""
_WORKERS: Final = 5


class DeploymentReconciler(Reconciler):
    """Reconciles one Deployment."""

    def __init__(
        self,
        client: Client,
        deployments: Informer[Deployment],
        sets: Informer[ReplicaSet],
        pods: Informer[Pod],
        events: EventSink,
        now: WallClock,
        release: Release,
    ) -> None:
        self._client = client
        self._release = release
        self._deployments = deployments
        self._adoption = Adoption(client, ReplicaSet, sets)
        self._sets = sets
        self._pods = pods
        self._events = events
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        deployment = self._deployments.get(request)
        if deployment is None or deployment.is_deleting:
            return Result()
        try:
            await self._adoption.adopt(deployment, deployment.spec)
            created = await self._roll(deployment)
        except ApiError as error:
            if is_namespace_going(error):
                return Result()
            raise
        return await self._write_status(deployment, created=created)

    # --- sets ---

    def _owned(self, deployment: Deployment) -> list[ReplicaSet]:
        """The Deployment's sets, the oldest first, as they are after our own writes."""
        return sorted(self._sets.by_index(BY_CONTROLLER, deployment.uid), key=age_rank)

    def _current(self, deployment: Deployment) -> ReplicaSet | None:
        """The set of the Deployment's current template."""
        wanted = _comparable(deployment.spec.template)
        return next((each for each in self._owned(deployment) if _comparable(each.spec.template) == wanted), None)

    def _others(self, deployment: Deployment, new: ReplicaSet | None) -> list[ReplicaSet]:
        return [each for each in self._owned(deployment) if new is None or each.uid != new.uid]

    async def _roll(self, deployment: Deployment) -> bool:
        """One step towards what is asked for. Returns whether a new set was made."""
        new = self._current(deployment)
        old = self._others(deployment, new)
        if deployment.spec.paused:
            await self._scale_paused(deployment, new or next(iter(reversed(old)), None))
            return False
        if deployment.spec.strategy.type == "Recreate":
            for each in old:
                await self._scale(deployment, each, 0)
            if any(self._has_pods(each) for each in old):
                return False
        count = new_set_replicas(deployment, new.spec.replicas if new else 0, sum(each.spec.replicas for each in old))
        if new is None:
            await self._create(deployment, old, count)
            return True
        await self._note_revision(deployment, new, old)
        if await self._scale(deployment, new, count):
            return False
        for name, replicas in old_set_replicas(deployment, new, old).items():
            await self._scale(deployment, next(each for each in old if each.metadata.name == name), replicas)
        await self._forget_history(deployment, new)
        return False

    def _has_pods(self, owner: ReplicaSet) -> bool:
        return any(not pod.is_finished for pod in self._pods.by_index(BY_CONTROLLER, owner.uid))

    async def _scale_paused(self, deployment: Deployment, active: ReplicaSet | None) -> None:
        """A paused Deployment still keeps its number of pods, of the template it has."""
        if active is not None and active.metadata.annotations.get(_DESIRED) != str(deployment.spec.replicas):
            await self._scale(deployment, active, deployment.spec.replicas)

    async def _create(self, deployment: Deployment, old: Sequence[ReplicaSet], replicas: int) -> None:
        collisions = deployment.status.collision_count or 0
        hashed = template_hash(_comparable(deployment.spec.template), collisions)
        name = f"{deployment.metadata.name}-{hashed}"
        labels = {**deployment.spec.template.metadata.labels, POD_TEMPLATE_HASH: hashed}
        annotations = {
            **{key: each for key, each in deployment.metadata.annotations.items() if key not in _NOT_HANDED_ON},
            **_sizes(deployment),
            REVISION: str(max((_revision(each) for each in old), default=0) + 1),
        }
        template = deployment.spec.template
        new = ReplicaSet(
            metadata=ObjectMeta(
                name=name,
                namespace=deployment.metadata.namespace,
                labels=labels,
                annotations=annotations,
                owner_references=(controlled_by(deployment),),
            ),
            spec=ReplicaSetSpec(
                replicas=replicas,
                min_ready_seconds=deployment.spec.min_ready_seconds,
                selector=_with_hash(deployment.spec.selector, hashed),
                template=template.model_copy(
                    update={"metadata": template.metadata.model_copy(update={"labels": labels})}
                ),
            ),
        )
        try:
            created = await self._client.create(new)
        except AlreadyExistsError as error:
            # A set of another template has the name, since the hashes collide: the next hash differs.
            status = {"status": {"collisionCount": collisions + 1}}
            await self._client.merge_patch(Deployment, deployment.key, status, subresource="status")
            raise RetryError(f"the name {name} is taken by a ReplicaSet of another template") from error
        log.info("replica set created", deployment=str(deployment.key), replicaset=name)
        await self._set_revision(deployment, _revision(created))
        if replicas:
            size = f"from 0 to {replicas}" if self._release.scaling_events_begin_with_old_size else f"to {replicas}"
            self._events.event(deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} {size}")

    async def _scale(self, deployment: Deployment, target: ReplicaSet, replicas: int) -> bool:
        """Scales a set. Returns whether it was scaled otherwise before."""
        sizes, before = _sizes(deployment), target.spec.replicas
        if before == replicas and sizes.items() <= dict(target.metadata.annotations).items():
            return False
        patch = {"metadata": {"uid": target.uid, "annotations": sizes}, "spec": {"replicas": replicas}}
        await self._client.merge_patch(ReplicaSet, target.key, patch)
        if before == replicas:
            return False
        direction = "up" if replicas > before else "down"
        is_newer = self._release.scaling_events_begin_with_old_size
        size = f"from {before} to {replicas}" if is_newer else f"to {replicas} from {before}"
        message = f"Scaled {direction} replica set {target.metadata.name} {size}"
        self._events.event(deployment, "Normal", "ScalingReplicaSet", message)
        return True

    # --- revisions ---

    async def _note_revision(self, deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> None:
        """Gives the set in use the highest revision, also when it is an old one after a rollback."""
        latest = max((_revision(each) for each in old), default=0)
        revision = _revision(new)
        if revision <= latest:
            revision = latest + 1
            patch = {"metadata": {"uid": new.uid, "annotations": {REVISION: str(revision)}}}
            await self._client.merge_patch(ReplicaSet, new.key, patch)
        await self._set_revision(deployment, revision)

    async def _set_revision(self, deployment: Deployment, revision: int) -> None:
        if deployment.metadata.annotations.get(REVISION) != str(revision):
            patch = {"metadata": {"uid": deployment.uid, "annotations": {REVISION: str(revision)}}}
            await self._client.merge_patch(Deployment, deployment.key, patch, subresource="status")

    async def _forget_history(self, deployment: Deployment, new: ReplicaSet) -> None:
        """Deletes the oldest sets without pods, as many as are above the limit."""
        idle = [
            each
            for each in self._others(deployment, new)
            if not each.spec.replicas and not each.status.replicas and not each.is_deleting
            if each.status.observed_generation >= each.metadata.generation
        ]
        surplus = len(idle) - deployment.spec.revision_history_limit
        for each in sorted(idle, key=_revision)[: max(surplus, 0)]:
            await self._client.delete(ReplicaSet, each.key, uid=each.uid)

    # --- status ---

    async def _write_status(self, deployment: Deployment, *, created: bool) -> Result:
        present = self._deployments.get(deployment.key)
        if present is None or present.uid != deployment.uid:
            return Result()
        new, now = self._current(deployment), self._now()
        observed = present.model_copy(update={"spec": deployment.spec})
        status = deployment_status(observed, self._owned(deployment), new, now, created=created)
        status = counted(status, {"observed_generation": deployment.metadata.generation})
        if status.to_wire() != present.status.to_wire():
            await self._client.update_status(present.model_copy(update={"status": status}))
        return Result(requeue_after=rollout_deadline(deployment, status, now))


def _comparable(template: PodTemplateSpec) -> Mapping[str, Any]:
    """A template without the label that distinguishes its pods from those of other templates."""
    wire = template.to_wire()
    labels = {key: each for key, each in template.metadata.labels.items() if key != POD_TEMPLATE_HASH}
    metadata = {**wire.get("metadata", {}), "labels": labels}
    return {**wire, "metadata": {name: each for name, each in metadata.items() if each}}


def _with_hash(selector: LabelSelector, hashed: str) -> LabelSelector:
    return selector.model_copy(update={"match_labels": {**selector.match_labels, POD_TEMPLATE_HASH: hashed}})


def _sizes(deployment: Deployment) -> Mapping[str, str]:
    replicas = deployment.spec.replicas
    return {_DESIRED: str(replicas), _MAX: str(replicas + max_surge(deployment))}


def _revision(owner: ReplicaSet) -> int:
    text = owner.metadata.annotations.get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def deployment_controller(
    client: Client, cache: Cache, events: EventSink, now: WallClock, release: Release = DEFAULT
) -> Controller:
    """The controller of Deployments."""
    deployments, sets, pods = cache.informer(Deployment), cache.informer(ReplicaSet), cache.informer(Pod)
    sets.add_index(BY_CONTROLLER, controller_uid)
    pods.add_index(BY_CONTROLLER, controller_uid)
    reconciler = DeploymentReconciler(client, deployments, sets, pods, events, now, release)
    controller = Controller("deployment", reconciler, workers=_WORKERS)
    controller.watch(deployments, predicate=lambda change: change.new is not None)
    controller.watch(sets, to_controller(Deployment))
    set_of, deployment_of = to_controller(ReplicaSet), to_controller(Deployment)

    def deployment_of_pod(change: Change[Pod]) -> list[Request]:
        """Recreate waits for the last old pod."""
        owners = [owner for key in set_of(change) if (owner := sets.get(key)) is not None]
        return [key for owner in owners for key in deployment_of(Change(owner.key, None, owner))]

    controller.watch(pods, deployment_of_pod, predicate=lambda change: change.new is None or change.new.is_finished)
    return controller
