"""Says which claims are prepared on a node although they hold nothing there, and no pod on the node can use them.

What is prepared stays so until the kubelet ends it. It does so for every pod whose end it has seen, whatever became of
the claim; but kubelet 1.27 cannot where the claim is gone, up to 1.30 none does for a pod that was removed by force
while it was away, and none for what it has lost with its own files. The plugin cannot tell such a claim from that of a
running pod whose claim was taken away: it does not see pods, and should not. So it is told, by an annotation of the
node's NodeAllocationState. Nothing else is decided by it, and as long as nothing is said, devices stay taken.

In ordinary operation a pass reads caches, and finds nothing. Otherwise what decides is asked of the API server.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.podclaims import claim_key
from fake_dra_driver.dra.nodestate.layout import StateT
from fake_dra_driver.dra.nodestate.state import AnyLayout, abandoned_of
from fake_dra_driver.dra.reason import CLAIM_LOST_IN_USE
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.clock import Clock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError, NotFoundError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.patch import pointer
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["AbandonedClaimsReconciler", "ApiReader"]

LOOK_SECONDS: Final = 5.0
"""How long a claim has been without devices before anything is asked about it: as a rule the plugin's next write, a
moment later, says that it is not prepared any more."""
ABANDONED_SECONDS: Final = 60.0
"""For the kubelet to stop the containers of a pod that was removed by force, and to unprepare: it gives them 30 s by
default. From Kubernetes 1.31 on it looks for missed ends every minute."""
STATES_BY_PREPARED: Final = "prepared"
"""Index of the cache of NodeAllocationStates: the claims that are prepared."""
_ENDED: Final = frozenset({"Succeeded", "Failed"})
"""Phases of pods whose containers have ended for good."""
MAX_NAMED: Final = 3
"""How many devices and pods an Event names; the rest are counted."""

log = logger.bind(component="abandonedclaims")

K = TypeVar("K", bound=KubeObject)
AnyClaim = v1.ResourceClaim | v1alpha2.ResourceClaim


class ApiReader(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def list(self, kind: type[K], namespace: str | None = None, *, field_selector: str = "") -> ListResult[K]:
        """Reads objects from the API server."""
        ...

    async def json_patch(self, kind: type[K], key: NamespacedName, operations: Sequence[Mapping[str, Any]]) -> K:
        """Applies a JSON patch (RFC 6902)."""
        ...


@dataclass(slots=True)
class _Node:
    """What a process remembers of a node. A restart only makes it begin to count again."""

    since: dict[str, float] = field(default_factory=dict)
    """By claim that is prepared and holds nothing: when that was first seen."""
    told: set[str] = field(default_factory=set)
    """Those of them of which it was said that pods may use them."""

    def see(self, unheld: Collection[str], now: float) -> None:
        """These are the claims in question now."""
        self.since = {uid: self.since.get(uid, now) for uid in unheld}
        self.told.intersection_update(unheld)


class AbandonedClaimsReconciler(Reconciler, Generic[StateT]):
    """Reconciles that annotation of one NodeAllocationState.

    Args:
        client: asks about pods and claims, and writes the annotation.
        layout: of the objects.
        states: the cache of the objects.
        claim_kind: the kind of claims, in the version that the cluster serves.
        is_held: whether a claim is allocated on a node, as far as a cache knows.
        events: tells people about claims that were lost in use.
    """

    def __init__(
        self,
        client: ApiReader,
        layout: AnyLayout[StateT],
        states: Informer[StateT],
        claim_kind: type[AnyClaim],
        is_held: Callable[[UID, str], bool],
        events: EventSink,
        *,
        clock: Clock = loop_time,
    ) -> None:
        self._client = client
        self._layout = layout
        self._states = states
        self._claim_kind = claim_kind
        self._is_held = is_held
        self._events = events
        self._clock = clock
        self._nodes: dict[NamespacedName, _Node] = {}
        states.add_index(STATES_BY_PREPARED, layout.prepared_of)

    def watch(self, controller: Controller, claims: Informer[Any]) -> None:
        """Asks ``controller`` for a pass whenever something changes that the annotation depends on, but for pods."""
        controller.watch(self._states, predicate=self._matters)
        controller.watch(claims, self._nodes_of_claim)

    @override
    async def reconcile(self, request: Request) -> Result:
        try:
            state = self._states.get(request)
        except InvalidObjectError:
            return Result()  # nothing is allocated there, and the ledger's controller has said why
        if state is None:
            self._nodes.pop(request, None)
            return Result()
        unheld = [uid for uid in sorted(self._layout.prepared_of(state)) if not self._is_held(UID(uid), request.name)]
        if not unheld:
            self._nodes.pop(request, None)
            await self._write(state, ())
            return Result()
        node, now = self._nodes.setdefault(request, _Node()), self._clock()
        node.see(unheld, now)
        looked_at = [uid for uid in unheld if now - node.since[uid] >= LOOK_SECONDS]
        if not looked_at:
            return Result(requeue_after=LOOK_SECONDS)
        users = await self._possible_users(state)
        if users:
            self._tell(state, [uid for uid in looked_at if uid not in node.told], users)
            node.told.update(looked_at)
            await self._write(state, ())
            return Result(requeue_after=ABANDONED_SECONDS)  # nothing tells when such a pod ends
        waiting = [uid for uid in unheld if now - node.since[uid] < ABANDONED_SECONDS]
        await self._write(state, [uid for uid in unheld if uid not in waiting])
        if not waiting:
            return Result()
        return Result(requeue_after=ABANDONED_SECONDS - max(now - node.since[uid] for uid in waiting))

    async def _possible_users(self, state: StateT) -> Sequence[Pod]:
        """The pods on the node that may use a claim that is gone: those with a claim that may not be the first."""
        pods = await self._client.list(Pod, field_selector=f"spec.nodeName={state.metadata.name}")
        if pods.invalid:
            raise pods.invalid[0]  # it may be one of them
        found, prepared = [], self._layout.prepared_of(state)
        for pod in pods.items:
            if pod.status.phase in _ENDED:
                continue
            for key in _claims_of(pod):
                claim = None if key is None else await self._claim(key)
                if claim is None or not _is_first(claim, pod, prepared):
                    found.append(pod)
                    break
        return found

    async def _claim(self, key: NamespacedName) -> AnyClaim | None:
        # Not from a cache: it may be older than the pod. A list, since a controller may list claims, not get them.
        listed = await self._client.list(self._claim_kind, key.namespace, field_selector=f"metadata.name={key.name}")
        return listed.items[0] if listed.items else None

    async def _write(self, state: StateT, abandoned: Sequence[str]) -> None:
        if abandoned_of(self._layout, state) == frozenset(abandoned):
            return
        annotation, annotations = self._layout.abandoned_annotation, state.metadata.annotations
        if abandoned:
            operations = patch.annotate(annotations, {annotation: ",".join(abandoned)}, tested=[annotation])
        else:
            path = pointer("metadata", "annotations", annotation)
            operations = [patch.test(path, annotations[annotation]), patch.remove(path)]
        try:
            await self._client.json_patch(
                self._layout.kind, state.key, [patch.test(pointer("metadata", "uid"), state.uid), *operations]
            )
        except NotFoundError:
            return
        if abandoned:
            log.info("Prepared claims that no pod can use", node=state.metadata.name, claim_uids=list(abandoned))

    def _tell(self, state: StateT, uids: Sequence[str], users: Sequence[Pod]) -> None:
        if not uids:
            return
        node, pods = state.metadata.name, _listed([str(pod.key) for pod in users])
        prepared = self._layout.prepared_of(state)
        for uid in uids:
            devices = _listed(prepared[uid])
            log.warning("Claim holds nothing any more and may be in use", node=node, claim_uid=uid, pods=pods)
            message = (
                f"the claim with UID {uid} holds nothing here any more, and its devices may be in use by pod {pods}: "
                f"they stay taken until the kubelet unprepares the claim, or no pod here can use it: {devices}"
            )
            CLAIM_LOST_IN_USE.tell(self._events, state, message)
        for pod in users:
            message = (
                "a claim of the pod was deleted or created again, or is not reserved for it any more: as long as the "
                f"pod is on node {node}, what is prepared there may be in use, and goes to no other claim"
            )
            CLAIM_LOST_IN_USE.tell(self._events, pod, message)

    def _matters(self, change: Change[StateT]) -> bool:
        old, new = change.old, change.new
        if old is None or new is None:
            return True
        layout = self._layout
        return layout.prepared_of(old) != layout.prepared_of(new) or (
            abandoned_of(layout, old) != abandoned_of(layout, new)
        )

    def _nodes_of_claim(self, change: Change[Any]) -> Iterable[NamespacedName]:
        uids = {claim.uid for claim in (change.old, change.new) if claim is not None}
        return {state.key for uid in uids for state in self._states.by_index(STATES_BY_PREPARED, uid)}


def _is_first(claim: AnyClaim, pod: Pod, prepared: Container[str]) -> bool:
    """Whether it is what the pod started with, or will, and not a claim that took the place of one that is gone.

    That it is reserved for the pod is not enough: kube-controller-manager reserves for a running pod even a claim that
    was created again, by a tenant under the same name, or by itself from a template.
    """
    if pod.uid not in {consumer.uid for consumer in claim.status.reserved_for}:
        return False
    if _has_no_containers_yet(pod):
        return True  # else a pod that waits for the devices of a claim that is gone would keep them
    created, started = claim.metadata.creation_timestamp, pod.status.start_time
    if created is None or started is None:
        return False
    if created != started:
        return created < started
    # Both have whole seconds, and ordinary pods start in the one in which their claim was created. What the kubelet has
    # prepared may be for another pod only if it is reserved for that one, too.
    return claim.uid in prepared and len(claim.status.reserved_for) == 1


def _has_no_containers_yet(pod: Pod) -> bool:
    """Whether the kubelet says so: until it has said anything, it is not known."""
    statuses = [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]
    return bool(statuses) and not any(status.container_id for status in statuses)


def _claims_of(pod: Pod) -> Iterator[NamespacedName | None]:
    """The claims that the pod uses; None for one whose name is not known."""
    for entry in pod.spec.resource_claims:
        yield claim_key(pod, entry)
    extended = pod.status.extended_resource_claim_status
    if extended is not None:
        yield NamespacedName(pod.metadata.namespace, extended.resource_claim_name)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
