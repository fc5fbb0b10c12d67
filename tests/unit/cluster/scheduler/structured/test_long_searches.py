"""What a cycle costs at most, and that it lets others run."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count

import pytest

from fake_dra_driver.allocation import Allocation, Allocator, Budget, Refusal
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1 import DeviceClass, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.cluster.scheduler.structured.decision import Decision, NoFit, cycle
from fake_dra_driver.cluster.scheduler.structured.features import Features
from fake_dra_driver.runtime.store import Change
from tests.unit.allocation.gpus import Json, claim, device_class, request, slice_of

NODES = 100
SLOW = "lists.range(100).all(a, lists.range(50).all(b, a + b >= 0)) && false"


class Cluster:
    """Nodes with eight devices, no two of which are equal."""

    def __init__(self, version: str) -> None:
        self.release = RELEASES[version]
        status = {"allocatable": {"pods": "110"}}
        self.nodes: Sequence[Node] = [
            Node.from_wire({"metadata": {"name": f"n{at}"}, "status": status}) for at in range(NODES)
        ]
        self.resources = NodeResources()
        self.helpful_changes = 0
        self.spent = 0
        numbers = count()
        self._allocator = Allocator(self.release.behaviour, new_share_id=lambda: str(next(numbers)))
        self._allocator.put_class(device_class())
        for node in self.nodes:
            name = node.metadata.name
            self.resources.on_node(Change(node.key, None, node))
            devices: list[Json] = [
                {"name": f"gpu-{at}", "attributes": {"uuid": {"string": f"{name}-{at}"}}} for at in range(8)
            ]
            self._allocator.put_slice(slice_of(*devices, pool=name))

    def load(self, node: str) -> int:
        return 0

    def has_class(self, name: str) -> bool:
        return True

    def class_for(self, resource: str) -> DeviceClass | None:
        return None

    def extended_claim(self, pod: UID) -> ResourceClaim | None:
        return None

    def is_in_flight(self, claim: UID) -> bool:
        return False

    def allocate(self, claims: Sequence[ResourceClaim], node: Node, budget: Budget) -> Allocation | Refusal:
        before = budget.steps
        try:
            return self._allocator.allocate(claims, node, budget=budget)
        finally:
            self.spent += before - budget.steps

    def known_refusal(self, asked: str) -> NoFit | None:
        return None

    def remember_refusal(self, asked: str, refusal: NoFit, *, as_of: int) -> None:
        assert "timed out" not in refusal.message

    def steps(self, *wanted: ResourceClaim, max_steps: int = 10**6) -> Iterator[Decision | None]:
        """A cycle: None between nodes, and the decision in the end."""
        pod = Pod.from_wire({"metadata": {"name": "p", "namespace": "default"}, "spec": {}})
        decision = yield from cycle(
            pod, wanted, self, Features.of(self.release), datetime.now(UTC), max_steps=max_steps
        )
        yield decision


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_no_more_is_looked_at_than_a_cycle_may_cost(version: str) -> None:
    cluster = Cluster(version)
    *_, decision = cluster.steps(claim(request("r", SLOW)), max_steps=10_000)
    assert isinstance(decision, NoFit)
    assert "timed out trying to allocate devices" in decision.message
    assert cluster.spent == 10_000


def test_others_may_run_between_two_nodes() -> None:
    *between, decision = Cluster("1.37").steps(claim(request("r", "false")))
    assert (between, isinstance(decision, NoFit)) == ([None] * NODES, True)


@pytest.mark.parametrize("requests", [9, 17])
def test_more_requests_than_a_node_has_devices_are_refused_everywhere_soon(requests: int) -> None:
    cluster = Cluster("1.37")
    *_, decision = cluster.steps(claim(*(request(f"r{at}") for at in range(requests))))
    assert isinstance(decision, NoFit)
    assert decision.message.startswith(f"0/{NODES} nodes are available: {NODES} cannot allocate all claims. ")
    assert cluster.spent < NODES * 1_000
