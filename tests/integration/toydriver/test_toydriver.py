"""The example of docs/embedded-cluster.md: a driver of one's own, tested in a cluster."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.kinds import Pod
from tests.integration.toydriver.driver import run_toy_driver

MANIFESTS = """\
apiVersion: resource.k8s.io/v1alpha2
kind: ResourceClass
metadata: {name: lamp}
driverName: lamp.example.com
---
apiVersion: resource.k8s.io/v1alpha2
kind: ResourceClaim
metadata: {name: desk, namespace: default}
spec: {resourceClassName: lamp}
---
apiVersion: v1
kind: Pod
metadata: {name: reader, namespace: default}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: busybox
      command: ["sh", "-c", "echo $LAMP > /dev/termination-log; test -n \\"$LAMP\\""]
      resources: {claims: [{name: lamp}]}
  resourceClaims:
    - name: lamp
      source: {resourceClaimName: desk}
"""


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster(nodes=("study",)) as cluster, asyncio.TaskGroup() as group:
        client, registered = cluster.server.client("lamp"), asyncio.Event()
        running = run_toy_driver(client, "study", cluster.node_root("study"), registered)
        driver = group.create_task(running, name="driver")
        await registered.wait()
        yield cluster
        driver.cancel()


async def test_a_pod_gets_a_lamp(cluster: Cluster) -> None:
    await cluster.apply(MANIFESTS)

    async def reader_is_done() -> bool:
        return (await cluster.client.get(Pod, NamespacedName("default", "reader"))).status.phase == "Succeeded"

    await cluster.wait_until("the container has seen its lamp", reader_is_done)
