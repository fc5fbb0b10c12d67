"""The sub-command against the embedded API server: what it prints, what it asks for, and how it ends."""

import asyncio
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import fake_dra_driver
from fake_dra_driver.api.fake import (
    DRIVER_ANNOTATION,
    DRIVER_NAME,
    RESOURCE_CLASS_NAME,
    AllocatableDevice,
    AllocatedDevices,
    AllocatedFake,
    AllocatedFakes,
    FakeDevice,
    NodeAllocationState,
    NodeAllocationStateSpec,
)
from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.api.kube.core import Condition, Node, NodeStatus
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClaimSpec, ResourceClass
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Namespace
from fake_dra_driver.codegen import definition
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.state import DriverStateLayout
from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.status.build import Reporter
from fake_dra_driver.status.ourdriver import CLASSIC_KINDS, OurDriver
from fake_dra_driver.status.program import run_status, watch
from fake_dra_driver.status.report import Report
from fake_dra_driver.status.screen import ReportScreen, Style
from fake_dra_driver.status.settings import StatusSettings
from fake_dra_driver.status.view import CannotReportError, ClusterView

NAMESPACE = "fake-system"


class Cluster:
    """An API server with the driver's kinds, and words for what others do there."""

    def __init__(self, server: ApiServer, kubeconfig: Path, client: Client) -> None:
        self.server = server
        self.kubeconfig = kubeconfig
        self.client = client

    async def node(self, name: str, namespace: str = NAMESPACE, devices: int = 2) -> None:
        works = NodeStatus(conditions=(Condition(type="Ready", status="True", reason="KubeletReady"),))
        await self.client.create(Node(metadata=ObjectMeta(name=name), status=works))
        # Admission gives a new node the taint not-ready, which the node lifecycle controller would remove.
        await self.client.merge_patch(Node, NamespacedName("", name), {"spec": {"taints": None}})
        inventory = [
            AllocatableDevice(fake=FakeDevice(uuid=f"{name}-{index}", name="MODEL")) for index in range(devices)
        ]
        metadata = ObjectMeta(name=name, namespace=namespace)
        spec = NodeAllocationStateSpec(allocatable_device=tuple(inventory))
        await self.client.create(NodeAllocationState(metadata=metadata, spec=spec, status="Ready"))

    async def claim(self, name: str) -> ResourceClaim:
        spec = ResourceClaimSpec(resource_class_name=RESOURCE_CLASS_NAME, allocation_mode="Immediate")
        return await self.client.create(ResourceClaim(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))

    async def allocate(self, claim: ResourceClaim, node: str) -> None:
        entry = AllocatedDevices(fake=AllocatedFakes(devices=(AllocatedFake(uuid=f"{node}-0"),)))
        patch = {"spec": {"allocatedClaims": {claim.uid: entry.to_wire()}}}
        await self.client.merge_patch(NodeAllocationState, NamespacedName(NAMESPACE, node), patch)


async def _start(server: ApiServer, folder: Path) -> Cluster:
    kubeconfig = folder / "kubeconfig"
    await asyncio.to_thread(server.write_kubeconfig, kubeconfig)
    return Cluster(server, kubeconfig, await Client.connect(kubeconfig=str(kubeconfig), user_agent="tests"))


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster that knows nothing of the driver."""
    async with ApiServer() as server:
        cluster = await _start(server, tmp_path)
        yield cluster
        await cluster.client.close()


@pytest.fixture
async def cluster(bare: Cluster) -> Cluster:
    """A cluster with the driver's kinds and class, and two nodes."""
    for kind in KINDS:
        await bare.client.create(CustomResourceDefinition.from_wire(definition(kind)))
    await bare.client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    resource_class = ResourceClass(metadata=ObjectMeta(name=RESOURCE_CLASS_NAME), driver_name=DRIVER_NAME)
    await bare.client.create(resource_class)
    for name in ("worker-1", "worker-2"):
        await bare.node(name)
    return bare


async def status(cluster: Cluster, *nodes: str, **settings: Any) -> int:
    """Runs the sub-command once."""
    given = {"kubeconfig": str(cluster.kubeconfig), "nodes": nodes, **settings}
    return await run_status(await asyncio.to_thread(StatusSettings, **given))


# --- What it prints


async def test_a_table_of_what_is_there(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    await cluster.allocate(await cluster.claim("held"), "worker-1")
    await cluster.claim("waits")
    assert await status(cluster) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{DRIVER_NAME} in {NAMESPACE}\nNODES    2: 2 ready, 0 not ready\n")
    assert "NODE worker-1  Ready, 1 of 2 MODEL free" in printed
    row = next(line.split() for line in printed.splitlines() if "worker-1-0" in line)
    assert row == ["worker-1-0", "allocated", "default/held"]
    assert "default/waits" in printed


@pytest.mark.parametrize(("color", "expected"), [("always", True), ("never", False), ("auto", False)])
async def test_colours_are_for_those_who_ask(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], color: str, *, expected: bool
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert await status(cluster, color=color) == 0
    assert ("\x1b[32mReady\x1b[0m" in capsys.readouterr().out) is expected


async def test_json_of_named_nodes(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status(cluster, "worker-2", output="json") == 0
    report = Report.model_validate_json(capsys.readouterr().out)
    assert ([node.name for node in report.nodes], report.namespace) == (["worker-2"], NAMESPACE)


async def test_a_node_that_is_cordoned(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    await cluster.client.merge_patch(Node, NamespacedName("", "worker-2"), {"spec": {"unschedulable": True}})
    assert await status(cluster) == 0
    printed = capsys.readouterr().out
    assert "NODES    2: 1 ready, 1 cordoned, 0 not ready\n" in printed
    assert "\nDEVICES  4: 2 free, 0 allocated, 0 prepared, 2 unavailable (2 on nodes that take no claims)\n" in printed
    assert "NODE worker-2  Cordoned, 0 of 2 MODEL free" in printed
    assert "  ! its node is cordoned (SchedulingDisabled)\n" in printed


async def test_another_driver_by_its_name(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        CannotReportError,
        match=re.escape("its CRDs are missing (nodeallocationstates.nas.lamp.example.com)"),
    ):
        await status(cluster, driver_name="lamp.example.com")
    layout = DriverStateLayout("lamp.example.com")
    await cluster.client.create(CustomResourceDefinition.from_wire(definition(layout.kind)))
    await cluster.client.create(Namespace(metadata=ObjectMeta(name="lamps")))
    state = layout.make(ObjectMeta(name="worker-1", namespace="lamps"), "Ready")
    spec = layout.spec_for([Device("lamp-0", {"model": "LED", "watts": 5})], {})
    await cluster.client.create(state.model_copy(update={"spec": spec}))
    assert await status(cluster, driver_name="lamp.example.com") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("lamp.example.com in lamps\nNODES    1: 1 ready, 0 not ready\n")
    assert "NODE worker-1  Ready, 1 of 1 LED free" in printed


async def test_a_release_under_another_name(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    await cluster.client.create(Namespace(metadata=ObjectMeta(name="mock-gpus")))
    await cluster.node("gpu-node", "mock-gpus")
    named = {"metadata": {"annotations": {DRIVER_ANNOTATION: "gpu.example.com"}}}
    await cluster.client.merge_patch(NodeAllocationState, NamespacedName("mock-gpus", "gpu-node"), named)
    assert await status(cluster, driver_name="gpu.example.com") == 0
    assert capsys.readouterr().out.startswith("gpu.example.com in mock-gpus\nNODES    1: ")
    assert await status(cluster) == 0
    assert capsys.readouterr().out.startswith(f"{DRIVER_NAME} in {NAMESPACE}\nNODES    2: ")
    for node in ("worker-1", "worker-2"):
        await cluster.client.delete(NodeAllocationState, NamespacedName(NAMESPACE, node))
    assert await status(cluster) == 0
    assert capsys.readouterr().out.startswith("gpu.example.com in mock-gpus\n"), "the only one that there is"
    await cluster.node("worker-3")
    named = {"metadata": {"annotations": {DRIVER_ANNOTATION: "net.example.com"}}}
    await cluster.client.merge_patch(NodeAllocationState, NamespacedName(NAMESPACE, "worker-3"), named)
    expected = (
        f"no node has devices of {DRIVER_NAME}: use --driver-name gpu.example.com or --driver-name net.example.com"
    )
    with pytest.raises(CannotReportError, match=expected):
        await status(cluster)


# --- What it asks for


async def test_it_reads_what_is_documented_and_never_writes(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    allowed = {(kind.resource.group, kind.resource.plural): {"get", "list", "watch"} for kind in CLASSIC_KINDS}
    asked: dict[tuple[str, str], set[str]] = {}
    all_watched = asyncio.Event()

    def take_note(target: Target, request: Request) -> Fault | None:
        if request.header("user-agent").startswith("fake-dra-status/"):
            asked.setdefault((target.resource.group, target.resource.plural), set()).add(target.verb)
            if all("watch" in asked.get(resource, ()) for resource in allowed):
                all_watched.set()
        return None

    with cluster.server.faults.injected(take_note):
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(status(cluster, watch=True, output="json"))
            async with asyncio.timeout(30):
                await all_watched.wait()
            os.kill(os.getpid(), signal.SIGINT)
            assert await watching == 0
    assert asked.keys() == allowed.keys()
    for resource, verbs in asked.items():
        assert verbs <= allowed[resource], resource
    assert capsys.readouterr().out


# --- What stands in the way


async def test_a_cluster_without_the_driver(bare: Cluster) -> None:
    with pytest.raises(
        CannotReportError, match="does not know the kind NodeAllocationState: the driver is not installed"
    ):
        await status(bare)


async def test_another_driver_than_the_one_that_is_installed(cluster: Cluster) -> None:
    expected = rf"\(nodeallocationstates.nas.typo.example.com\); for one that is, use --driver-name {DRIVER_NAME}$"
    for settings in ({}, {"namespace": NAMESPACE}):
        with pytest.raises(CannotReportError, match=expected):
            await status(cluster, driver_name="typo.example.com", **settings)


async def test_a_node_that_is_not_there(cluster: Cluster) -> None:
    expected = "there is no node worker-3; did you mean worker-"
    with pytest.raises(CannotReportError, match=expected):
        await status(cluster, "worker-1", "worker-3")
    await cluster.client.create(Node(metadata=ObjectMeta(name="worker-3")))
    with pytest.raises(CannotReportError, match="node worker-3 has no NodeAllocationState: no kubelet plugin"):
        await status(cluster, "worker-3")


async def test_a_driver_in_two_namespaces(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    await cluster.client.create(Namespace(metadata=ObjectMeta(name="other")))
    await cluster.node("worker-9", "other")
    with pytest.raises(
        CannotReportError, match=f"several namespaces \\({NAMESPACE}, other\\): name one with --namespace"
    ):
        await status(cluster)
    assert await status(cluster, namespace="other") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{DRIVER_NAME} in other\nNODES    1: ")


async def test_a_driver_in_another_namespace(cluster: Cluster) -> None:
    await cluster.client.create(Namespace(metadata=ObjectMeta(name="empty")))
    expected = f"the driver is not in namespace empty, but in {NAMESPACE}: correct --namespace"
    with pytest.raises(CannotReportError, match=expected):
        await status(cluster, namespace="empty")


async def test_what_the_api_server_answers_is_told(cluster: Cluster) -> None:
    def busy(target: Target, _: Request) -> Fault | None:
        return Fault.answer(503) if target.resource.plural == "resourceclaims" else None

    with cluster.server.faults.injected(busy), pytest.raises(RuntimeLayerError, match="503 ServiceUnavailable"):
        await status(cluster, api_timeout_seconds=0.5)


# --- Staying


class Reader(io.StringIO):
    """A pipe to a program that reads, and lets a test wait for a text."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._written = asyncio.Event()

    def flush(self) -> None:
        self._loop.call_soon_threadsafe(self._written.set)

    async def wait_for(self, is_so: Callable[[Report], bool]) -> Report:
        """The first report of which something is so."""
        async with asyncio.timeout(30):
            while True:
                self._written.clear()
                for line in self.getvalue().splitlines():
                    if is_so(report := Report.model_validate_json(line)):
                        return report
                await self._written.wait()


async def test_each_change_is_shown_until_the_end(cluster: Cluster) -> None:
    cache = Cache(cluster.client)
    view = ClusterView.of(OurDriver(), cache, cluster.client, DraApi("v1alpha2"), NAMESPACE)
    await view.load(cluster.client, 10)
    reader, stopped = Reader(), asyncio.Event()
    reporter = Reporter(view, NAMESPACE)
    async with asyncio.TaskGroup() as group:
        screen = ReportScreen(reader, Style("json"))
        watching = group.create_task(watch(cache, view, reporter, screen, stopped))
        first = await reader.wait_for(lambda _: True)
        assert (first.summary.nodes, first.summary.claims) == (2, 0)
        await cluster.allocate(await cluster.claim("held"), "worker-1")
        await reader.wait_for(lambda report: report.summary.claims == 1)
        await cluster.client.delete(NodeAllocationState, NamespacedName(NAMESPACE, "worker-2"))
        await reader.wait_for(lambda report: report.summary.nodes == 1)
        stopped.set()
        await watching


class Terminal(Reader):
    """A terminal, of which a test reads what is shown."""

    def isatty(self) -> bool:
        return True

    async def wait_for_text(self, text: str) -> None:
        """Waits until a text is shown."""
        async with asyncio.timeout(30):
            while text not in self.getvalue():
                self._written.clear()
                if text not in self.getvalue():
                    await self._written.wait()


async def test_a_person_is_told_when_what_is_shown_may_be_out_of_date(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    def away(target: Target, _: Request) -> Fault | None:
        return Fault.answer(500) if target.resource.plural == "nodeallocationstates" else None

    cache = Cache(cluster.client)
    view = ClusterView.of(OurDriver(), cache, cluster.client, DraApi("v1alpha2"), NAMESPACE)
    await view.load(cluster.client, 10)
    terminal, stopped = Terminal(), asyncio.Event()
    reporter = Reporter(view, NAMESPACE)
    async with asyncio.TaskGroup() as group:
        with cluster.server.faults.injected(away):
            watching = group.create_task(watch(cache, view, reporter, ReportScreen(terminal, Style()), stopped))
            await terminal.wait_for_text("MAY BE OUT OF DATE: list nodeallocationstates")
        await cluster.claim("new")
        await terminal.wait_for_text("default/new")
        stopped.set()
        await watching


# --- The command


def command(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of the command, for a user whose home is the folder."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "fake_dra_driver", "status", *arguments],
        env=environment,
        cwd=Path(fake_dra_driver.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_no_cluster_is_one_sentence_and_a_failure(tmp_path: Path) -> None:
    code, out, err = command(tmp_path)
    assert (code, out) == (1, "")
    assert err == (
        "fake-dra-driver status: get apigroups.v1 resource.k8s.io: cannot connect to http://localhost:8080 "
        f"(the default: there is no kubeconfig at {tmp_path}/.kube/config): connection refused\n"
    )
    assert err.count("\n") == 1


def test_a_kubeconfig_that_cannot_be_read_is_not_a_missing_one(tmp_path: Path) -> None:
    kubeconfig = tmp_path / ".kube/config"
    kubeconfig.parent.mkdir()
    kubeconfig.write_text("clusters: [\n")
    code, out, err = command(tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith(f"fake-dra-driver status: The kubeconfig {kubeconfig} cannot be used: line 2: ")
    assert err.count("\n") == 1


def test_a_cluster_that_does_not_answer_is_one_sentence_and_a_failure(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        config: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": f"https://127.0.0.1:{unused.getsockname()[1]}"}}],
            "users": [{"name": "x", "user": {"token": "x"}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        code, out, err = command(tmp_path, f"--kubeconfig={tmp_path}/kubeconfig")
    assert (code, out) == (1, "")
    place = f"{config['clusters'][0]['cluster']['server']} (context x of {tmp_path}/kubeconfig)"
    problem = f"get apigroups.v1 resource.k8s.io: cannot connect to {place}: connection refused"
    assert err == f"fake-dra-driver status: {problem}\n"
