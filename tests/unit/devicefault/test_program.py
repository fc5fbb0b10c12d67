"""Faults from a terminal, on an API server: made, listed and healed."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.fake import DRIVER_ANNOTATION, NodeAllocationState, NodeAllocationStateSpec
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Namespace
from fake_dra_driver.codegen import definition
from fake_dra_driver.devicefault.manifest import CannotFaultError
from fake_dra_driver.devicefault.program import run_fault, run_heal, run_list
from fake_dra_driver.devicefault.settings import FaultSettings, HealSettings, ListSettings
from fake_dra_driver.flags import parse
from fake_dra_driver.runtime.client import Client

CRD = Path(__file__).parents[3] / "crds" / "fake.resource.3-shake.com_devicefaults.yaml"


class Terminal:
    """Runs the commands on a cluster. Command lines are read in a thread: a program does so before its event loop."""

    def __init__(self, client: Client, kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.client = client
        self._cluster = f"--kubeconfig={kubeconfig}"
        self._capsys = capsys

    async def fault(self, *arguments: str, status: int = 0) -> str:
        settings = await asyncio.to_thread(parse, FaultSettings, [self._cluster, "--wait-seconds=0", *arguments])
        return self._printed(await run_fault(settings), status)

    async def heal(self, *arguments: str) -> str:
        settings = await asyncio.to_thread(parse, HealSettings, [self._cluster, *arguments])
        return self._printed(await run_heal(settings))

    async def list(self, *arguments: str) -> str:
        settings = await asyncio.to_thread(parse, ListSettings, [self._cluster, *arguments])
        return self._printed(await run_list(settings))

    async def said(self, name: str, reason: str, message: str) -> None:
        """What the controller says about a fault."""
        condition = {
            "type": "Active",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        patch = {"status": {"conditions": [condition]}}
        await self.client.merge_patch(DeviceFault, NamespacedName("", name), patch, subresource="status")

    def _printed(self, status: int, expected: int = 0) -> str:
        assert status == expected
        return self._capsys.readouterr().out


@pytest.fixture
async def bare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Terminal]:
    """A cluster without the driver."""
    async with ApiServer() as server:
        kubeconfig = tmp_path / "kubeconfig"
        await asyncio.to_thread(server.write_kubeconfig, kubeconfig)
        client = await Client.connect(kubeconfig=str(kubeconfig), user_agent="tests")
        yield Terminal(client, kubeconfig, capsys)
        await client.close()


@pytest.fixture
async def terminal(bare: Terminal) -> Terminal:
    await bare.client.create(CustomResourceDefinition.from_wire(yaml.safe_load(CRD.read_text())))
    return bare


async def test_a_fault_is_made_listed_and_healed(terminal: Terminal) -> None:
    words = "DeviceFault f created: the driver's controller has not yet said what it does\n"
    assert await terminal.fault("gpu-0", "--health=Unhealthy", "--message=too hot", "--name=f") == words
    await terminal.said("f", "NothingMatches", "no device is like gpu-0")
    assert re.sub(r"\b\d+s ", "0s ", await terminal.list()) == (
        "FAULT  STATE           AGE  WHAT\nf      NothingMatches  0s   Unhealthy (too hot); no device is like gpu-0\n"
    )
    found = json.loads(await terminal.list("-o=json"))
    assert (found["driver"], found["faults"][0]["reason"]) == ("fake.resource.3-shake.com", "NothingMatches")
    assert yaml.safe_load(await terminal.list("-o=yaml")) == found
    assert await terminal.heal("f") == "DeviceFault f deleted\n"
    assert await terminal.list() == "driver fake.resource.3-shake.com has no DeviceFaults\n"


async def test_what_the_controller_says_is_told(terminal: Terminal) -> None:
    async with asyncio.TaskGroup() as group:
        making = group.create_task(terminal.fault("--vanish", "--name=f", "--wait-seconds=30", status=1))
        async with asyncio.timeout(30):
            while not (await terminal.client.list(DeviceFault)).items:
                pass
        await terminal.said("f", "NothingMatches", "driver has no nodes yet")
    assert making.result() == (
        "DeviceFault f created: NothingMatches: driver has no nodes yet\nIt stays until it is healed: device heal f\n"
    )


async def test_all_of_a_driver_are_healed_and_no_others(terminal: Terminal) -> None:
    await terminal.fault("--vanish", "--name=a")
    await terminal.fault("--vanish", "--name=b")
    await terminal.fault("--vanish", "--name=other", "--driver-name=other.example.com")
    assert await terminal.heal("--all") == "DeviceFault a deleted\nDeviceFault b deleted\n"
    assert await terminal.heal("--all") == "driver fake.resource.3-shake.com has no DeviceFaults\n"
    assert [fault.metadata.name for fault in (await terminal.client.list(DeviceFault)).items] == ["other"]


async def test_what_cannot_be_done_is_a_sentence(terminal: Terminal) -> None:
    with pytest.raises(CannotFaultError, match="name the DeviceFaults to heal, or give --all"):
        await terminal.heal()
    with pytest.raises(CannotFaultError, match="has no DeviceFault f; there are none"):
        await terminal.heal("f")
    await terminal.fault("--vanish", "--name=fault-1")
    with pytest.raises(CannotFaultError, match="has no DeviceFault falt-1; did you mean fault-1"):
        await terminal.heal("falt-1")
    with pytest.raises(CannotFaultError, match="there is a DeviceFault fault-1 already: choose another --name"):
        await terminal.fault("--vanish", "--name=fault-1")


async def test_a_cluster_without_the_kind_is_told(bare: Terminal) -> None:
    for command in (bare.list(), bare.fault("--vanish"), bare.heal("--all")):
        with pytest.raises(CannotFaultError, match="does not know DeviceFaults: apply the CRDs of this release"):
            await command


def test_a_manifest_needs_no_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert asyncio.run(run_fault(parse(FaultSettings, ["--vanish", "--name=f", "--dry-run"]))) == 0
    manifest = yaml.safe_load(capsys.readouterr().out)
    assert (manifest["kind"], manifest["metadata"], manifest["spec"]["effects"]) == (
        "DeviceFault",
        {"name": "f"},
        {"vanish": True},
    )


async def test_a_driver_that_no_node_has_is_refused_where_there_are_others(terminal: Terminal) -> None:
    """None would look at the fault, and it would wait for ever."""
    await terminal.client.create(CustomResourceDefinition.from_wire(definition(NodeAllocationState)))
    await terminal.client.create(Namespace(metadata=ObjectMeta(name="gpus")))
    metadata = ObjectMeta(name="node-a", namespace="gpus", annotations={DRIVER_ANNOTATION: "gpu.example.com"})
    await terminal.client.create(NodeAllocationState(metadata=metadata, spec=NodeAllocationStateSpec()))
    with pytest.raises(CannotFaultError) as refused:
        await terminal.fault("--vanish", "--name=f")
    assert str(refused.value) == (
        "no node has devices of driver fake.resource.3-shake.com: name one that has with --driver-name: gpu.example.com"
    )
    await terminal.fault("--vanish", "--name=f", "--driver-name=gpu.example.com")
