"""Nodes without a kubelet plugin, as KWOK's, in the whole driver: devices, claims, and a plugin that comes and goes."""

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fake_dra_driver.api.fake import SIMULATED_LABEL, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.demo.install import NAMESPACE
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.why.program import ask
from fake_dra_driver.why.table import table
from tests.integration.cluster.world import Claim, World

ANNOTATION = "kwok.x-k8s.io/node"
SIMULATED, TESTS, CLASS = "kwok-node-0", "test9", "fake.3-shake.com"
POD = NamespacedName(TESTS, "simulated")
ROOM = {"cpu": "32", "memory": "256Gi", "pods": "110"}

Manifest = dict[str, Any]


def node() -> Manifest:
    """A Node for the pods of this test alone."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": SIMULATED, "annotations": {ANNOTATION: "fake"}, "labels": {"type": "kwok"}},
        "spec": {"taints": [{"key": "simulated", "effect": "NoSchedule"}]},
    }


def app(world: World) -> tuple[Manifest, Manifest]:
    """A template of claims for one device, and a pod on that node with a claim of it."""
    spec: Manifest = {"resourceClassName": CLASS}
    version = "v1alpha2"
    source: Manifest = {"source": {"resourceClaimTemplateName": "one"}}
    if world.api is not None:
        spec = {"devices": {"requests": [{"name": "fake", "exactly": {"deviceClassName": CLASS}}]}}
        version, source = "v1", {"resourceClaimTemplateName": "one"}
    template = {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "one", "namespace": TESTS},
        "spec": {"spec": spec},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD.name, "namespace": TESTS},
        "spec": {
            "nodeSelector": {"type": "kwok"},
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": "busybox", "resources": {"claims": [{"name": "fake"}]}}],
            "resourceClaims": [{"name": "fake", **source}],
        },
    }
    return template, pod


async def state_of(world: World, name: str) -> NodeAllocationState | None:
    """The node's object, if there is one."""
    try:
        return await world.client.get(NodeAllocationState, NamespacedName(NAMESPACE, name))
    except NotFoundError:
        return None


async def until_state(world: World, what: str, name: str, **wanted: Any) -> NodeAllocationState:
    """Waits until the node's object says this: ``status``, ``word`` of the label, how many claims are ``prepared``."""

    async def found() -> NodeAllocationState | None:
        state = await state_of(world, name)
        if state is None:
            return None
        said = {
            "status": state.status,
            "word": state.metadata.labels.get(SIMULATED_LABEL, ""),
            "prepared": len(state.spec.prepared_devices),
            "held": len(state.spec.allocated_claims),
        }
        return state if wanted.items() <= said.items() else None

    state = await world.cluster.wait_until(what, found)
    assert state is not None
    return state


def is_told(claims: Sequence[Claim]) -> bool:
    """Whether claims of structured DRA say which devices they have."""
    return all(isinstance(claim, v1.ResourceClaim) and claim.status.devices for claim in claims)


async def change_node(world: World, metadata: Mapping[str, Any]) -> None:
    """Changes the Node that has a kubelet and a plugin."""
    await world.client.merge_patch(Node, NamespacedName("", world.node), {"metadata": metadata})


async def check_why(world: World, template: Manifest, pod: Manifest) -> None:
    """``why`` counts the devices of the node as those of others."""
    more, greedy = copy.deepcopy((template, pod))
    more["metadata"]["name"] = "more"
    more["spec"]["spec"]["devices"]["requests"][0]["exactly"]["count"] = 8
    greedy["metadata"]["name"] = "greedy"
    greedy["spec"]["resourceClaims"][0]["resourceClaimTemplateName"] = "more"
    await world.cluster.apply(more, greedy)

    async def is_made() -> bool:
        return len(await world.claims(9)) == 2

    await world.cluster.wait_until("the second claim is made", is_made)
    text = table(await ask(world.client, "pod/greedy", TESTS, each_node=True), datetime.now(UTC))
    assert f"NODE {SIMULATED}\n" in text
    assert "wants 8 devices: 7 of 8 can be had" in text
    assert f"{POD.namespace}/{POD.name}-" in text, "who has the eighth"
    await world.client.delete(Pod, NamespacedName(TESTS, "greedy"), grace_period_seconds=0)


async def test_a_node_without_a_plugin_has_devices_and_claims(world: World) -> None:
    await world.cluster.apply(node())
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
    status = {"status": {"conditions": [ready], "capacity": ROOM, "allocatable": ROOM}}
    await world.client.merge_patch(Node, NamespacedName("", SIMULATED), status, subresource="status")
    try:
        state = await until_state(world, "the node is published", SIMULATED, status="Ready", word="true")
        assert len(state.spec.allocatable_device) == 8
        template, pod = app(world)
        await world.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TESTS}})
        await world.cluster.apply(template, pod)
        state = await until_state(world, "the claim is prepared", SIMULATED, prepared=1, held=1)
        (claim,) = await world.claims(9)
        assert state.spec.prepared_devices.keys() == {claim.uid}
        if world.api is not None:
            await world.until_claims("the claim says so", is_told, 9)
            await check_why(world, template, pod)
        await world.client.delete(Pod, POD, grace_period_seconds=0)
        await until_state(world, "the claim is gone", SIMULATED, prepared=0, held=0)
    finally:
        await world.client.delete(Node, NamespacedName("", SIMULATED))

    async def is_gone() -> bool:
        return await state_of(world, SIMULATED) is None and not any(SIMULATED in name for name in await world.offers())

    await world.cluster.wait_until("what was published goes with the node", is_gone)


async def test_a_plugin_comes_and_goes(world: World) -> None:
    before = await world.offers()
    await change_node(world, {"annotations": {ANNOTATION: "fake"}})
    about = NamespacedName(NAMESPACE, world.node)
    await world.wait_event(about, "SimulatedNodeServed", "delete this NodeAllocationState")
    try:
        await change_node(world, {"labels": {"type": "kwok"}})  # the DaemonSet is not for such nodes
        await until_state(world, "the controller takes the node over", world.node, word="true", status="Ready")
        await change_node(world, {"labels": {"type": None}})
        await until_state(world, "the plugin takes it back", world.node, word="false", status="Ready")
        await world.wait_ready()
    finally:
        await change_node(world, {"annotations": {ANNOTATION: None}, "labels": {"type": None}})

    async def is_offered() -> bool:
        devices = [each["devices"] for each in (await world.offers()).values()]
        return sorted(map(str, devices)) == sorted(str(each["devices"]) for each in before.values())

    await world.cluster.wait_until("the plugin offers the devices", is_offered)
