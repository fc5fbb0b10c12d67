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
from tests.e2e.protocol import find_protocol, find_release
from tests.support.leftout import leave_out

__all__ = ["demo", "driver", "initial_specs", "kubectl", "local_cluster", "pytest_runtest_makereport", "started"]


def pytest_configure(config: pytest.Config) -> None:
    """Declares a mark."""
    config.addinivalue_line(
        "markers",
        "needs(gate, minor, only): needs this feature gate, or this minor release of Kubernetes, only with this DRA",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out tests of what the cluster has not, and begins with the walk.

    The walk looks at pods as they were installed; when another test has killed a kubelet, they are Ready for a second
    time. Without a cluster all are collected, and fail.
    """
    items.sort(key=lambda item: item.path.name != "test_quickstart.py")
    kubectl = Kubectl()
    try:
        protocol, release = find_protocol(kubectl), find_release(kubectl)
    except (AssertionError, KubectlError, OSError, subprocess.TimeoutExpired):
        return
    other = "structured" if protocol.structured is None else "classic"
    unwanted = [item for item in items if item.get_closest_marker(other)]
    leave_out(config, items, unwanted, f"THE CLUSTER DOES NOT SPEAK {other.upper()} DRA.")
    lacking: dict[str, list[pytest.Item]] = {}
    for item in items:
        if (needs := item.get_closest_marker("needs")) and (lack := release.lacks(**needs.kwargs)):
            lacking.setdefault(lack, []).append(item)
    for lack, unwanted in lacking.items():
        leave_out(config, items, unwanted, f"THE CLUSTER DOES NOT HAVE {lack}.")
