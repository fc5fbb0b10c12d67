"""Gives these tests the fixtures of a cluster, and the report of a failed one."""

from tests.e2e.fixtures import (
    demo,
    driver,
    initial_specs,
    kubectl,
    local_cluster,
    pytest_runtest_makereport,
    started,
)

__all__ = ["demo", "driver", "initial_specs", "kubectl", "local_cluster", "pytest_runtest_makereport", "started"]
