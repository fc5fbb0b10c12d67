"""Pods that come and go, with more claims among them than the cards of two nodes can meet at a time.

What is never true, whatever happens meanwhile: that claims hold more LUTs of a card than it has, or a whole card twice,
in the ledger of classic DRA or in the hardware. What becomes true: each pod gets its turn, and nothing is left.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

import fake_dra_driver
from demo.drivers.fpga.fpga import Card, FpgaConfig
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim
from fake_dra_driver.cluster.testing.claims import pod_manifest
from fake_dra_driver.cluster.testing.pods import make_claim
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.quantity import number_of
from fake_dra_driver.runtime.cache import Cache, Change
from tests.integration.drivers.world import driver_cluster

__all__ = ["NODES", "Traffic", "Wish", "traffic_in"]

DRIVER = "fpga.example.com"
NAMES = DriverNames.of(DRIVER)
NODES = ("node-a", "node-b")
CARDS = {
    "card0": Card(family="agilex", luts=100_000),
    "card1": Card(family="versal", luts=200_000),
    "card2": Card(family="versal", luts=200_000),
}
"""Of each node."""
FOLDER = "var/lib/fpga"
WRITES = ("create", "update", "patch", "delete")
NAMESPACE = "fpga-driver"
CLASSIC = "1.30"
AGENTS = {"controller": NAMES.controller, "plugin": NAMES.kubelet_plugin}
"""How programs call themselves to the API server."""
RESOURCES = ("nodeallocationstates", "podschedulingcontexts", "resourceclaims", "resourceslices")
DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the claim of a pod asks for."""

    family: str
    luts: int = 0
    """Of one card that is shared; 0: whole cards."""
    count: int = 1

    def claim(self, release: str) -> Claim:
        """Of this release of Kubernetes."""
        if release == CLASSIC:
            config = FpgaConfig.model_validate({"family": self.family, **({"luts": self.luts} if self.luts else {})})
            return Claim(DRIVER, config, count=self.count)
        selector = f'device.attributes["{DRIVER}"].family == "{self.family}"'
        capacity = {"luts": str(self.luts)} if self.luts else {}
        return Claim(DRIVER, selectors=[selector], count=self.count, capacity=capacity)


class Traffic:
    """Pods on a cluster with the driver, and what may not become of them."""

    def __init__(self, cluster: BackgroundCluster) -> None:
        self.cluster = cluster
        self.release = cluster.cluster.kubernetes_version
        self._ledgers: list[Mapping[str, Any]] = []
        # Each version of each that was seen, of classic DRA.
        self._started = 0

    # --- pods ---

    def start(self, wish: Wish) -> str:
        """Creates a pod with such a claim, which lives until it is deleted. Returns its name."""
        self._started += 1
        name = f"pod-{self._started}"

        async def create(cluster: Cluster) -> None:
            await make_claim(cluster, wish.claim(self.release), name, "default", is_template=True)
            uses = {"cards": {"resourceClaimTemplateName": name}}
            pod = pod_manifest(cluster.release, name, "default", ("sleep", "86400"), uses, node="")
            # A node that is switched off and on runs it again.
            await cluster.apply({**pod, "spec": {**pod["spec"], "restartPolicy": "Always"}})

        self.cluster.call(create)
        return name

    def end(self, name: str) -> None:
        """Deletes a pod, and does not wait for its end."""
        self.cluster.delete({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}})

    def come_and_go(self, wishes: Sequence[Wish], happen: Callable[[], None] = lambda: None) -> None:
        """Starts all pods at once, and ends each that runs, until each has had its turn and all is as it was.

        Args:
            wishes: one for each pod.
            happen: is called whenever a pod has got its devices, before it goes.
        """
        waiting = {self.start(wish) for wish in wishes}
        while waiting:
            for name in self._wait_for_turn(waiting):
                happen()
                self.end(name)
                waiting.remove(name)
        self.wait_until_empty()

    def _wait_for_turn(self, waiting: set[str]) -> Sequence[str]:
        async def running(cluster: Cluster) -> Sequence[str]:
            pods = {pod.metadata.name: pod for pod in (await cluster.client.list(Pod, "default")).items}
            ready = {name: pods[name].condition("Ready") for name in waiting}
            return sorted(name for name, is_so in ready.items() if is_so is not None and is_so.status == "True")

        return self.cluster.wait_until(f"one of {sorted(waiting)} has its devices", running, DEADLINE_SECONDS)

    def wait_until_empty(self) -> None:
        """Waits until no claim holds any device, in the cluster and in the hardware, and checks what was on the way."""

        async def are_all_gone(cluster: Cluster) -> bool:
            claims = await cluster.client.list(cluster.kind("resourceclaims"), "default")
            states = [state.to_wire()["spec"] for state in (await cluster.client.list(self._ledger(cluster))).items]
            held = [spec.get(field) for spec in states for field in ("allocatedClaims", "preparedDevices")]
            return not (claims.items or any(held) or self.regions())

        self.cluster.wait_until("all devices are free", are_all_gone, DEADLINE_SECONDS)
        breaches = self.breaches()
        assert not breaches, breaches
        full = [found for ledger in self._ledgers for found in overfull(ledger)]
        assert not full, full

    # --- hardware ---

    def folder(self, node: str) -> Path:
        """Where the cards of a node are."""
        return self.cluster.cluster.node_root(node) / FOLDER

    def wait_for_devices(self, node: str, count: int) -> None:
        """Waits until the driver has seen that the node has so many cards."""

        async def has_seen(cluster: Cluster) -> bool:
            key = NamespacedName(NAMESPACE, node)
            state = (await cluster.client.get(self._ledger(cluster), key)).to_wire()
            return len(state["spec"]["allocatableDevices"]) == count

        self.cluster.wait_until(f"{node} has {count} cards", has_seen)

    def regions(self) -> list[str]:
        """What is loaded into any card."""
        return sorted(path.name for node in NODES for path in self.folder(node).glob("regions/*/*"))

    def breaches(self) -> list[str]:
        """What the hardware has seen that may not be."""
        return sorted(path.read_text() for node in NODES for path in self.folder(node).glob("breaches/*"))

    # --- the ledger of classic DRA ---

    def _ledger(self, cluster: Cluster) -> type[KubeObject]:
        return cluster.kind(f"nodeallocationstates.nas.{DRIVER}")

    @contextmanager
    def audited(self) -> Iterator[None]:
        """Within the block, each version of each ledger is kept, for ``wait_until_empty``."""
        watching = self.cluster.call(self._watch)
        yield
        assert any(ledger["spec"].get("allocatedClaims") for ledger in self._ledgers)

        async def end(_: Cluster) -> None:
            watching.cancel()
            await asyncio.wait([watching])

        self.cluster.call(end)

    async def _watch(self, cluster: Cluster) -> "asyncio.Task[None]":
        cache = Cache(cluster.client)

        def look(change: Change[KubeObject]) -> None:
            if change.new is not None:
                self._ledgers.append(change.new.to_wire())

        cache.informer(self._ledger(cluster)).subscribe(look)
        return asyncio.create_task(cache.run(), name="audit")

    # --- kills ---

    @contextmanager
    def killed_at_writes(self, program: str, gaps: Iterable[int]) -> Iterator[list[str]]:
        """Kills the processes of a program at some of the writes that they make within the block.

        Args:
            program: ``controller`` or ``plugin``, as its containers are called.
            gaps: after how many more writes they are killed again: before the first such write takes place, after the
                second, and so on.

        Yields:
            The writes at which they were killed, as they come.
        """
        struck: list[str] = []
        waiting = iter(gaps)
        left = next(waiting)
        agent = AGENTS[program]

        def hook(target: Target, request: Request) -> Fault | None:
            nonlocal left
            is_theirs = request.header("user-agent").startswith(f"{agent}/")
            if not is_theirs or target.verb not in WRITES or target.resource.plural not in RESOURCES:
                return None
            left -= 1
            if left != 0:
                return None
            left = next(waiting, 0)
            struck.append(f"{target.verb} {target.resource.plural} {target.subresource}".strip())
            _kill(self.cluster.cluster, program)
            return Fault.reset(after=len(struck) % 2 == 0)

        with self.cluster.cluster.server.faults.injected(hook):
            yield struck

    def kill(self, program: str) -> None:
        """Kills all processes of a program: ``controller`` or ``plugin``."""

        async def kill(cluster: Cluster) -> None:
            _kill(cluster, program)

        self.cluster.call(kill)


def overfull(state: Mapping[str, Any]) -> list[str]:
    """The cards of a node whose claims have more of them than they can bear."""
    entries = [entry for claim in state["spec"].get("allocatedClaims", {}).values() for entry in claim["devices"]]
    found = []
    for name, card in CARDS.items():
        parts = [entry for entry in entries if entry["name"] == name]
        if card.family == "versal":
            is_overfull = len(parts) > 1
        else:
            is_overfull = sum(number_of(part["capacity"]["luts"]) for part in parts) > card.luts
        if is_overfull:
            found.append(f"{state['metadata']['name']} at {state['metadata']['resourceVersion']}: {parts}")
    return found


def _kill(cluster: Cluster, program: str) -> None:
    for pod, container in cluster.faults.running_containers():
        if container == program and pod.namespace == NAMESPACE:
            cluster.faults.send_signal(pod, container)


@contextmanager
def traffic_in(release: str) -> Iterator[Traffic]:
    """A cluster with cards on two nodes, and two controllers that both work, without a lease between them."""

    def furnish(cluster: BackgroundCluster) -> None:
        for node in NODES:
            folder = cluster.cluster.node_root(node) / FOLDER
            folder.mkdir(parents=True)
            for name, card in CARDS.items():
                (folder / f"{name}.json").write_text(card.model_dump_json())

    # The chart has no more than one controller without leader election; flags are not looked at.
    values = {"controller": {"replicas": 2, "args": ["--leader-elect=false"]}}
    program = "tests.integration.drivers.watchedfpga"
    # The cluster's own logs take longer than its work.
    logger.disable(fake_dra_driver.__name__)
    try:
        with driver_cluster("fpga", release, nodes=NODES, values=values, program=program, furnish=furnish) as cluster:
            traffic = Traffic(cluster)
            with traffic.audited() if release == CLASSIC else nullcontext():
                yield traffic
    finally:
        logger.enable(fake_dra_driver.__name__)
