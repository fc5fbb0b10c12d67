"""Whether a node has room for a pod, in whatever order the news of both comes."""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.noderesources import NodeResources, Shortage
from fake_dra_driver.cluster.podresources import Requests, requests_of
from fake_dra_driver.runtime.store import Change

NODE = "node-a"
GIB = 1024**3


def node(**allocatable: str) -> Node:
    amounts = {name.replace("_", "-"): quantity for name, quantity in allocatable.items()}
    return Node.from_wire({"metadata": {"name": NODE}, "status": {"allocatable": amounts}})


def pod(name: str, on: str = "", phase: str = "Running", **requests: str) -> Pod:
    resources: Mapping[str, Any] = {"requests": {key.replace("_", "-"): each for key, each in requests.items()}}
    spec = {"nodeName": on, "containers": [{"name": "c", "resources": resources}]}
    metadata = {"name": name, "namespace": "default", "uid": name}
    return Pod.from_wire({"metadata": metadata, "spec": spec, "status": {"phase": phase}})


def wanted(**requests: str) -> Requests:
    return requests_of(pod("p", **requests).spec)


@pytest.fixture
def resources() -> NodeResources:
    made = NodeResources()
    made.on_node(Change(node().key, None, node(cpu="2", memory="4Gi", pods="3")))
    return made


def run(resources: NodeResources, name: str, on: str = NODE, **requests: str) -> None:
    each = pod(name, on, **requests)
    resources.on_pod(Change(each.key, None, each))


def end(resources: NodeResources, name: str, on: str = NODE, **requests: str) -> None:
    each = pod(name, on, **requests)
    resources.on_pod(Change(each.key, each, pod(name, on, "Succeeded", **requests)))


def missing(resources: NodeResources, **requests: str) -> list[str]:
    return [each.resource for each in resources.shortages(NODE, wanted(**requests))]


def test_what_pods_ask_for_is_not_there_for_others(resources: NodeResources) -> None:
    run(resources, "one", cpu="1500m", memory="1Gi")
    assert missing(resources, cpu="500m", memory="3Gi") == []
    assert resources.shortages(NODE, wanted(cpu="501m")) == [Shortage("cpu", 501, 1500, 2000)]
    end(resources, "one", cpu="1500m", memory="1Gi")
    assert missing(resources, cpu="2", memory="4Gi") == []


def test_all_that_is_short_is_said_in_the_order_of_kube_scheduler(resources: NodeResources) -> None:
    for name in ("one", "two", "three"):
        run(resources, name)
    wants = {"zzz": "1", "ephemeral_storage": "1", "memory": "5Gi", "cpu": "3", "abc": "1"}
    assert missing(resources, **wants) == ["pods", "cpu", "memory", "ephemeral-storage", "abc", "zzz"]


def test_a_node_that_says_nothing_takes_no_pod() -> None:
    assert NodeResources().shortages(NODE, wanted()) == [Shortage("pods", 1, 0, 0)]


def test_others_that_end_do_not_help_where_the_node_is_too_small(resources: NodeResources) -> None:
    run(resources, "one", cpu="1")
    assert [each.is_resolvable for each in resources.shortages(NODE, wanted(cpu="2"))] == [True]
    assert [each.is_resolvable for each in resources.shortages(NODE, wanted(cpu="3"))] == [False]
    assert Shortage("pods", 1, 3, 3).is_resolvable


def test_what_devices_stand_for_is_not_missed_where_the_node_has_none_of_it(resources: NodeResources) -> None:
    asked = wanted(gpu="1")
    assert [each.resource for each in resources.shortages(NODE, asked)] == ["gpu"]
    assert resources.shortages(NODE, asked, from_devices={"gpu"}) == []
    resources.on_node(Change(node().key, None, node(pods="3", gpu="1")))
    run(resources, "one", gpu="1")
    assert [each.resource for each in resources.shortages(NODE, asked, from_devices={"gpu"})] == ["gpu"]


def test_a_pod_counts_once_from_the_decision_on(resources: NodeResources) -> None:
    resources.assume(UID("one"), NODE, wanted(cpu="1"))
    assert missing(resources, cpu="1500m") == ["cpu"]
    run(resources, "one", cpu="1")
    assert missing(resources, cpu="1") == []
    resources.release(UID("one"))  # too late: it is bound
    assert missing(resources, cpu="1500m") == ["cpu"]
    end(resources, "one", cpu="1")
    assert missing(resources, cpu="2") == []


def test_a_pod_counts_where_it_was_bound_and_not_where_it_was_meant_to_go(resources: NodeResources) -> None:
    resources.assume(UID("one"), NODE, wanted(cpu="2"))
    run(resources, "one", on="node-b", cpu="2")
    assert missing(resources, cpu="2") == []


def test_who_asks_is_told_of_each_node_that_a_pod_has_left(resources: NodeResources) -> None:
    told: list[str] = []
    resources.subscribe(told.append)
    resources.assume(UID("one"), NODE, wanted())
    run(resources, "one")
    assert told == []
    end(resources, "one")
    resources.assume(UID("two"), "node-b", wanted())
    resources.release(UID("two"))
    assert told == [NODE, "node-b"]
    assert resources.releases == 2


def test_a_node_that_grows_has_room(resources: NodeResources) -> None:
    run(resources, "one", cpu="2")
    small, big = node(cpu="2", pods="3"), node(cpu="4", pods="3")
    resources.on_node(Change(small.key, small, big))
    assert missing(resources, cpu="2") == []
    resources.on_node(Change(small.key, big, None))
    assert missing(resources) == ["pods"]


def test_the_emptier_node_has_the_better_score(resources: NodeResources) -> None:
    assert resources.score(NODE, wanted(cpu="1", memory="1Gi")) == (50 + 75) // 2
    run(resources, "one", cpu="1", memory=str(GIB))
    assert resources.score(NODE, wanted(cpu="1", memory="3Gi")) == 0
    assert resources.score(NODE) == (50 + 75) // 2
    assert NodeResources().score(NODE) == 0


def test_nothing_is_kept_of_nodes_that_are_gone() -> None:
    resources = NodeResources()
    run(resources, "one", cpu="1")
    resources.on_node(Change(node().key, None, node(cpu="2", pods="3")))
    resources.on_node(Change(node().key, node(cpu="2", pods="3"), None))
    assert missing(resources, cpu="1") == ["pods", "cpu"]
    end(resources, "one", cpu="1")
    assert missing(resources, cpu="1") == ["pods", "cpu"]
    assert resources.score(NODE) == 0
    assert resources.known_nodes == frozenset()
