"""The rest of Kubernetes, as small as it can be: scheduler, claim controller, garbage collector and kubelets.

Level-triggered: ``turn`` looks at everything there is and does what is due, reading the store and writing through the
API, so that what it does is the same after every fault. The embedded cluster has real ones, tested against the contract
of Kubernetes; these are here because thousands of runs need only their part in the life of a claim, at little cost.
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod, ResourceClaimTemplate
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.patch import add, remove, test
from tests.crash.stage import Stage, Wire, node_of

__all__ = ["Kubelet", "Kubernetes"]


class Kubelet(Protocol):
    """What a kubelet does about the claims of a pod."""

    async def prepare(self, pod: Wire, claims: Sequence[Wire]) -> bool:
        """Prepares the claims of a pod that is to run, or runs; whether it may."""
        ...

    async def unprepare(self, pod: Wire) -> bool:
        """Ends what the pod alone uses, once its containers have ended; whether the pod may go."""
        ...


class Kubernetes:
    """Args:
    kubelets: by node; pods on other nodes run, and end, by themselves.
    """

    def __init__(self, stage: Stage, kubelets: Mapping[str, Kubelet] | None = None) -> None:
        self._stage = stage
        self._api = stage.admin
        self._kubelets = {} if kubelets is None else kubelets

    async def turn(self) -> None:
        """Does for each object what is due. What fails because another was faster is done in another turn."""
        for pod in self._stage.all(Pod):
            await self._try(self._pod(pod))
        for claim in self._stage.all(ResourceClaim):
            await self._try(self._claim(claim))
        for context in self._stage.all(PodSchedulingContext):
            await self._try(self._context(context))

    @staticmethod
    async def _try(work: Awaitable[None]) -> None:
        with suppress(RuntimeLayerError):
            await work

    # --- pods ---

    async def _pod(self, pod: Wire) -> None:
        node = pod["spec"].get("nodeName")
        if node is None:
            await self._schedule(pod)
            return
        if self._stage.find(Node, node) is None:
            await self._api.delete(Pod, _key(pod), uid=_uid(pod), grace_period_seconds=0)
            return
        kubelet = self._kubelets.get(node)
        if "deletionTimestamp" in pod["metadata"]:
            if kubelet is None or await kubelet.unprepare(pod):
                await self._api.delete(Pod, _key(pod), uid=_uid(pod), grace_period_seconds=0)
            return
        # What was taken away from a pod that runs stays prepared for it; one that does not run yet has to wait for it.
        claims = [claim for claim in self._claims(pod) if claim is not None and _is_reserved_for(claim, pod)]
        has_all = len(claims) == len(pod["spec"].get("resourceClaims", ()))
        if not has_all and pod["status"].get("phase") == "Pending":
            return
        may_run = kubelet is None or await kubelet.prepare(pod, claims)
        if may_run and pod["status"].get("phase") == "Pending":
            await self._api.merge_patch(Pod, _key(pod), {"status": {"phase": "Running"}}, subresource="status")

    def _claims(self, pod: Wire) -> Sequence[Wire | None]:
        names = {each["name"]: each["resourceClaimName"] for each in pod["status"].get("resourceClaimStatuses", ())}
        return [
            self._stage.find(ResourceClaim, entry["source"].get("resourceClaimName") or names.get(entry["name"], ""))
            for entry in pod["spec"].get("resourceClaims", ())
        ]

    def _entries_of(self, pod: Wire, claims: Sequence[Wire]) -> set[str]:
        """What the pod calls these claims."""
        uids = {_uid(claim) for claim in claims}
        entries = zip(pod["spec"].get("resourceClaims", ()), self._claims(pod), strict=True)
        return {entry["name"] for entry, claim in entries if claim is not None and _uid(claim) in uids}

    async def _schedule(self, pod: Wire) -> None:
        if await self._makes_claims(pod):
            return
        claims = [claim for claim in self._claims(pod) if claim is not None]
        if len(claims) < len(pod["spec"].get("resourceClaims", ())) or any(map(_is_ending, claims)):
            return
        waiting = [claim for claim in claims if node_of(claim) is None]
        nodes = {node for claim in claims if (node := node_of(claim)) is not None}
        if len(nodes) > 1:
            await self._deallocate(claims)
        elif waiting:
            await self._negotiate(pod, waiting, nodes)
        else:
            await self._bind(pod, claims, nodes)

    async def _makes_claims(self, pod: Wire) -> bool:
        """Makes the claims of templates; whether there was something to make."""
        known = {each["name"] for each in pod["status"].get("resourceClaimStatuses", ())}
        made = []
        for entry in pod["spec"].get("resourceClaims", ()):
            template = entry["source"].get("resourceClaimTemplateName")
            if template is None or entry["name"] in known:
                continue
            name = f"{pod['metadata']['name']}-{entry['name']}"
            found = self._stage.find(ResourceClaimTemplate, template)
            assert found is not None
            if self._stage.find(ResourceClaim, name) is None:
                metadata = {"name": name, "namespace": "default", "ownerReferences": [_owner(pod)]}
                await self._api.create(ResourceClaim.from_wire({"metadata": metadata, "spec": found["spec"]["spec"]}))
            made.append({"name": entry["name"], "resourceClaimName": name})
        if made:
            statuses = {"resourceClaimStatuses": [*pod["status"].get("resourceClaimStatuses", ()), *made]}
            await self._api.merge_patch(Pod, _key(pod), {"status": statuses}, subresource="status")
        return bool(made)

    async def _negotiate(self, pod: Wire, waiting: Sequence[Wire], nodes: set[str]) -> None:
        if any(claim["spec"]["allocationMode"] == "Immediate" for claim in waiting):
            return
        potential = sorted(nodes or {each["metadata"]["name"] for each in self._stage.all(Node)})
        context = self._stage.find(PodSchedulingContext, pod["metadata"]["name"])
        if context is not None and context["metadata"]["ownerReferences"][0]["uid"] != _uid(pod):
            return
        told = (context or {}).get("status", {}).get("resourceClaims", [])
        names = self._entries_of(pod, waiting)
        answers = [answer for answer in told if answer["name"] in names]
        unsuitable = {node for answer in answers for node in answer.get("unsuitableNodes", ())}
        candidates = [node for node in potential if node not in unsuitable]
        spec = (context or {}).get("spec", {})
        selected = spec.get("selectedNode")
        if selected in candidates:
            return
        may_select = len(waiting) == 1 or len(answers) >= len(waiting)
        wanted = {"potentialNodes": potential, "selectedNode": candidates[0] if candidates and may_select else None}
        if context is None:
            metadata = {"name": pod["metadata"]["name"], "namespace": "default", "ownerReferences": [_owner(pod)]}
            chosen = {name: value for name, value in wanted.items() if value is not None}
            await self._api.create(PodSchedulingContext.from_wire({"metadata": metadata, "spec": chosen}))
        elif {name: spec.get(name) for name in wanted} != wanted:
            patch = {"metadata": {"uid": _uid(context)}, "spec": wanted}
            await self._api.merge_patch(PodSchedulingContext, _key(context), patch)

    async def _bind(self, pod: Wire, claims: Sequence[Wire], nodes: set[str]) -> None:
        for claim in claims:
            if not _is_reserved_for(claim, pod):
                await self._reserve(claim, pod)
                return
        metadata = {"name": pod["metadata"]["name"], "namespace": "default", "uid": _uid(pod)}
        node = min(nodes or {each["metadata"]["name"] for each in self._stage.all(Node)})
        target = {"kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        await self._api.create_subresource(Pod, _key(pod), "binding", binding)

    async def _reserve(self, claim: Wire, pod: Wire) -> None:
        path = "/status/reservedFor"
        consumer = {"resource": "pods", "name": pod["metadata"]["name"], "uid": _uid(pod)}
        change = [add(f"{path}/-", consumer)]
        if not claim["status"].get("reservedFor"):
            change = [test(path, None), add(path, [consumer])]
        operations = [test("/metadata/uid", _uid(claim)), *change]
        await self._api.json_patch(ResourceClaim, _key(claim), operations, subresource="status")

    async def _deallocate(self, claims: Sequence[Wire]) -> None:
        """The pod's claims are on different nodes: one that no pod uses has to be allocated again.

        As with the scheduler, none in mode Immediate: it could come back on any node.
        """
        for claim in claims:
            is_delayed = claim["spec"]["allocationMode"] == "WaitForFirstConsumer"
            if is_delayed and node_of(claim) is not None and not claim["status"].get("reservedFor"):
                await self._request_deallocation(claim)
                return

    async def _context(self, context: Wire) -> None:
        """It goes when its pod is bound or gone."""
        pod = self._stage.find(Pod, context["metadata"]["name"])
        owner = context["metadata"]["ownerReferences"][0]["uid"]
        if pod is None or pod["spec"].get("nodeName") or _uid(pod) != owner:
            await self._api.delete(PodSchedulingContext, _key(context), uid=_uid(context))

    # --- claims ---

    async def _claim(self, claim: Wire) -> None:
        owners = claim["metadata"].get("ownerReferences", ())
        if owners and not self._has_pod(owners[0]["uid"]) and "deletionTimestamp" not in claim["metadata"]:
            await self._unreserve(claim)
            await self._api.delete(ResourceClaim, _key(claim), uid=_uid(claim))
            return
        await self._unreserve(claim)

    async def _unreserve(self, claim: Wire) -> None:
        """Removes pods that are gone; a claim that waited for its first consumer is deallocated after the last."""
        reserved = claim.get("status", {}).get("reservedFor", [])
        left = [consumer for consumer in reserved if self._has_pod(consumer["uid"])]
        if left == reserved:
            return
        path = "/status/reservedFor"
        operations = [test("/metadata/uid", _uid(claim)), test(path, reserved)]
        operations.append(add(path, left) if left else remove(path))
        if not left and claim["spec"]["allocationMode"] == "WaitForFirstConsumer" and node_of(claim) is not None:
            operations.append(add("/status/deallocationRequested", value=True))
        await self._api.json_patch(ResourceClaim, _key(claim), operations, subresource="status")

    async def _request_deallocation(self, claim: Wire) -> None:
        operations = [
            test("/metadata/resourceVersion", claim["metadata"]["resourceVersion"]),
            add("/status/deallocationRequested", value=True),
        ]
        await self._api.json_patch(ResourceClaim, _key(claim), operations, subresource="status")

    def _has_pod(self, uid: str) -> bool:
        return any(_uid(pod) == uid for pod in self._stage.all(Pod))


def _key(wire: Wire) -> NamespacedName:
    return NamespacedName(wire["metadata"].get("namespace", ""), wire["metadata"]["name"])


def _uid(wire: Wire) -> UID:
    return UID(wire["metadata"]["uid"])


def _owner(pod: Wire) -> Wire:
    metadata = pod["metadata"]
    return {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"], "controller": True}


def _is_ending(claim: Wire) -> bool:
    return "deletionTimestamp" in claim["metadata"] or claim.get("status", {}).get("deallocationRequested", False)


def _is_reserved_for(claim: Wire, pod: Wire) -> bool:
    return any(consumer["uid"] == _uid(pod) for consumer in claim["status"].get("reservedFor", ()))
