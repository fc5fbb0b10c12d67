"""The chart's tests need helm; without it they are left out, and a loud word says so."""

import pytest

from tests.support.helm import leave_out_without_helm


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that need helm when there is none."""
    leave_out_without_helm(config, items)
