"""Gives these tests the fixtures of a cluster, the report of a failed one, and leaves out what the cluster has not."""

import subprocess

import pytest

from tests.e2e.fixtures import (
    demo,
    driver,
    initial_specs,
    kubectl,
    local_cluster,
    pytest_runtest_makereport,
    started,
)
from tests.e2e.kubectl import Kubectl, KubectlError
from tests.e2e.protocol import find_protocol
from tests.support.leftout import leave_out

__all__ = ["demo", "driver", "initial_specs", "kubectl", "local_cluster", "pytest_runtest_makereport", "started"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out tests of the protocol of DRA that the cluster does not speak. Without a cluster all of them fail."""
    try:
        protocol = find_protocol(Kubectl())
    except (AssertionError, KubectlError, OSError, subprocess.TimeoutExpired):
        return
    other = "structured" if protocol.structured is None else "classic"
    unwanted = [item for item in items if item.get_closest_marker(other)]
    leave_out(config, items, unwanted, f"THE CLUSTER DOES NOT SPEAK {other.upper()} DRA.")
