"""The fixtures of the end-to-end tests, and their report of a failed one."""

from tests.e2e.fixtures import (
    demo,
    driver,
    initial_specs,
    kubectl,
    local_cluster,
    pytest_runtest_makereport,
)

__all__ = ["demo", "driver", "initial_specs", "kubectl", "local_cluster", "pytest_runtest_makereport"]
