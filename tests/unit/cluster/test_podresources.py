"""What a pod asks of its node, as PodRequests of Kubernetes reckons it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fake_dra_driver.cluster.kinds import Node, PodSpec
from fake_dra_driver.cluster.podresources import allocatable_of, requests_of

MI = 1024 * 1024
SIDECAR: Mapping[str, Any] = {"restartPolicy": "Always"}


def container(requests: Mapping[str, str] | None = None, **fields: Any) -> Any:
    return {"name": "c", "resources": {"requests": dict(requests or {})}, **fields}


def asked(containers: Sequence[Any], init: Sequence[Any] = (), **fields: Any) -> Mapping[str, int]:
    return dict(
        requests_of(PodSpec.model_validate({"containers": containers, "initContainers": init, **fields})).amounts
    )


def test_containers_run_side_by_side() -> None:
    assert asked([container({"cpu": "250m", "memory": "64Mi"}), container({"cpu": "1"})]) == {
        "cpu": 1250,
        "memory": 64 * MI,
    }


def test_an_init_container_needs_its_own_before_the_others_start() -> None:
    init = [container({"cpu": "2", "memory": "1Mi"}), container({"cpu": "1"})]
    assert asked([container({"cpu": "1", "memory": "3Mi"})], init) == {"cpu": 2000, "memory": 3 * MI}


def test_a_sidecar_counts_beside_what_comes_after_it_alone() -> None:
    init = [container({"cpu": "3"}), container({"cpu": "1"}, **SIDECAR), container({"cpu": "4"})]
    assert asked([container({"cpu": "2"})], init) == {"cpu": 5000}
    assert asked([container({"cpu": "5"})], init) == {"cpu": 6000}
    assert asked([container()], [container({"cpu": "2"}, **SIDECAR), container({"cpu": "1"}, **SIDECAR)]) == {
        "cpu": 3000
    }


def test_overhead_comes_on_top() -> None:
    assert asked([container({"cpu": "1"})], overhead={"cpu": "10m", "memory": "1Mi"}) == {"cpu": 1010, "memory": MI}


def test_what_the_pod_asks_for_as_a_whole_takes_the_place_of_its_containers() -> None:
    whole = {"requests": {"cpu": "3", "hugepages-2Mi": "4Mi", "example.com/gpu": "1"}}
    assert asked([container({"cpu": "1", "memory": "1Mi"})], resources=whole, overhead={"cpu": "1"}) == {
        "cpu": 4000,
        "memory": MI,
        "hugepages-2Mi": 4 * MI,
    }


@pytest.mark.parametrize(
    ("resource", "quantity", "amount"),
    [
        ("cpu", "0.0001", 1),
        ("cpu", "1500u", 2),
        ("memory", "1500m", 2),
        ("memory", "1e3", 1000),
        ("example.com/x", "2", 2),
    ],
)
def test_amounts_are_rounded_up(resource: str, quantity: str, amount: int) -> None:
    assert asked([container({resource: quantity})]) == {resource: amount}


def test_what_is_nothing_is_left_out() -> None:
    assert asked([container({"cpu": "0"})]) == {}


def test_in_a_score_a_container_counts_though_it_asks_for_nothing() -> None:
    spec = PodSpec.model_validate({"containers": [container(), container({"cpu": "1"}), container({"memory": "0"})]})
    assert requests_of(spec).scored == (100 + 1000 + 100, 2 * 200 * MI)


def test_what_a_node_has() -> None:
    node = Node.from_wire({"status": {"allocatable": {"cpu": "1500m", "memory": "1Ki", "pods": "110"}}})
    assert allocatable_of(node) == {"cpu": 1500, "memory": 1024, "pods": 110}
