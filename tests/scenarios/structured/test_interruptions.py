"""Kills while many claims are being allocated at once: every pod gets its node, and no device is given twice."""

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from tests.e2e.driver import PLUGIN, Driver
from tests.scenarios.structured.manifests import claim_template, pod, request
from tests.scenarios.structured.static_nodes import StaticNode
from tests.scenarios.structured.world import World
from tests.scenarios.target import Machine

Nodes = Mapping[str, StaticNode]
Interruption = Callable[[Machine, Driver], None]


def restart_api_server(machine: Machine, driver: Driver) -> None:
    machine.restart("kube-apiserver")


def restart_scheduler(machine: Machine, driver: Driver) -> None:
    machine.restart("kube-scheduler")


def restart_kubelet(machine: Machine, driver: Driver) -> None:
    machine.restart("kubelet")


def kill_plugin(machine: Machine, driver: Driver) -> None:
    machine.kill(driver.plugin(), PLUGIN)


@pytest.mark.parametrize("interrupt", [restart_api_server, restart_scheduler])
def test_interrupted_while_nodes_fill_up(
    machine: Machine, interrupted_world: World, driver: Driver, nodes: Nodes, interrupt: Interruption
) -> None:
    world = interrupted_world
    capacity = {node.name: node.count for node in nodes.values()}
    names = [f"pod{index:02}" for index in range(sum(capacity.values()))]
    world.create(claim_template("one", world.namespace))
    world.create(*(pod(name, world.namespace, templates={"device": "one"}) for name in names))
    world.wait("first allocation", lambda: any(each.status.allocation for each in world.claims().values()))
    interrupt(machine, driver)
    assert Counter(world.wait_bound(*names, seconds=180).values()) == capacity


@pytest.mark.parametrize("interrupt", [restart_api_server, restart_scheduler])
def test_interrupted_while_nodes_get_empty(
    machine: Machine, interrupted_world: World, driver: Driver, nodes: Nodes, interrupt: Interruption
) -> None:
    """While claims are being released, a pod that waited for their devices gets them."""
    world = interrupted_world
    world.create(
        claim_template("four", world.namespace, request(count=4)),
        *(pod(name, world.namespace, templates={"device": "four"}) for name in ("first0", "first1", "first2")),
    )
    first = world.wait_bound("first0", "first1", "first2")
    world.create(*(pod(name, world.namespace, templates={"device": "four"}) for name in ("second0", "second1")))
    world.wait_refused("second0", "3 cannot allocate all claims")
    for name in first:
        world.end_pod(name)
    interrupt(machine, driver)
    second = world.wait_bound("second0", "second1", seconds=180)
    assert set(second.values()) <= set(first.values())
    world.check()


@pytest.mark.parametrize("interrupt", [restart_api_server, restart_kubelet, kill_plugin])
def test_interrupted_while_pods_start(
    machine: Machine, interrupted_world: World, driver: Driver, nodes: Nodes, interrupt: Interruption
) -> None:
    """On the cluster's own node: all of them run in the end, each with a device that no other has."""
    world = interrupted_world
    names = [f"pod{index}" for index in range(4)]
    world.create(claim_template("one", world.namespace))
    world.create(*(pod(name, world.namespace, templates={"device": "one"}, pool=None) for name in names))
    world.wait("first claim prepared", lambda: bool(driver.prepared_claims()))
    interrupt(machine, driver)
    world.wait("all run", lambda: all(world.pods()[name].is_ready for name in names), seconds=180)
    world.check()
