"""Kills while many claims are being allocated at once: every pod gets its node, and no device is given twice."""

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from tests.e2e.driver import CONTROLLER, Driver
from tests.scenarios.classic.manifests import claim_parameters, claim_template, pod
from tests.scenarios.classic.static_nodes import StaticNode
from tests.scenarios.classic.world import World
from tests.scenarios.target import Machine

Nodes = Mapping[str, StaticNode]
Interruption = Callable[[Machine, Driver], None]


def kill_controller(machine: Machine, driver: Driver) -> None:
    machine.kill(driver.controller(), CONTROLLER)


def restart_api_server(machine: Machine, driver: Driver) -> None:
    machine.restart("kube-apiserver")


def restart_etcd(machine: Machine, driver: Driver) -> None:
    machine.restart("etcd")


def restart_scheduler(machine: Machine, driver: Driver) -> None:
    machine.restart("kube-scheduler")


@pytest.mark.parametrize("interrupt", [kill_controller, restart_api_server, restart_etcd, restart_scheduler])
def test_interrupted_while_nodes_fill_up(
    machine: Machine, interrupted_world: World, driver: Driver, nodes: Nodes, interrupt: Interruption
) -> None:
    world = interrupted_world
    capacity = {node.name: node.count for node in nodes.values()}
    names = [f"pod{index:02}" for index in range(sum(capacity.values()))]
    world.create(claim_parameters("part", world.namespace, split=2), claim_template("one", world.namespace, "part"))
    world.create(*(pod(name, world.namespace, templates={"device": "one"}) for name in names))
    world.wait("first allocation", lambda: any(nas.spec.allocated_claims for nas in driver.nodes()))
    interrupt(machine, driver)
    assert Counter(world.wait_bound(*names, seconds=180).values()) == capacity


@pytest.mark.parametrize("interrupt", [kill_controller, restart_api_server])
def test_interrupted_while_nodes_get_empty(
    machine: Machine, interrupted_world: World, driver: Driver, nodes: Nodes, interrupt: Interruption
) -> None:
    """While some claims are being deallocated, pods that waited for their devices get them."""
    world = interrupted_world
    world.create(
        claim_parameters("half", world.namespace, count=4),
        claim_template("half", world.namespace, "half"),
        *(pod(name, world.namespace, templates={"device": "half"}) for name in ("first0", "first1", "first2")),
    )
    first = world.wait_bound("first0", "first1", "first2")
    world.create(*(pod(name, world.namespace, templates={"device": "half"}) for name in ("second0", "second1")))
    world.wait_message("Pod", "second0", "4 devices")
    for name in first:
        world.end_pod(name)
    interrupt(machine, driver)
    second = world.wait_bound("second0", "second1", seconds=180)
    assert set(second.values()) <= set(first.values())
    world.wait("only they hold devices", lambda: sum(len(nas.spec.allocated_claims) for nas in driver.nodes()) == 2)
    world.check()
