"""Three static nodes beside the cluster's own, and a world of its own for each scenario."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from tests.e2e.client import Client
from tests.e2e.driver import CONTROLLER, Driver
from tests.e2e.objects import Namespace
from tests.scenarios.classic.static_nodes import StaticNode
from tests.scenarios.classic.world import World
from tests.scenarios.target import Target

LARGE = StaticNode("static-large", 8)
MIXED = StaticNode("static-mixed", 4, ("MODEL-A", "MODEL-B"))
SMALL = StaticNode("static-small", 2, ("MODEL-B",))


@pytest.fixture(scope="session")
def nodes(
    client: Client, driver: Driver, initial_specs: Mapping[str, Mapping[str, object]]
) -> Iterator[Mapping[str, StaticNode]]:
    """The static nodes ``large``, ``mixed`` and ``small``: 8, 4 and 2 devices. At the end, what was before is there."""
    static = {"large": LARGE, "mixed": MIXED, "small": SMALL}
    for node in static.values():
        node.delete(client)
        node.create(client)
    yield static
    for node in static.values():
        node.delete(client)
    driver.wait_initial(initial_specs)


def make_world(title: str, target: Target, *, killed: bool) -> Iterator[World]:
    """A fresh namespace, named after the scenario. Afterwards no claim may be in any ledger.

    Args:
        title: name of the test.
        target: the cluster.
        killed: whether the scenario kills something, so that the driver may log an error.
    """
    since = datetime.now(UTC)
    name = title.removeprefix("test_").replace("_", "-")
    world = World(target.client, target.driver, f"{name[:50].rstrip('-')}-{uuid.uuid4().hex[:5]}")
    world.create({"apiVersion": "v1", "kind": Namespace.resource.kind, "metadata": {"name": world.namespace}})
    yield world
    world.tear_down()
    target.driver.check_logs(since, killed=killed)
    if not killed:
        target.check_nothing_forbidden(since)


@pytest.fixture
def world(request: pytest.FixtureRequest, target: Target, nodes: Mapping[str, StaticNode]) -> Iterator[World]:
    """The scenario's own namespace."""
    yield from make_world(request.node.originalname, target, killed=False)


@pytest.fixture
def interrupted_world(
    request: pytest.FixtureRequest, target: Target, driver: Driver, nodes: Mapping[str, StaticNode]
) -> Iterator[World]:
    """The own namespace of a scenario that kills something. A controller that was killed gets a new pod."""
    yield from make_world(request.node.originalname, target, killed=True)
    if driver.controller().restarts:
        driver.replace(CONTROLLER)
