"""What the embedded cluster is good for: ``python -m tests.integration.cluster.measure [--nodes N] [--pods N]``.

The driver on all nodes, then pods with one claim each, all at once; and what the API server takes from one client over
HTTPS. Figures are this machine's, and never a test.
"""

import argparse
import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.demo.inspector import Inspector
from fake_dra_driver.demo.install import DRIVER_IMAGES, NAMESPACE, install_driver
from fake_dra_driver.demo.program import node_names
from fake_dra_driver.runtime.client import Client

_RAW = 2000
_AT_ONCE = 16
SPACE = "measure"


class ConfigMap(KubeObject):
    """v1.ConfigMap."""

    resource = ResourceKind("", "v1", "ConfigMap", "configmaps")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _raw(kubeconfig: str) -> None:
    client = await Client.connect(kubeconfig=kubeconfig, user_agent="measure")
    try:
        for what, work in (
            ("creates", lambda key: client.create(ConfigMap.from_wire({"metadata": _metadata(key)}))),
            ("reads", lambda key: client.get(ConfigMap, key)),
        ):
            await _at_once(what, work)
    finally:
        await client.close()


def _metadata(key: NamespacedName) -> dict[str, Any]:
    return {"name": key.name, "namespace": key.namespace}


async def _at_once(what: str, work: Callable[[NamespacedName], Awaitable[object]]) -> None:
    keys = iter([NamespacedName(SPACE, f"m{number}") for number in range(_RAW)])

    async def worker() -> None:
        for key in keys:
            await work(key)

    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker())
    _say(f"{what}: {_RAW / (time.monotonic() - begun):.0f} a second, {_AT_ONCE} at once")


def _objects(cluster: Cluster) -> int:
    """How many there are, of all kinds."""
    return sum(len(collection) for collection in cluster.server._parts.store._collections.values())


def _memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _pods(count: int) -> list[dict[str, Any]]:
    container = {
        "name": "main",
        "image": "busybox",
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"],
        "resources": {"claims": [{"name": "fake"}]},
    }
    template = {"name": "fake", "source": {"resourceClaimTemplateName": "fake"}}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container], "resourceClaims": [template]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{number}", "namespace": SPACE},
            "spec": spec,
        }
        for number in range(count)
    ]


async def _measure(nodes: int, pods: int) -> None:
    requests: Counter[str] = Counter()

    def count(target: Target, request: Request) -> None:
        requests[request.header("user-agent").partition("/")[0]] += 1

    begun = time.monotonic()
    async with Cluster(nodes=node_names(nodes), images=DRIVER_IMAGES) as cluster:
        _say(f"{nodes} nodes are Ready after {time.monotonic() - begun:.1f} s")
        await install_driver(cluster)
        inspector = Inspector(cluster.client, NAMESPACE, deadline_seconds=600)
        await inspector.wait("the driver is Ready", lambda: inspector.driver_is_ready(cluster.nodes))
        _say(f"the driver is Ready on all of them after {time.monotonic() - begun:.1f} s")
        await cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
            {
                "apiVersion": "resource.k8s.io/v1alpha2",
                "kind": "ResourceClaimTemplate",
                "metadata": {"name": "fake", "namespace": SPACE},
                "spec": {"spec": {"resourceClassName": "fake.3-shake.com"}},
            },
        )
        cluster.server.faults.add(count)
        begun = time.monotonic()
        await cluster.apply(*_pods(pods))
        await inspector.wait("all pods run", lambda: inspector.pods_run([SPACE], pods))
        seconds = time.monotonic() - begun
        total = sum(requests.values())
        _say(f"{pods} pods with a claim each run after {seconds:.1f} s: {pods / seconds:.1f} a second")
        _say(f"{total} requests, {total / seconds:.0f} a second: {dict(requests.most_common())}")
        claims = (await cluster.client.list(ResourceClaim, SPACE)).items
        _say(f"{sum(claim.status.allocation is not None for claim in claims)} claims are allocated")
        _say(f"{_objects(cluster)} objects; this process has taken {_memory_mib()} MiB at most")
        begun = time.monotonic()
        for pod in (await cluster.client.list(Pod, SPACE)).items:
            await cluster.client.delete(Pod, pod.key)
        await inspector.wait("all have ended", lambda: inspector.have_ended([SPACE]))
        _say(f"deleted again, with their claims, after {time.monotonic() - begun:.1f} s")
        await _raw(str(cluster.kubeconfig))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.cluster.measure")
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--pods", type=int, default=300)
    arguments = parser.parse_args()
    from fake_dra_driver.runtime.log import setup_logging

    setup_logging(least="ERROR")
    asyncio.run(_measure(arguments.nodes, arguments.pods))


if __name__ == "__main__":
    main()
