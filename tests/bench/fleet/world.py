"""What the benchmark does with many nodes: makes them, watches what they offer, and takes them away."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from tests.bench.api import METADATA, TABLE, Json, all_of
from tests.bench.manifest import DRIVER_NAMESPACE, NAMESPACE
from tests.bench.world import PODS, World, wait_until
from tests.support.kwok import kwok_node

__all__ = ["SLICES", "FleetWorld", "RunningPods", "SliceMarks"]

_DRA: Final = "/apis/resource.k8s.io/v1"
SLICES: Final = f"{_DRA}/resourceslices"
_TEMPLATES: Final = f"{_DRA}/namespaces/{NAMESPACE}/resourceclaimtemplates"
_STATES: Final = NodeAllocationState.resource.path(DRIVER_NAMESPACE)
_PATIENCE_SECONDS: Final = 3600
"""For thousands of nodes on a small machine."""

Mark = tuple[int, str]
"""Of a slice: generation of its content, and what its writer has noted on it."""


class _Progress:
    """Something that is waited for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def wait(self, is_so: Callable[[], bool], problem: Callable[[], str]) -> float:
        """Waits until it is so; returns the loop's time. Raises RuntimeError when it takes too long."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise RuntimeError(f"after {_PATIENCE_SECONDS} s, {problem()}") from error
        return asyncio.get_running_loop().time()


class SliceMarks:
    """The slices of each node, by what their metadata say: their devices are too many to be read at every change."""

    def __init__(self, driver: str) -> None:
        self._annotation = f"{driver}/published"
        self._progress = _Progress()
        self.of_node: defaultdict[str, dict[str, Mark]] = defaultdict(dict)

    def note(self, event: str, metadata: Json) -> None:
        """A watch has told of it."""
        owner = metadata["ownerReferences"][0]["name"]
        if event == "DELETED":
            self.of_node[owner].pop(metadata["name"], None)
        else:
            mark = metadata.get("annotations", {}).get(self._annotation, "")
            self.of_node[owner][metadata["name"]] = (metadata["generation"], mark)
        self._progress.note()

    async def wait_some(self, node: str) -> float:
        """Waits until the node has any; returns the loop's time."""
        return await self._progress.wait(lambda: bool(self.of_node[node]), lambda: f"{node} has no slices")

    async def wait_complete(self, nodes: Sequence[str], slices: int) -> float:
        """Waits until each of the nodes has so many; returns the loop's time."""
        missing = set(nodes)

        def are_complete() -> bool:
            missing.difference_update([node for node in missing if len(self.of_node[node]) == slices])
            return not missing

        return await self._progress.wait(are_complete, lambda: f"{len(missing)} nodes have not all of their slices")

    async def wait_changed(self, before: Mapping[str, Mapping[str, Mark]]) -> float:
        """Waits until every slice is another than before; returns the loop's time."""
        missing = set(before)

        def are_changed() -> bool:
            changed = [node for node in missing if not (self.of_node[node].items() & before[node].items())]
            missing.difference_update(node for node in changed if len(self.of_node[node]) == len(before[node]))
            return not missing

        return await self._progress.wait(are_changed, lambda: f"{len(missing)} nodes have slices as before")

    async def wait_gone(self, nodes: Sequence[str]) -> float:
        """Waits until the nodes have none; returns the loop's time."""
        return await self._progress.wait(
            lambda: not any(self.of_node[node] for node in nodes), lambda: "slices of nodes that are gone are left"
        )

    def copy(self) -> Mapping[str, Mapping[str, Mark]]:
        """As it is now, of the nodes that have any."""
        return {node: dict(slices) for node, slices in self.of_node.items() if slices}


@dataclass(slots=True)
class RunningPods:
    """When which pod was bound, and said to run, by the loop's clock."""

    bound: dict[str, float] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    _progress: _Progress = field(default_factory=_Progress)

    def note(self, pod: Json, now: float) -> None:
        """A watch has told of it."""
        name = pod["metadata"]["name"]
        if pod["spec"].get("nodeName"):
            self.bound.setdefault(name, now)
        if pod["status"].get("phase") == "Running":
            self.running.setdefault(name, now)
            self._progress.note()

    async def wait(self, pods: Sequence[str]) -> float:
        """Waits until all of these run; returns the loop's time."""
        return await self._progress.wait(
            lambda: self.running.keys() >= set(pods),
            lambda: f"{len(self.running)} of {len(pods)} pods run, {len(self.bound)} have a node",
        )


class FleetWorld(World):
    """Nodes are KWOK's; a node's devices are those of a preset."""

    @override
    async def install(self) -> None:
        """Also waits until the CRDs are served."""
        await super().install()
        await wait_until(lambda: self.are_served(_STATES), "the CRDs are not served")

    async def add_nodes(self, names: Sequence[str]) -> None:
        """Nodes that KWOK makes ready, and that take pods at once."""
        await all_of(self._add_node(name) for name in names)

    async def _add_node(self, name: str) -> None:
        await self.api.create("/api/v1/nodes", kwok_node(name, cpu="96", memory="2Ti"))
        # Admission adds a not-ready taint to each new node, which only the node lifecycle controller takes away.
        taints = [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]
        await self.api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": taints}})

    async def remove_nodes(self, names: Sequence[str]) -> None:
        """As a cloud's controller does; the garbage collector takes what belongs to them."""
        await all_of(self.api.delete(f"/api/v1/nodes/{name}") for name in names)

    async def slices_of(self, node: str) -> Sequence[Json]:
        """All that is in them."""
        found = await self.api.get(f"{SLICES}?fieldSelector=spec.nodeName%3D{node}")
        return list(found["items"])

    async def wait_ready(self, count: int) -> float:
        """Waits until so many nodes say that their devices can be used; returns the loop's time."""

        async def are_ready() -> bool:
            table = await self.api.get(f"{_STATES}?includeObject=None", TABLE)
            column = [each["name"] for each in table["columnDefinitions"]].index("Status")
            return [row["cells"][column] for row in table["rows"] or ()].count("Ready") == count

        await wait_until(are_ready, f"not {count} nodes are Ready", _PATIENCE_SECONDS)
        return asyncio.get_running_loop().time()

    async def add_template(self, name: str, device_class: str, selector: str | None = None) -> None:
        """A template of claims for one device."""
        exactly: Json = {"deviceClassName": device_class}
        if selector is not None:
            exactly["selectors"] = [{"cel": {"expression": selector}}]
        spec = {"devices": {"requests": [{"name": "device", "exactly": exactly}]}}
        await self.api.create(_TEMPLATES, {"metadata": {"name": name}, "spec": {"spec": spec}})

    async def add_pods(self, templates: Mapping[str, str]) -> None:
        """Pods for the scheduler, by name, each with a claim from a template."""
        await all_of(self.api.create(PODS, _pod(name, template)) for name, template in templates.items())

    @asynccontextmanager
    async def slice_marks(self, driver: str) -> AsyncIterator[SliceMarks]:
        """Watches the metadata of slices for the block, from the beginning."""
        marks = SliceMarks(driver)

        async def follow() -> None:
            async for event, found in self.api.watch(SLICES, accept=METADATA):
                marks.note(event, found["metadata"])

        async with _beside(follow()):
            yield marks

    @asynccontextmanager
    async def running_pods(self) -> AsyncIterator[RunningPods]:
        """Watches pods for the block."""
        found, loop = RunningPods(), asyncio.get_running_loop()

        async def follow() -> None:
            async for event, pod in self.api.watch(PODS):
                if event in ("ADDED", "MODIFIED"):
                    found.note(pod, loop.time())

        async with _beside(follow()):
            yield found


def _pod(name: str, template: str) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox:1.37", "resources": {"claims": [{"name": "device"}]}}
    spec = {
        "containers": [container],
        "resourceClaims": [{"name": "device", "resourceClaimTemplateName": template}],
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
    }
    return {"metadata": {"name": name}, "spec": spec}


@asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    """Runs something while the block does."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work, name="watch")
        try:
            yield
        finally:
            task.cancel()
