"""How many pods a node has, in whatever order the news of them comes."""

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.scheduler.classic.selectednodes import note_selected_node
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.runtime.store import Change

POD = UID("u")


@pytest.fixture
def load() -> Load:
    return Load()


def pod(node: str = "", phase: str = "Pending") -> Pod:
    metadata = {"name": "p", "namespace": "default", "uid": POD}
    return Pod.from_wire({"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase}})


def context(node: str = "") -> PodSchedulingContext:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": POD, "controller": True}
    metadata = {"name": "p", "namespace": "default", "uid": "c", "ownerReferences": [owner]}
    return PodSchedulingContext.from_wire({"metadata": metadata, "spec": {"selectedNode": node}})


def test_a_pod_that_finishes_is_no_load_any_more(load: Load) -> None:
    load.on_pod(Change(pod().key, None, pod("node-a", "Running")))
    assert load.of("node-a") == 1
    load.on_pod(Change(pod().key, pod("node-a", "Running"), pod("node-a", "Succeeded")))
    assert load.of("node-a") == 0


def test_a_pod_whose_binding_was_accepted_counts_though_its_context_goes_first(load: Load) -> None:
    note_selected_node(load, Change(pod().key, None, context("node-a")))
    load.assume(POD)
    note_selected_node(load, Change(pod().key, context("node-a"), None))
    assert (load.of("node-a"), load.is_assumed(POD)) == (1, True)
    load.on_pod(Change(pod().key, pod(), pod("node-a")))
    assert (load.of("node-a"), load.is_assumed(POD)) == (1, False)


def test_a_pod_counts_where_it_was_bound_and_not_where_it_was_meant_to_go(load: Load) -> None:
    load.choose(POD, "node-a")
    load.on_pod(Change(pod().key, pod(), pod("node-b")))
    note_selected_node(load, Change(pod().key, None, context("node-a")))
    assert (load.of("node-a"), load.of("node-b")) == (0, 1)


def test_a_node_that_is_not_selected_any_more_is_free(load: Load) -> None:
    note_selected_node(load, Change(pod().key, None, context("node-a")))
    note_selected_node(load, Change(pod().key, context("node-a"), context()))
    assert load.of("node-a") == 0
