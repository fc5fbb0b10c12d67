"""Creates the claims of pods from templates, and has pods helped that were bound without the scheduler.

The pod's half of kube-controller-manager's resource claim controller (pkg/controller/resourceclaim, syncPod). Names of
claims: ``<pod>-<entry>`` in Kubernetes 1.27; from 1.28 on with a random suffix, and recorded in the pod's status.
Classic and structured claims are made alike: what a template says is copied.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import PodResourceClaim
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.podclaims import claim_key, claim_keys, is_made_for
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext
from fake_dra_driver.cluster.controllers.boundpods import BoundPods, ClassicBoundPods, StructuredBoundPods
from fake_dra_driver.cluster.kinds import Pod, ResourceClaimTemplate
from fake_dra_driver.cluster.owners import controlled_by, controller_of
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import ApiError, NotFoundError, RetryError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["PODS_BY_CLAIM", "POD_CLAIM_NAME", "ClaimTemplateReconciler", "claims_of_pod_controller"]

log = logger.bind(component="resource-claim-controller")

POD_CLAIM_NAME: Final = "resource.kubernetes.io/pod-claim-name"
"""Annotation of a claim that was made from a template: the entry of the pod that it is for."""
PODS_BY_CLAIM: Final = "claim"
"""Index of the pod cache: the claims that a pod uses, by ``namespace/name``."""
_PODS_BY_TEMPLATE: Final = "template"
_CLAIMS_BY_POD: Final = "pod"
"""Index of the claim cache: UID of the pod that a claim was made for."""
_FIELD_MANAGER: Final = "ResourceClaimController"
_MAX_NAME_BASE: Final = 57
"""Leaves room for five random characters in a name of 63, and one more."""


Claim = v1alpha2.ResourceClaim | v1.ResourceClaim
Template = ResourceClaimTemplate | v1.ResourceClaimTemplate


@dataclass(frozen=True, slots=True)
class _Caches:
    pods: Informer[Pod]
    claims: Informer[Any]
    """Of ``Claim``."""
    templates: Informer[Any]
    """Of ``Template``."""


class _NotMadeError(RetryError):
    """A claim cannot be made, for a reason that may go. Tried again and told again, with ever longer pauses."""


class ClaimTemplateReconciler(Reconciler):
    """Reconciles the claims of one pod."""

    def __init__(
        self,
        client: Client,
        caches: _Caches,
        events: EventSink,
        bound_pods: BoundPods,
        claim_kind: type[Claim],
        release: Release,
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._bound_pods = bound_pods
        self._claim_kind = claim_kind
        self._release = release
        self._random_names = release.has_random_claim_names

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._caches.pods.get(request)
        # Upstream makes the claims of a pod that has ended again when the pod changes or the controller starts, deletes
        # them at once, and may go on like that for some seconds.
        if pod is None or pod.is_deleting or pod.is_finished:
            return Result()
        made: dict[str, str] = {}
        for entry in pod.spec.resource_claims:
            try:
                name = await self._make(pod, entry)
            except _NotMadeError as error:
                reason = "FailedResourceClaimCreation"
                self._events.event(pod, "Warning", reason, f"PodResourceClaim {entry.name}: {error}")
                raise
            if name is not None:
                made[entry.name] = name
        if made and self._random_names:
            await self._record(pod, made)
        elif pod.spec.node_name:
            await self._bound_pods.help(pod)
        return Result()

    async def _make(self, pod: Pod, entry: PodResourceClaim) -> str | None:
        """Creates the claim of an entry. Returns its name if the pod's status does not have it yet."""
        template_name = entry.template_name
        key = claim_key(pod, entry)
        recorded = {each.name for each in pod.status.resource_claim_statuses or ()}
        if template_name is None or (key is None and entry.name in recorded):
            return None
        known = await self._known(key, is_recorded=entry.name in recorded)
        if known is not None and is_made_for(known, pod):
            return None if entry.name in recorded or not self._random_names else known.metadata.name
        if known is not None and not self._random_names:
            raise _NotMadeError(f"ResourceClaim {known.key} was not created for pod {pod.key} (pod is not owner)")
        orphan = self._find(pod, entry)
        if orphan is not None:
            return orphan.metadata.name
        template = self._caches.templates.get(NamespacedName(pod.metadata.namespace, template_name))
        if template is None:
            missing = f'resourceclaimtemplate.resource.k8s.io "{template_name}" not found'
            raise _NotMadeError(f'resource claim template "{template_name}": {missing}')
        claim = self._claim(pod, entry, template)
        try:
            created = await self._client.create(claim)
        except ApiError as error:
            raise _NotMadeError(f"create ResourceClaim {claim.metadata.name}: {error.message}") from error
        log.info("claim created", claim=str(created.key), pod=str(pod.key))
        return created.metadata.name

    async def _known(self, key: NamespacedName | None, *, is_recorded: bool) -> Claim | None:
        """The claim of that name, if there is one."""
        if key is None:
            return None
        known: Claim | None = self._caches.claims.get(key)
        if known is None and is_recorded:
            # The pod may be newer in its cache than the claim in that of claims.
            with contextlib.suppress(NotFoundError):
                known = await self._client.get(self._claim_kind, key)
        return known

    def _find(self, pod: Pod, entry: PodResourceClaim) -> Claim | None:
        """A claim that was created before and not recorded, because the program ended in between."""
        found: Sequence[Claim] = self._caches.claims.by_index(_CLAIMS_BY_POD, pod.uid)
        for claim in found:
            if claim.metadata.annotations.get(POD_CLAIM_NAME) == entry.name:
                return claim
        return None

    def _claim(self, pod: Pod, entry: PodResourceClaim, template: Template) -> Claim:
        name = f"{pod.metadata.name}-{entry.name}"
        given: Mapping[str, Any] = (
            {"generate_name": _name_base(pod.metadata.name, entry.name)} if self._random_names else {"name": name}
        )
        metadata = ObjectMeta(
            **given,
            namespace=pod.metadata.namespace,
            labels=template.spec.metadata.labels,
            annotations={**template.spec.metadata.annotations, POD_CLAIM_NAME: entry.name},
            owner_references=(controlled_by(pod, blocks=self._release.claims_block_their_pods),),
        )
        spec = template.to_wire().get("spec", {}).get("spec", {})
        return self._claim_kind.from_wire({"metadata": metadata.to_wire(), "spec": spec})

    async def _record(self, pod: Pod, made: Mapping[str, str]) -> None:
        """Writes the names of all claims into the pod's status; those left out would be lost."""
        present = {each.name: each.resource_claim_name for each in pod.status.resource_claim_statuses or ()}
        named = {name: claim for name, claim in {**present, **made}.items() if claim is not None}
        statuses = [{"name": name, "resourceClaimName": named[name]} for name in sorted(named)]
        body = {"metadata": {"uid": pod.uid}, "status": {"resourceClaimStatuses": statuses}}
        await self._client.apply(Pod, pod.key, body, field_manager=_FIELD_MANAGER, force=True, subresource="status")


def claims_of_pod_controller(client: Client, cache: Cache, events: EventSink, release: Release) -> Controller:
    """The controller of the claims that pods have in their specs."""
    bound_pods: BoundPods
    claim_kind: type[Claim]
    if release.structured_version:
        api = RESOURCE_APIS[release.structured_version]
        claim_kind = api.claims
        caches = _Caches(cache.informer(Pod), cache.informer(api.claims), cache.informer(api.templates))
        bound_pods = StructuredBoundPods(client, caches.claims)
    else:
        claim_kind = v1alpha2.ResourceClaim
        caches = _Caches(
            cache.informer(Pod), cache.informer(v1alpha2.ResourceClaim), cache.informer(ResourceClaimTemplate)
        )
        bound_pods = ClassicBoundPods(client, caches.claims, cache.informer(PodSchedulingContext))
    caches.pods.add_index(PODS_BY_CLAIM, claims_used)
    caches.pods.add_index(_PODS_BY_TEMPLATE, _templates_used)
    caches.claims.add_index(_CLAIMS_BY_POD, _pod_of_claim)
    reconciler = ClaimTemplateReconciler(client, caches, events, bound_pods, claim_kind, release)
    controller = Controller("resource-claim-pod", reconciler, workers=_WORKERS)
    controller.watch(caches.pods, predicate=_concerns_claims)
    controller.watch(
        caches.claims,
        lambda change: _keys(caches.pods, PODS_BY_CLAIM)(change.key),
        predicate=lambda change: change.old is None or change.new is None or change.old.status != change.new.status,
    )
    controller.watch(caches.templates, lambda change: _keys(caches.pods, _PODS_BY_TEMPLATE)(change.key))
    return controller


_WORKERS: Final = 10
"""ConcurrentResourceClaimSyncs of kube-controller-manager is 50; a pass here waits for one write at most."""


def _concerns_claims(change: Change[Pod]) -> bool:
    """Whether a pod with claims is new, has got a node, or names other claims than before."""
    old, new = change.old, change.new
    if new is None or not new.spec.resource_claims:
        return False
    before = (old.spec.node_name, old.status.resource_claim_statuses) if old is not None else None
    return before != (new.spec.node_name, new.status.resource_claim_statuses)


def _keys(pods: Informer[Pod], index: str) -> Callable[[NamespacedName], Iterable[NamespacedName]]:
    return lambda key: [pod.key for pod in pods.by_index(index, str(key))]


def claims_used(pod: Pod) -> Iterable[str]:
    """Index function: the claims that a pod uses."""
    return [str(key) for key in claim_keys(pod)]


def _templates_used(pod: Pod) -> Iterable[str]:
    names = {each.template_name for each in pod.spec.resource_claims}
    return [str(NamespacedName(pod.metadata.namespace, name)) for name in sorted(filter(None, names))]


def _pod_of_claim(claim: Claim) -> Iterable[str]:
    owner = controller_of(claim)
    return [owner.uid] if owner is not None and owner.kind == "Pod" else []


def _name_base(pod: str, entry: str) -> str:
    """The prefix of a generated name; both parts are shortened in proportion when they are too long."""
    base = f"{pod}-{entry}-"
    if len(base) <= _MAX_NAME_BASE:
        return base
    return f"{pod[: len(pod) * _MAX_NAME_BASE // len(base)]}-{entry[: len(entry) * _MAX_NAME_BASE // len(base)]}"
