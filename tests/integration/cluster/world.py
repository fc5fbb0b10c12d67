"""The whole driver on an embedded cluster, and the words in which its tests are told.

The driver is what the chart installs: controller and kubelet plugin as processes of their own, over real HTTP and real
unix sockets. What differs from the chart's defaults are times alone: kubelets and candidates for the lease try again
after a fraction of a second, and a leader is not deposed when the machine stands still for a while. The lease of a
controller that a test has killed is taken away, as a person may do who knows that it is dead: that a lease runs out by
itself is tested where leader election is.
"""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.fake import CDI_CLASS, CDI_VENDOR, NodeAllocationState
from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.cluster import Cluster, Timing
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.documents import Document, read_documents
from fake_dra_driver.cluster.kinds import Namespace, Pod
from fake_dra_driver.cluster.kubelet.pods.restarts import INITIAL_SECONDS
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.demo.expectations import DemoError, Logs, check_initial, check_prepared, devices_in
from fake_dra_driver.demo.inspector import Inspector
from fake_dra_driver.demo.install import DRIVER_IMAGES, NAMESPACE, driver_manifests
from fake_dra_driver.demo.kubectl import Kubectl, open_kubectl
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.runtime.errors import ForbiddenError, NotFoundError

__all__ = [
    "CLASSIC",
    "CONTROLLER",
    "CONTROLLER_MANAGER",
    "DEMO",
    "LATEST",
    "PLUGIN",
    "SCHEDULER",
    "STRUCTURED",
    "Caught",
    "World",
    "running_world",
]

DEMO = Path(__file__).resolve().parents[3] / "demo"
CLASSIC, STRUCTURED = (
    pytest.mark.parametrize("world", [protocol], indirect=True) for protocol in ("classic", "structured")
)
"""For tests that are about one kind of DRA; the others run in both."""
LATEST = list(RELEASES.values())[-1]
SCHEDULER, CONTROLLER_MANAGER = "kube-scheduler", "kube-controller-manager"
CONTROLLER, PLUGIN = "controller", "plugin"
"""Names of the containers."""
PODS = {1: 2, 2: 1, 3: 2, 4: 1, 5: 1, 6: 2}
"""Pods of each demo manifest."""
VALUES: Mapping[str, Any] = {
    "controller": {
        "settings": {
            "leaderElectLeaseDurationSeconds": 120,
            "leaderElectRenewDeadlineSeconds": 90,
            "leaderElectRetryPeriodSeconds": 0.3,
        }
    }
}
COMMON_CDI_FILE = f"{CDI_VENDOR}-{CDI_CLASS}_common.yaml"


Claim = v1alpha2.ResourceClaim | v1.ResourceClaim


class Caught:
    """Tells when a request of a kind has come in that was to go wrong."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.event = asyncio.Event()

    async def wait(self) -> None:
        """Waits for the first. Raises AssertionError when none comes."""
        try:
            async with asyncio.timeout(60):
                await self.event.wait()
        except TimeoutError as error:
            raise AssertionError(f"there was no {self._what}") from error


class World:
    """A cluster with the driver in it; ``api``: the version of structured DRA that it speaks, if it does."""

    def __init__(self, cluster: Cluster, kubectl: Kubectl, api: ResourceApi | None = None) -> None:
        self.cluster = cluster
        self.api = api
        self.client = cluster.client
        self.kubectl = kubectl
        self.inspector = Inspector(cluster.client, NAMESPACE, deadline_seconds=90)
        self.node = cluster.nodes[0]

    # --- the demo's apps ---

    async def apply(self, *numbers: int) -> None:
        """Applies demo manifests, all at once; again where a namespace has no account yet, as people do."""
        manifests = await asyncio.to_thread(_manifests, self.api, numbers)

        async def applied() -> bool:
            try:
                await self.cluster.apply(*manifests)
            except ForbiddenError as error:
                if "error looking up service account" not in str(error):
                    raise
                return False
            return True

        await self.cluster.wait_until(f"the demo's manifests {numbers} are applied", applied)

    async def delete(self, *numbers: int) -> None:
        """Deletes them, without waiting."""
        await self.cluster.delete(*await asyncio.to_thread(_manifests, self.api, numbers))

    async def wait_running(self, *numbers: int) -> None:
        """Waits until all their pods are Ready."""
        count = sum(PODS[number] for number in numbers)
        names = [f"test{number}" for number in numbers]
        await self.inspector.wait(f"tests {numbers} run", lambda: self.inspector.pods_run(names, count))

    async def wait_gone(self, *numbers: int) -> None:
        """Waits until their namespaces are gone, with everything in them."""
        names = [f"test{number}" for number in numbers]
        await self.inspector.wait(f"tests {numbers} are gone", lambda: self.inspector.are_gone(names))

    async def logs(self, *namespaces: str) -> Logs:
        """The devices that each container has printed; waits until each has printed some."""
        found: dict[tuple[str, str, str], Sequence[str]] = {}

        async def all_have_printed() -> bool:
            found.clear()
            for namespace in namespaces:
                for pod in (await self.client.list(Pod, namespace)).items:
                    for container in pod.spec.containers:
                        log = await self.kubectl("logs", "-n", namespace, pod.key.name, "-c", container.name)
                        try:
                            found[namespace, pod.key.name, container.name] = devices_in(log)
                        except DemoError:  # half of it is printed
                            return False
            return bool(found) and all(found.values())

        await self.cluster.wait_until("all containers have printed their devices", all_have_printed)
        return found

    # --- state ---

    async def state(self) -> NodeAllocationState:
        """The NodeAllocationState of the first node."""
        return await self.inspector.state(self.node)

    async def claims(self, *numbers: int) -> Sequence[Claim]:
        """The claims of these tests; of the whole cluster without a number."""
        names = {f"test{number}" for number in numbers}
        kind: type[Claim] = v1alpha2.ResourceClaim if self.api is None else self.api.claims
        claims = (await self.client.list(kind)).items
        return [claim for claim in claims if not names or claim.key.namespace in names]

    async def until_claims(self, what: str, condition: Callable[[Sequence[Claim]], bool], *numbers: int) -> None:
        """Waits until the claims of these tests are so."""

        async def so() -> bool:
            return condition(await self.claims(*numbers))

        await self.cluster.wait_until(what, so)

    async def check_agreement(self, *numbers: int) -> Logs:
        """What containers printed, what is prepared, what is allocated and what the claims say: all the same."""
        logs = await self.logs(*(f"test{number}" for number in numbers))
        await self.inspector.wait(
            "the NodeAllocationState says the same as the logs",
            lambda: self.inspector.holds(self.node, lambda state: check_prepared(state, logs)),
        )
        ledger = (await self.state()).spec.allocated_claims
        claims = await self.claims(*numbers)
        assert {claim.uid for claim in claims} == set(ledger)
        assert all(claim.status.allocation is not None for claim in claims)
        return logs

    async def wait_initial(self) -> None:
        """Waits until nothing is left of any claim: object, ledger, prepared devices, CDI file."""

        async def clean() -> str:
            if claims := [f"{claim.key} {claim.metadata.finalizers}" for claim in await self.claims()]:
                return f"claims left: {claims}"
            if files := [name for name in self.cdi_files() if name != COMMON_CDI_FILE]:
                return f"CDI files left: {files}"
            return await self.inspector.holds(self.node, check_initial)

        await self.inspector.wait("everything is as it was in the beginning", clean)

    async def offers(self) -> Mapping[str, Any]:
        """What the ResourceSlices say, by name."""
        if self.api is None:
            return {}
        return {each.key.name: each.spec.to_wire() for each in (await self.client.list(self.api.slices)).items}

    def cdi_files(self) -> Sequence[str]:
        """Names of the driver's CDI files on the first node."""
        folder = self.cluster.node_root() / "var/run/cdi"
        return sorted(path.name for path in folder.iterdir() if path.name.startswith(CDI_VENDOR))

    async def wait_event(self, about: NamespacedName, reason: str, pattern: str) -> str:
        """Waits for an event about an object; returns its message, in which the pattern was found."""

        async def found() -> str:
            for event in (await self.client.list(Event, about.namespace or None)).items:
                same = event.involved_object.name == about.name and event.reason == reason
                if same and re.search(pattern, event.message):
                    return event.message
            return ""

        return await self.cluster.wait_until(f"there is an event {reason} about {about} with {pattern!r}", found)

    # --- the driver ---

    async def wait_ready(self) -> None:
        """Waits until all of the driver is Ready."""
        await self.inspector.wait("the driver is Ready", lambda: self.inspector.driver_is_ready(self.cluster.nodes))

    async def part(self, container: str) -> Pod:
        """The pod of the driver that has this container and stays, once the container runs."""

        async def running() -> Pod | None:
            pods = (await self.client.list(Pod, NAMESPACE)).items
            found = [pod for pod in pods if pod.spec.containers[0].name == container and not pod.is_deleting]
            runs = len(found) == 1 and any(each.state.running for each in found[0].status.container_statuses)
            return found[0] if runs else None

        found: Pod | None = await self.cluster.wait_until(f"container {container} of the driver runs", running)
        assert found is not None
        return found

    async def kill(self, container: str) -> None:
        """Kills a part of the driver with SIGKILL, and has a new pod made, whose start is not held up by a backoff."""
        pod = await self.part(container)
        self.cluster.faults.send_signal(pod.key, container, signal.SIGKILL)
        if container == CONTROLLER:
            await self.end_lease()
        await self.client.delete(Pod, pod.key, uid=pod.uid, grace_period_seconds=0)

    async def end_lease(self) -> None:
        """Takes the lease of a dead controller away, so that the next one need not wait until it has run out."""
        with suppress(NotFoundError):  # it was killed before it led
            await self.client.delete(Lease, NamespacedName(NAMESPACE, NAMES.controller))

    @contextmanager
    def held(self, pod: Pod, container: str) -> Iterator[None]:
        """The container does nothing within the block, if it is still the same one at its end."""
        self.cluster.faults.send_signal(pod.key, container, signal.SIGSTOP)
        try:
            yield
        finally:
            for node in self.cluster.embedded_nodes():
                node.send_signal(pod.key, container, signal.SIGCONT)

    @contextmanager
    def failing(
        self,
        fault: Fault,
        agent: str,
        resource: str,
        subresource: str | None = "",
        *,
        verb: str = "patch",
        times: int = 0,
    ) -> Iterator[Caught]:
        """Within the block, requests about a resource by one program go wrong. Yields what tells of the first.

        Args:
            fault: how.
            agent: the program, as its User-Agent begins.
            resource: the plural.
            subresource: empty: the object itself; None: all.
            verb: of the requests.
            times: how often; 0: always.
        """
        hook = on(fault, verb=verb, resource=resource, subresource=subresource, times=times)
        caught = Caught(f"{verb} of {'/'.join(filter(None, (resource, subresource)))} by {agent}")

        def of_agent(target: Target, request: Request) -> Fault | None:
            found = hook(target, request) if request.header("user-agent").startswith(agent) else None
            if found is not None:
                caught.event.set()
            return found

        with self.cluster.server.faults.injected(of_agent):
            yield caught

    @asynccontextmanager
    async def undecided(self) -> AsyncIterator[None]:
        """No claim is allocated within the block."""
        if self.api is None:
            with self.held(await self.part(CONTROLLER), CONTROLLER):
                yield
            return
        scheduler = self.cluster._components[SCHEDULER]
        await scheduler.stop()
        try:
            yield
        finally:
            await scheduler.restart()  # and not start: within the block a test may have started it already

    @asynccontextmanager
    async def unreleased(self) -> AsyncIterator[None]:
        """No claim is deallocated within the block."""
        if self.api is None:
            with self.held(await self.part(CONTROLLER), CONTROLLER):
                yield
            return
        with self.failing(Fault.answer(409), CONTROLLER_MANAGER, "resourceclaims", "status", verb="update"):
            yield

    async def clean_up(self) -> None:
        """Takes away what a test has left, so that the next one finds the cluster as it was."""
        self.cluster.faults.heal()
        for namespace in (await self.client.list(Namespace)).items:
            if namespace.key.name.startswith("test") and not namespace.is_deleting:
                await self.client.delete(Namespace, namespace.key)
        await self.wait_gone(*range(1, 10))
        await self.wait_ready()
        await self.wait_initial()


def _manifests(api: ResourceApi | None, numbers: Sequence[int]) -> Sequence[Mapping[str, Any]]:
    """The objects of these demo manifests, in the version that the cluster speaks. Blocks."""
    folder = DEMO if api is None else DEMO / "v1"
    documents = read_documents(*(folder / f"fake-test{number}.yaml" for number in numbers))
    return [each.manifest if api is None else _in_version(each, api) for each in documents]


def _in_version(document: Document, api: ResourceApi) -> Mapping[str, Any]:
    """An object of resource.k8s.io/v1 in the version of the cluster; others as they are."""
    kinds: Mapping[str, tuple[type[KubeObject], type[KubeObject]]] = {
        "ResourceClaim": (v1.ResourceClaim, api.claims),
        "ResourceClaimTemplate": (v1.ResourceClaimTemplate, api.templates),
    }
    if document.api_version != "resource.k8s.io/v1":
        return document.manifest
    given, wanted = kinds[document.kind]
    return wanted.model_validate(given.from_wire(document.manifest).model_dump(exclude_unset=True)).to_wire()


@asynccontextmanager
async def running_world(
    kubernetes_version: str = "1.30",
    nodes: int = 1,
    plugin_on: int | None = None,
    *,
    share_processes: bool | None = None,
    restart_seconds: float = INITIAL_SECONDS,
) -> AsyncIterator[World]:
    """A cluster with the driver in it, Ready.

    Args:
        kubernetes_version: the release.
        nodes: how many.
        plugin_on: how many of them have a kubelet plugin, 1 or (None) all.
        share_processes: see ``Cluster``.
        restart_seconds: how long the first container waits that is started again.
    """
    names = tuple(f"fake-dra-driver-cluster-worker{number or ''}" for number in (0, *range(2, nodes + 1)))
    timing = Timing(resync_seconds=1, retry_seconds=0.2, restart_seconds=restart_seconds)
    version = RELEASES[kubernetes_version].structured_version
    api = RESOURCE_APIS[version] if version else None
    async with (
        Cluster(
            nodes=names,
            kubernetes_version=kubernetes_version,
            images=DRIVER_IMAGES,
            timing=timing,
            namespace_grace_seconds=0,
            share_processes=share_processes,
        ) as cluster,
        open_kubectl(cluster.kubeconfig, None) as kubectl,
    ):
        world = World(cluster, kubectl, api)
        only = {} if plugin_on is None else {"nodeSelector": {"kubernetes.io/hostname": world.node}}
        await cluster.apply(
            *await asyncio.to_thread(driver_manifests, cluster.kubernetes_version, {**VALUES, "kubeletPlugin": only})
        )
        await world.inspector.wait(
            "the driver is Ready", lambda: world.inspector.driver_is_ready(cluster.nodes[:plugin_on])
        )
        yield world
