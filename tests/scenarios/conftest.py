"""Three static nodes beside the cluster's own, and a world of its own for each scenario."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from tests.e2e.driver import CONTROLLER, DRIVER_NAMESPACE, Driver
from tests.e2e.fixtures import demo, driver, initial_specs, kubectl, local_cluster, pytest_runtest_makereport
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster
from tests.scenarios.static_nodes import StaticNode
from tests.scenarios.world import World

__all__ = ["demo", "driver", "initial_specs", "kubectl", "local_cluster", "pytest_runtest_makereport"]

LARGE = StaticNode("static-large", 8)
MIXED = StaticNode("static-mixed", 4, ("MODEL-A", "MODEL-B"))
SMALL = StaticNode("static-small", 2, ("MODEL-B",))


@pytest.fixture(scope="session")
def nodes(
    kubectl: Kubectl, driver: Driver, initial_specs: Mapping[str, Mapping[str, object]]
) -> Iterator[Mapping[str, StaticNode]]:
    """The static nodes ``large``, ``mixed`` and ``small``: 8, 4 and 2 devices. At the end, what was before is there."""
    static = {"large": LARGE, "mixed": MIXED, "small": SMALL}
    for node in static.values():
        node.delete(kubectl)
        node.create(kubectl)
    yield static
    for node in static.values():
        node.delete(kubectl)
    driver.wait_initial(initial_specs)


def make_world(title: str, kubectl: Kubectl, driver: Driver, *, killed: bool) -> Iterator[World]:
    """A fresh namespace, named after the scenario. Afterwards no claim may be in any ledger.

    Args:
        killed: whether the scenario kills something, so that the driver may log an error.
    """
    since = datetime.now(UTC)
    name = title.removeprefix("test_").replace("_", "-")
    world = World(kubectl, driver, f"{name[:50].rstrip('-')}-{uuid.uuid4().hex[:5]}")
    kubectl("create", "namespace", world.namespace)
    yield world
    world.tear_down()
    driver.check_logs(since, killed=killed)
    if not killed and (cluster := LocalCluster.from_environment()) is not None:
        cluster.check_nothing_forbidden(DRIVER_NAMESPACE, since)


@pytest.fixture
def world(
    request: pytest.FixtureRequest, kubectl: Kubectl, driver: Driver, nodes: Mapping[str, StaticNode]
) -> Iterator[World]:
    """The scenario's own namespace."""
    yield from make_world(request.node.originalname, kubectl, driver, killed=False)


@pytest.fixture
def interrupted_world(
    request: pytest.FixtureRequest, kubectl: Kubectl, driver: Driver, nodes: Mapping[str, StaticNode]
) -> Iterator[World]:
    """As ``world``, for a scenario that kills something. The controller's pod is made anew if it was killed."""
    yield from make_world(request.node.originalname, kubectl, driver, killed=True)
    if driver.controller().restarts:
        driver.replace(CONTROLLER)
