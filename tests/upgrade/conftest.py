"""Gives these tests the fixtures of a cluster, today's driver in it when a test begins and when it ends."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.driver import Driver
from tests.e2e.fixtures import demo, driver, initial_specs, kubectl, local_cluster, pytest_runtest_makereport, started
from tests.upgrade.release import CHART, OLD_CHART_VARIABLE, Release

__all__ = [
    "demo",
    "driver",
    "initial_specs",
    "kubectl",
    "local_cluster",
    "pytest_runtest_makereport",
    "started",
]


@pytest.fixture
def release(driver: Driver) -> Iterator[Release]:
    """The release, which is today's again after the test."""
    release = Release()
    yield release
    release.upgrade(CHART)
    driver.wait_ready()


@pytest.fixture
def old_chart() -> Path:
    """The chart to upgrade from. Fails the test when none is named."""
    folder = os.environ.get(OLD_CHART_VARIABLE)
    assert folder, f"{OLD_CHART_VARIABLE} names no chart; hack/build-revision.sh makes one, and its image"
    return Path(folder)
