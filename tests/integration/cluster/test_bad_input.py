"""What people and machines get wrong, and what they are told."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, FakeClaimParameters
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.kubelet.dra.calls import ClaimRequest
from fake_dra_driver.cluster.kubelet.dra.nodeclient import NodeClient
from fake_dra_driver.runtime.errors import InvalidError
from tests.integration.cluster.world import CLASSIC, PLUGIN, World, running_world

NAMESPACE = "test9"
API = "fake.resource.3-shake.com/v1alpha1"


def namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def parameters(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "wanted", "namespace": NAMESPACE}
    return {"apiVersion": API, "kind": "FakeClaimParameters", "metadata": metadata, "spec": spec}


def claim(**reference: str) -> dict[str, Any]:
    reference = {"apiGroup": "fake.resource.3-shake.com", "kind": "FakeClaimParameters", "name": "wanted", **reference}
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaim",
        "metadata": {"name": "c", "namespace": NAMESPACE},
        "spec": {"resourceClassName": "fake.3-shake.com", "parametersRef": reference},
    }


def pod(name: str = "p") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "main",
                    "image": "busybox",
                    "command": ["sh", "-c", "export; trap 'exit 0' TERM; sleep 1000 & wait"],
                    "resources": {"claims": [{"name": "c"}]},
                }
            ],
            "resourceClaims": [{"name": "c", "source": {"resourceClaimName": "c"}}],
        },
    }


CLAIM, POD = NamespacedName(NAMESPACE, "c"), NamespacedName(NAMESPACE, "p")


@CLASSIC
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"count": 0}, "spec.count: Invalid value: 0: .* greater than or equal to 1"),
        ({"count": -1}, "spec.count: Invalid value: -1: .* greater than or equal to 1"),
        ({"count": 129}, "spec.count: Invalid value: 129: .* less than or equal to 128"),
        ({"split": 65}, "spec.split: Invalid value: 65: .* less than or equal to 64"),
        ({"count": 128, "split": 64}, "1024"),
        ({"selector": {"model": ""}}, "spec.selector.model"),
        ({"selector": {}}, "spec.selector.model: Required value"),
    ],
)
async def test_parameters_out_of_bounds(world: World, spec: Mapping[str, Any], message: str) -> None:
    await world.cluster.apply(namespace())
    with pytest.raises(InvalidError, match=message):
        await world.cluster.apply(parameters(**spec))


@CLASSIC
async def test_unknown_fields(world: World) -> None:
    await world.cluster.apply(namespace())
    key = NamespacedName(NAMESPACE, "wanted")
    await world.client.create(FakeClaimParameters.from_wire(parameters(count=1, colour="red")))
    assert "colour" not in (await world.client.get(FakeClaimParameters, key)).spec.to_wire()


@CLASSIC
async def test_parameters_that_come_late(world: World) -> None:
    await world.cluster.apply(namespace(), claim(), pod())
    await world.wait_event(CLAIM, "ParametersNotFound", "FakeClaimParameters.*wanted")
    await world.cluster.apply(parameters(count=2))
    await world.inspector.wait("the pod runs", lambda: world.inspector.pods_run([NAMESPACE], 1))
    assert [len(devices) for devices in (await world.logs(NAMESPACE)).values()] == [2]


@CLASSIC
@pytest.mark.parametrize("reference", [{"kind": "Other"}, {"apiGroup": "example.com"}])
async def test_parameters_of_another_kind(world: World, reference: Mapping[str, str]) -> None:
    await world.cluster.apply(namespace(), claim(**reference), pod())
    message = await world.wait_event(CLAIM, "InvalidParameters", next(iter(reference.values())))
    assert "FakeClaimParameters" in message


@CLASSIC
@pytest.mark.parametrize("spec", [{"count": 9}, {"count": 1, "selector": {"model": "NO-SUCH-MODEL"}}])
async def test_more_than_any_node_has(world: World, spec: Mapping[str, Any]) -> None:
    await world.cluster.apply(namespace(), parameters(**spec), claim(), pod())
    message = await world.wait_event(POD, "InsufficientDevices", world.node)
    assert f"{spec['count']} device" in message
    assert (await world.client.get(Pod, POD)).status.phase == "Pending"
    assert not (await world.state()).spec.allocated_claims


async def test_nodes_without_a_plugin_are_passed_over() -> None:
    async with running_world(nodes=2, plugin_on=1) as world:
        await world.apply(1, 4)
        await world.wait_running(1, 4)
        pods = [each for name in ("test1", "test4") for each in (await world.client.list(Pod, name)).items]
        assert {each.spec.node_name for each in pods} == {world.node}


async def test_a_claim_that_holds_nothing_here(world: World) -> None:
    folder = world.cluster.node_root() / f"var/lib/kubelet/plugins/{DRIVER_NAME}"
    (socket,) = folder.glob("*.sock")
    kubelet = NodeClient(str(socket), world.cluster.release)
    try:
        answers = await kubelet.prepare([ClaimRequest("nowhere", "c", UID("0-0"), "")])
    finally:
        await kubelet.close()
    (answer,) = answers.values()
    assert "0-0" in str(answer) or "nowhere/c" in str(answer)
    assert len(world.cdi_files()) == 1


async def test_damaged_files(world: World) -> None:
    await world.apply(5)
    await world.wait_running(5)
    before = await world.check_agreement(5)
    root = world.cluster.node_root()
    checkpoint = root / f"var/lib/kubelet/plugins/{DRIVER_NAME}/checkpoint.json"
    (ours,) = [name for name in world.cdi_files() if "common" not in name]
    await asyncio.to_thread(_damage, checkpoint, root / "var/run/cdi" / ours, root / "var/run/cdi/other-vendor.yaml")
    await world.kill(PLUGIN)
    await world.wait_ready()
    assert await world.check_agreement(5) == before
    await world.wait_event(NamespacedName("fake-system", world.node), "CheckpointRebuilt", "checkpoint")
    assert await asyncio.to_thread((root / "var/run/cdi/other-vendor.yaml").read_text) == "{ damaged"
    set_aside = [name for name in world.cdi_files() if name.startswith(f"{ours}.damaged")]
    assert len(set_aside) == 1
    for name in (*set_aside, "other-vendor.yaml"):
        await asyncio.to_thread((root / "var/run/cdi" / name).unlink)


def _damage(*files: Path) -> None:
    for file in files:
        file.write_text("{ damaged")
