"""Examples in a cluster: makes their objects through the API server, and tells what the scheduler did with each pod.

The cluster needs a scheduler, and nothing else: pods tolerate the taints of nodes without a kubelet, claims are named
and not made from templates. It may be a real one or the embedded one. Nothing here waits for a time: a pod is settled
when it has a node, or its devices wait to be bound to one, or the scheduler has said why it has none.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from tests.bench.api import Api, RefusedError, all_of
from tests.kubescheduler.example import EXTENDED_CLAIM_INFIX, UNTOLD, Example, Outcome, Run, Wire, stable
from tests.kubescheduler.refusal import alone

__all__ = ["ClusterUnderTest"]

_NAMESPACE: Final = "examples"
_GROUP: Final = "/apis/resource.k8s.io/v1"
_NODES: Final = "/api/v1/nodes"
_RULES, _CLASSES, _SLICES = (f"{_GROUP}/{each}" for each in ("devicetaintrules", "deviceclasses", "resourceslices"))
_CLAIMS: Final = f"{_GROUP}/namespaces/{_NAMESPACE}/resourceclaims"
_PODS: Final = f"/api/v1/namespaces/{_NAMESPACE}/pods"
_PATIENCE_SECONDS: Final = 60.0
_number = itertools.count(1)
"""Of the prefix of an example: none is used twice, in whatever cluster."""


@dataclass(slots=True)
class _View:
    """What a watch has seen of pods and claims, by name."""

    pods: dict[str, Wire] = field(default_factory=dict)
    claims: dict[str, Wire] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, api: Api, path: str, seen: dict[str, Wire]) -> None:
        """Keeps ``seen`` up to date, until it is cancelled."""
        async for kind, each in api.watch(path):
            if kind == "DELETED":
                seen.pop(each["metadata"]["name"], None)
            elif kind != "BOOKMARK":
                seen[each["metadata"]["name"]] = each
            self.changed.set()

    async def until(self, settled: Callable[[], bool]) -> None:
        """Waits until it holds, which is asked again after each change."""
        while not settled():
            self.changed.clear()
            await self.changed.wait()

    async def until_settled(self, names: Collection[str]) -> None:
        """Waits until the scheduler is done with these pods. Raises TimeoutError with those that are left."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.until(lambda: all(map(self.is_settled, names)))
        except TimeoutError as error:
            late = [self.pods.get(name, name) for name in names if not self.is_settled(name)]
            raise TimeoutError(f"the scheduler says nothing about {late}") from error

    def held_claims(self) -> set[tuple[str, str]]:
        """Name and version of the claims that have a finalizer."""
        return {
            (name, claim["metadata"]["resourceVersion"])
            for name, claim in self.claims.items()
            if claim["metadata"].get("finalizers")
        }

    def claims_of(self, pod: Wire) -> Mapping[str, Wire]:
        """The claims of a pod: those that it names, and one that was made for its extended resources."""
        names = [entry["resourceClaimName"] for entry in pod["spec"].get("resourceClaims", ())]
        uid = pod["metadata"]["uid"]
        names += [
            name
            for name, claim in self.claims.items()
            if any(owner["uid"] == uid for owner in claim["metadata"].get("ownerReferences", ()))
        ]
        return {name: self.claims[name] for name in names if name in self.claims}

    def is_settled(self, name: str) -> bool:
        """Whether the scheduler is done with a pod for now."""
        pod = self.pods.get(name)
        if pod is None:
            return False
        if _refusal(pod) and not pod["spec"].get("nodeName"):
            return True
        # It may be seen bound before its claims are seen reserved; and reserved where a device has yet to be bound.
        claims = self.claims_of(pod)
        uid = pod["metadata"]["uid"]
        is_reserved = len(claims) >= _claim_count(pod) and all(
            any(user["uid"] == uid for user in claim.get("status", {}).get("reservedFor", ()))
            for claim in claims.values()
        )
        return is_reserved and bool(pod["spec"].get("nodeName") or any(map(_binding_conditions, claims.values())))


def _claim_count(pod: Wire) -> int:
    """How many claims it has at least: that for its extended resources is told last."""
    named = len(pod["spec"].get("resourceClaims", ()))
    return named + ("extendedResourceClaimStatus" in pod.get("status", {}))


def _refusal(pod: Wire) -> str:
    """Why it has no node, or an empty text."""
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", ""))
    return ""


def _results(claim: Wire) -> Sequence[Wire]:
    results: Sequence[Wire] = claim.get("status", {}).get("allocation", {}).get("devices", {}).get("results", ())
    return results


def _binding_conditions(claim: Wire) -> bool:
    return any(result.get("bindingConditions") for result in _results(claim))


class ClusterUnderTest:
    """A cluster in which examples are run. Make it with ``open``."""

    def __init__(self, api: Api, view: _View) -> None:
        self._api = api
        self._view = view

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, api: Api) -> AsyncIterator["ClusterUnderTest"]:
        """For the block."""
        # Claims may ask for adminAccess only in such a namespace.
        labels = {"resource.kubernetes.io/admin-access": "true"}
        await api.apply(
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE, "labels": labels}},
        )
        view = _View()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(view.follow(api, path, seen), name=f"watch {path}")
                for path, seen in ((_PODS, view.pods), (_CLAIMS, view.claims))
            ]
            yield cls(api, view)
            for task in tasks:
                task.cancel()

    async def run(self, examples: Sequence[Example]) -> Sequence[Run]:
        """Runs examples, side by side as far as they do not disturb each other."""
        prefixes = {index: f"e{next(_number)}-" for index in range(len(examples))}
        together = [index for index, each in enumerate(examples) if not each.is_loud]
        alone = [index for index, each in enumerate(examples) if each.is_loud]
        runs: dict[int, Run] = {}
        for batch in (together, *([index] for index in alone)):
            named = {index: examples[index].named(prefixes[index]) for index in batch}
            try:
                runs |= await self._run_batch(named)
            finally:
                await self._clean_up()
        return [runs[index].unnamed(prefix) for index, prefix in prefixes.items()]

    async def _run_batch(self, examples: Mapping[int, Example]) -> Mapping[int, Run]:
        refused: dict[int, str] = {}

        async def make(index: int, make_one: Coroutine[Any, Any, object]) -> None:
            try:
                await make_one
            except RefusedError as error:
                refused[index] = str(error)

        for path, kind in ((_NODES, "nodes"), (_RULES, "rules"), (_CLASSES, "classes"), (_SLICES, "slices")):
            await all_of(
                make(index, self._api.create(path, each))
                for index, example in examples.items()
                for each in getattr(example, kind)
            )
        await all_of(
            make(index, self._make_claim(each)) for index, example in examples.items() for each in example.claims
        )
        valid = {index: example for index, example in examples.items() if index not in refused}
        outcomes: dict[int, list[Outcome]] = {index: [] for index in valid}
        for step in range(max((len(each.pods) for each in valid.values()), default=0)):
            pods = {index: each.pods[step] for index, each in valid.items() if step < len(each.pods)}
            await all_of(make(index, self._api.create(_PODS, pod)) for index, pod in pods.items())
            names = {index: pod["metadata"]["name"] for index, pod in pods.items() if index not in refused}
            await self._view.until_settled(names.values())
            for index, name in names.items():
                outcomes[index].append(self._outcome(name, len(examples[index].nodes)))
        return {index: Run(invalid=refused[index]) if index in refused else Run(outcomes[index]) for index in examples}

    async def _make_claim(self, claim: Wire) -> None:
        made = await self._api.create(_CLAIMS, {key: value for key, value in claim.items() if key != "status"})
        if "status" in claim:
            path = f"{_CLAIMS}/{claim['metadata']['name']}/status"
            await self._api.update(path, {**made, "status": claim["status"]})

    def _outcome(self, name: str, nodes: int) -> Outcome:
        pod = self._view.pods[name]
        node, refusal = pod["spec"].get("nodeName", ""), _refusal(pod)
        return Outcome(
            node=node or ("" if refusal else UNTOLD),
            refusal="" if node else alone(refusal, nodes),
            allocations={
                (name := _without_suffix(each)): stable(name, claim["status"]["allocation"])
                for each, claim in self._view.claims_of(pod).items()
                if claim.get("status", {}).get("allocation")
            },
        )

    async def _clean_up(self) -> None:
        """Deletes what was made, and waits until pods and claims are gone."""
        await self._api.delete(_PODS, at_once=True)
        for path in (_CLAIMS, _RULES, _CLASSES, _SLICES, _NODES):
            await self._api.delete(path)
        # The scheduler's finalizer is for a controller to take; a scheduler that is about to bind a pod adds it again.
        dropped: set[tuple[str, str]] = set()

        def goes_on() -> bool:
            return not (self._view.pods or self._view.claims) or bool(self._view.held_claims() - dropped)

        async with asyncio.timeout(_PATIENCE_SECONDS):
            while self._view.pods or self._view.claims:
                left = self._view.held_claims() - dropped
                await all_of(self._drop_finalizers(name) for name, _ in left)
                dropped |= left
                await self._view.until(goes_on)

    async def _drop_finalizers(self, claim: str) -> None:
        try:
            await self._api.patch(f"{_CLAIMS}/{claim}", {"metadata": {"finalizers": None}})
        except RefusedError as error:
            if error.code != HTTPStatus.NOT_FOUND:  # a controller was faster
                raise


def _without_suffix(name: str) -> str:
    """The name of a claim without what the API server has added to a generated name."""
    stem, separator, _ = name.partition(EXTENDED_CLAIM_INFIX)
    return stem + separator
