"""Controllers and scheduler together, with stand-ins for a driver and for kubelets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.controllers import make_controllers
from fake_dra_driver.cluster.kinds import Namespace, Node, Pod, ResourceClaimTemplate
from fake_dra_driver.cluster.scheduler import make_scheduler
from fake_dra_driver.cluster.workloadkinds import DaemonSet, Deployment, ReplicaSet
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.support.stand_ins import make_driver, make_kubelets

pytestmark = pytest.mark.looptime

KINDS = (
    *(DaemonSet, Deployment, Namespace, Node, Pod, PodSchedulingContext, ReplicaSet, ResourceClaim),
    ResourceClaimTemplate,
)
LABELS = {"app": "a"}


@asynccontextmanager
async def cluster(*, nodes: int, devices: int) -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, *parts: make_controllers(*parts, now=plane.now),
        "default-scheduler": lambda plane, *parts: make_scheduler(*parts, now=plane.now),
        "driver": lambda _, client, cache, events: make_driver(client, cache, devices),
        "kubelets": lambda plane, client, cache, _: make_kubelets(client, cache, plane.now),
    }
    async with control_plane(make, KINDS) as plane:
        await plane.resource_class()
        for at in range(nodes):
            await plane.node(f"node-{at:02}")
        yield plane


def with_claims(count: int = 1) -> dict[str, Any]:
    """Spec of a pod whose claims come from a template."""
    source = {"resourceClaimTemplateName": "template"}
    return {
        "containers": [{"name": "ctr0", "image": "busybox"}],
        "resourceClaims": [{"name": f"entry{at}", "source": source} for at in range(count)],
    }


async def template(plane: ControlPlane, namespace: str = "default") -> None:
    spec = {"spec": {"resourceClassName": "class"}}
    await plane.create(ResourceClaimTemplate, "template", namespace=namespace, spec=spec)


def workload(claims: int = 1, **spec: Any) -> dict[str, Any]:
    pod = {"metadata": {"labels": LABELS}, "spec": with_claims(claims)}
    return {"selector": {"matchLabels": LABELS}, "template": pod, **spec}


def running(plane: ControlPlane, namespace: str | None = None) -> list[Pod]:
    return [pod for pod in plane.list(Pod, namespace) if pod.status.phase == "Running" and not pod.is_deleting]


def check_devices(plane: ControlPlane, devices: int) -> None:
    """No node gives away more than it has, and each running pod is where its claims are."""
    nodes: dict[str, int] = {}
    for claim in plane.list(ResourceClaim):
        if claim.status.allocation is not None:
            node = claim.status.allocation.resource_handles[0].data
            nodes[node] = nodes.get(node, 0) + 1
            users = [pod for pod in plane.list(Pod) if pod.uid in {each.uid for each in claim.status.reserved_for}]
            assert all(pod.spec.node_name in ("", node) for pod in users)
    assert all(count <= devices for count in nodes.values()), nodes


async def test_many_pods_on_many_nodes() -> None:
    """A small edition of 300 pods on 50 nodes, so that this takes a second or two."""
    async with cluster(nodes=6, devices=8) as plane:
        await template(plane)
        await plane.create(Deployment, "d", spec=workload(replicas=36))
        began = plane.seconds()
        await plane.until(lambda: len(running(plane)) == 36)
        assert plane.seconds() - began < 1, "nothing waits for a timer"
        check_devices(plane, 8)
        await plane.until(lambda: not plane.list(PodSchedulingContext))
        counts = {node.metadata.name: 0 for node in plane.list(Node)}
        for pod in running(plane):
            counts[pod.spec.node_name] += 1
        assert set(counts.values()) == {6}, "spread evenly"
        await plane.until(lambda: plane.get(Deployment, ref("d")).status.available_replicas == 36)
        await plane.delete(Deployment, ref("d"))
        await plane.until(lambda: not plane.list(Pod) and not plane.list(ResourceClaim))
        assert plane.list(ReplicaSet) == []


async def test_a_full_cluster_goes_on_as_devices_become_free() -> None:
    async with cluster(nodes=2, devices=2) as plane:
        await template(plane)
        await plane.create(Deployment, "d", spec=workload(replicas=6))
        await plane.until(lambda: len(running(plane)) == 4)
        await plane.pass_time(120)
        assert len(running(plane)) == 4
        [first, *_] = running(plane)
        waiting = [pod for pod in plane.list(Pod) if not pod.spec.node_name]
        condition = waiting[0].condition("PodScheduled")
        assert condition is not None
        assert "2 resourceclaim cannot be allocated for the node (unsuitable)" in condition.message
        await plane.patch(Deployment, ref("d"), {"spec": {"replicas": 4}})
        await plane.until(lambda: len(plane.list(Pod)) == 4)
        await plane.delete(Pod, first.key)
        await plane.until(lambda: first.uid not in {pod.uid for pod in plane.list(Pod)})
        await plane.until(lambda: len(running(plane)) == 4)
        check_devices(plane, 2)


async def test_two_claims_for_each_pod() -> None:
    async with cluster(nodes=3, devices=4) as plane:
        await template(plane)
        await plane.create(Deployment, "d", spec=workload(2, replicas=6))
        await plane.until(lambda: len(running(plane)) == 6)
        check_devices(plane, 4)
        for pod in running(plane):
            assert len(pod.status.resource_claim_statuses or ()) == 2


async def test_a_shared_claim_brings_pods_together() -> None:
    async with cluster(nodes=3, devices=1) as plane:
        await plane.claim("claim")
        for at in range(5):
            await plane.pod(f"p{at}", claims={"entry": "claim"})
        await plane.until(lambda: len(running(plane)) == 5)
        assert len({pod.spec.node_name for pod in running(plane)}) == 1
        for at in range(5):
            await plane.finish(f"p{at}")
        await plane.until(lambda: plane.get(ResourceClaim, ref("claim")).status.allocation is None)


async def test_a_namespace_goes_with_all_that_runs_in_it() -> None:
    async with cluster(nodes=1, devices=4) as plane:
        await plane.create(Namespace, "n")
        await template(plane, "n")
        await plane.create(Deployment, "d", namespace="n", spec=workload(replicas=3))
        await plane.create(DaemonSet, "ds", namespace="n", spec=workload())
        await plane.until(lambda: len(running(plane, "n")) == 4)
        await plane.delete(Namespace, ref("n", ""))
        await plane.until_gone(Namespace, ref("n", ""))
        assert not plane.list(Pod, "n")
        assert not plane.list(ResourceClaim, "n")


async def test_pods_of_a_node_that_is_lost_run_elsewhere() -> None:
    async with cluster(nodes=2, devices=4) as plane:
        await template(plane)
        await plane.create(Deployment, "d", spec=workload(replicas=2))
        await plane.until(lambda: len(running(plane)) == 2)
        assert {pod.spec.node_name for pod in running(plane)} == {"node-00", "node-01"}
        await plane.delete(Node, ref("node-01", ""))
        await plane.until(lambda: [pod.spec.node_name for pod in running(plane)] == ["node-00"] * 2)
        check_devices(plane, 4)


FAULTS = [
    Fault.answer(409),
    Fault.answer(429),
    Fault.answer(500),
    Fault.answer(500, after=True),
    Fault.timeout(),
    Fault.timeout(after=True),
    Fault.reset(),
    Fault.reset(after=True),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete"])
async def test_a_write_that_fails_changes_nothing_in_the_end(fault: Fault, verb: str) -> None:
    """The first writes of each kind fail, whichever component makes them, before or after they took place."""
    async with cluster(nodes=2, devices=4) as plane:
        await template(plane)
        await plane.create(Deployment, "d", spec=workload(2, replicas=3))
        with plane.server.faults.injected(on(fault, verb=verb, times=8)):
            await plane.until(lambda: len(running(plane)) == 3, within=900)
        check_devices(plane, 4)
        await plane.until(lambda: not plane.list(PodSchedulingContext))
        await plane.until(lambda: plane.get(Deployment, ref("d")).status.available_replicas == 3)
        with plane.server.faults.injected(on(fault, verb=verb, times=8)):
            await plane.client.delete(Deployment, ref("d"), timeout_seconds=1) if verb != "delete" else None
            await plane.pass_time(1)
        if verb == "delete":
            await plane.delete(Deployment, ref("d"))
        await plane.until(lambda: not plane.list(Pod) and not plane.list(ResourceClaim))


async def test_watches_that_break_and_history_that_is_lost() -> None:
    async with cluster(nodes=2, devices=4) as plane:
        await template(plane)
        await plane.create(Deployment, "d", spec=workload(replicas=4))
        for _ in range(5):
            plane.server.drop_watches()
            plane.server.compact()
            await plane.pass_time(0.5)
        await plane.until(lambda: len(running(plane)) == 4)
        await plane.server.restart()
        await plane.patch(Deployment, ref("d"), {"spec": {"replicas": 6}})
        await plane.until(lambda: len(running(plane)) == 6)
        check_devices(plane, 4)
