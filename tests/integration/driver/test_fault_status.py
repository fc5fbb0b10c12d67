"""The status of a DeviceFault at a real API server: each node has an entry, and writes no other."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.codegen import render_crd
from fake_dra_driver.driver.fault.evaluation import FaultHit
from fake_dra_driver.driver.live.failurecounts import FailureCounts
from fake_dra_driver.driver.live.faultstatus import FaultStatusWriter
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from tests.support.apiserver import ApiServer

pytestmark = pytest.mark.apiserver

NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
SECONDS = 60


@pytest.fixture
def served(apiserver: ApiServer) -> None:
    """The kind is served."""
    apiserver.kubectl("apply", "--filename=-", stdin=render_crd(DeviceFault, "A test's."))
    apiserver.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")


async def test_each_node_writes_its_entry(served: None, client: Client, namespace: str, tmp_path: Path) -> None:
    name = namespace  # faults of other tests stay
    spec = {"effects": {"prepare": {"fail": {"times": 2}}}}
    made = await client.create(DeviceFault.from_wire({"metadata": {"name": name}, "spec": spec}))
    counts = FailureCounts(tmp_path)
    await counts.take(made.uid, "prepare", 2, [made.uid])
    cache = Cache(client)
    faults = cache.informer(DeviceFault)
    changed = asyncio.Event()
    faults.subscribe(lambda _change: changed.set())

    async def entries(is_enough: Callable[[tuple[FaultOnNode, ...]], bool]) -> tuple[FaultOnNode, ...]:
        async with asyncio.timeout(SECONDS):
            while True:
                changed.clear()
                fault = faults.get(NamespacedName("", name))
                found = () if fault is None or fault.status is None else fault.status.nodes
                if is_enough(found):
                    return found
                await changed.wait()

    writers = {node: FaultStatusWriter(client, faults, node, DRIVER_NAME, counts, lambda: NOW) for node in ("a", "b")}
    untouched = FaultStatusWriter(
        client, faults, "untouched", DRIVER_NAME, FailureCounts(tmp_path / "none"), lambda: NOW
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cache.run())]
        await faults.wait_for_sync()
        tasks += [group.create_task(writer.controller.run()) for writer in (untouched, *writers.values())]
        devices = tuple(f"gpu-{index}" for index in range(20))
        for node in ("a", "b"):
            writers[node].report({name: FaultHit(devices if node == "a" else ("gpu-7",))})
        await entries(lambda found: {entry.node for entry in found if entry.device_count} == {"a", "b"})
        writers["b"].report({name: FaultHit(problem="spec.target.cel fails")})
        found = await entries(lambda found: any(entry.message for entry in found))
        for task in tasks:
            task.cancel()
    of = {entry.node: entry for entry in found}
    assert sorted(of) == ["a", "b"]
    assert of["a"].devices == devices[:16]
    assert (of["a"].device_count, of["a"].since, of["a"].times) == (20, NOW, 1)
    assert (of["b"].devices, of["b"].since, of["b"].message) == ((), None, "spec.target.cel fails")
    assert all(entry.observed_generation == made.metadata.generation for entry in found)
