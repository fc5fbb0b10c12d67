"""The cluster that a scenario runs on: of classic or of structured DRA, as its folder says."""

import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.client import Client
from tests.e2e.driver import Driver
from tests.e2e.fixtures import initial_specs
from tests.e2e.kubectl import Kubectl, KubectlError
from tests.e2e.local import LOCAL_CLUSTER_VARIABLE
from tests.e2e.protocol import find_protocol
from tests.scenarios.target import Machine, Target, embedded_target, kubeconfig_target
from tests.support.leftout import leave_out

__all__ = ["initial_specs"]

TARGET_VARIABLE: Final = "FAKE_DRA_SCENARIOS_ON"
"""``kubeconfig`` or, by default, ``embedded``: the cluster that the scenarios run on."""
_RELEASES: Final = {"classic": "1.30", "structured": "1.37"}
"""Of the embedded cluster, by protocol."""
_FOLDER: Final = Path(__file__).parent
_TARGET = pytest.StashKey[Target]()


def _protocol_of(path: Path) -> str:
    """Which protocol a test is about: the name of its folder."""
    return path.relative_to(_FOLDER).parts[0]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks each scenario: with ``--sample`` a seventh of them runs, in the embedded cluster a third: it costs less.

    Those of another mark are left with it.
    """
    if item.get_closest_marker("sampled") is None:
        is_real = os.environ.get(TARGET_VARIABLE) == "kubeconfig"
        item.add_marker(pytest.mark.sampled("scenarios", one_in=7 if is_real else 5))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives each scenario the cluster of its protocol. Pytest keeps a cluster until a test needs the other."""
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", [_protocol_of(metafunc.definition.path)], indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the scenarios of the other protocol. Without a cluster all are collected, and fail."""
    if os.environ.get(TARGET_VARIABLE) != "kubeconfig":
        return
    try:
        protocol = find_protocol(Kubectl())
    except (AssertionError, KubectlError, OSError, subprocess.TimeoutExpired):
        return
    other = "structured" if protocol.structured is None else "classic"
    unwanted = [item for item in items if item.path.is_relative_to(_FOLDER) and _protocol_of(item.path) == other]
    leave_out(config, items, unwanted, f"THE CLUSTER DOES NOT SPEAK {other.upper()} DRA.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the cluster when a test has failed."""
    report = yield
    if report.failed and (target := item.config.stash.get(_TARGET, None)) is not None:
        target.show(report)
    return report


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Target]:
    """The cluster that the scenarios run on."""
    make = {"embedded": embedded_target, "kubeconfig": kubeconfig_target}[os.environ.get(TARGET_VARIABLE, "embedded")]
    with make(_RELEASES[request.param]) as target:
        pytestconfig.stash[_TARGET] = target
        yield target
        del pytestconfig.stash[_TARGET]


@pytest.fixture(scope="session")
def client(target: Target) -> Client:
    """The way to the cluster."""
    return target.client


@pytest.fixture(scope="session")
def driver(target: Target) -> Driver:
    """The installed driver, Ready."""
    target.driver.wait_ready()
    return target.driver


@pytest.fixture(scope="session")
def machine(target: Target) -> Machine:
    """Where processes can be killed; without one the test is skipped."""
    if target.machine is None:
        pytest.skip(f"needs a cluster whose node is this machine: {LOCAL_CLUSTER_VARIABLE}")
    return target.machine
