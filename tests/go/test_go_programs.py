"""Programs in Go with the defaults of client-go, which sends protobuf, in the embedded cluster."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.api.resource.v1 import ResourceClaim, ResourceSlice
from fake_dra_driver.cluster import Cluster, Timing
from fake_dra_driver.cluster.apiserver.message import PROTOBUF
from fake_dra_driver.cluster.kinds import ConfigMap, Pod
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.cluster.workloadkinds import Deployment

_OBJECTS = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: go}
spec: {selectors: [{cel: {expression: 'device.driver == "go.example.com"'}}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: two}
spec:
  spec:
    devices:
      requests:
      - name: even
        exactly:
          deviceClassName: go
          count: 2
          selectors: [{cel: {expression: 'device.attributes["go.example.com"].healthy'}}]
"""
_POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  restartPolicy: Never
  resourceClaims: [{name: devices, resourceClaimTemplateName: two}]
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'test "$GO_DEVICE_0,$GO_DEVICE_2" = held,held']
    resources: {claims: [{name: devices}]}
"""


class _Job(KubeObject):
    resource = ResourceKind("batch", "v1", "Job", "jobs")


class _Service(KubeObject):
    resource = ResourceKind("", "v1", "Service", "services")


class _Running:
    """A program that runs."""

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self._process = process
        self._output = output

    async def has_said(self, text: str) -> bool:
        """Whether it has printed that. Fails when the program has ended."""
        said = await asyncio.to_thread(self._output.read_text)
        assert self._process.returncode is None, said
        return text in said

    async def stop(self) -> None:
        """Ends it in an orderly way."""
        self._process.terminate()
        code = await self._process.wait()
        assert code == 0, await asyncio.to_thread(self._output.read_text)


@asynccontextmanager
async def running(program: Path, output: Path, *arguments: str) -> AsyncIterator[_Running]:
    """Runs the program within the block, which stops it."""
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=file, stderr=file)
    found = _Running(process, output)
    try:
        yield found
        await found.stop()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("release", [name for name, each in RELEASES.items() if each.structured_version == "v1"])
async def test_a_driver(release: str, program: Path, tmp_path: Path) -> None:
    """Its slice is published, its plugin is registered, and a pod gets two of its devices, and returns them."""
    timing = Timing(resync_seconds=1, retry_seconds=0.1)
    async with Cluster(kubernetes_version=release, timing=timing) as cluster:
        client, root = cluster.client, cluster.node_root()
        where = ("-kubeconfig", str(cluster.kubeconfig), "-node", cluster.nodes[0], "-root", str(root))
        async with running(program, tmp_path / "output", "driver", *where) as driver:
            await cluster.apply(_OBJECTS, _POD)
            await cluster.wait_until("it sends protobuf", lambda: driver.has_said(f"sends {PROTOBUF}"))

            async def ended() -> str:
                phase = (await client.get(Pod, NamespacedName("default", "p"))).status.phase
                return phase if phase in ("Succeeded", "Failed") else ""

            assert await cluster.wait_until("the pod has run", ended) == "Succeeded", "it had its devices"
            (published,) = (await client.list(ResourceSlice)).items
            assert [each.name for each in published.spec.devices] == [f"device-{number}" for number in range(4)]
            assert published.metadata.owner_references[0].name == cluster.nodes[0]
            files = root / "var/run/cdi"

            async def returned() -> bool:
                return not (await client.list(ResourceClaim)).items and not await asyncio.to_thread(os.listdir, files)

            await cluster.delete(_POD)
            await cluster.wait_until("claim and devices are gone", returned)


async def test_a_manager(program: Path, tmp_path: Path) -> None:
    """It becomes the leader, creates objects of several kinds, and updates what it watches."""
    async with Cluster(kubernetes_version="1.37") as cluster:
        client, go = cluster.client, NamespacedName("default", "go")
        kubeconfig = str(cluster.kubeconfig)
        async with running(program, tmp_path / "output", "manager", "-kubeconfig", kubeconfig) as manager:
            await cluster.wait_until("it leads", lambda: manager.has_said("leading"))
            assert await manager.has_said(f"sends {PROTOBUF}")

            async def counted() -> bool:
                found = await client.get(ConfigMap, go)
                return found.data == {"count": "xxx"} and found.binary_data == {"b": "AP8="}

            await cluster.wait_until("it has counted to three", counted)
            for kind in (Deployment, _Job, _Service):
                assert (await client.get(kind, go)).uid

            async def told() -> bool:
                return any(each.reason == "LeaderElection" for each in (await client.list(Event)).items)

            await cluster.wait_until("there is an Event", told)
        lease = await client.get(Lease, NamespacedName("default", "go-manager"))
        assert not lease.spec.holder_identity, "it has returned the lease"
