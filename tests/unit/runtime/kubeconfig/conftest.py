"""A home for each test."""

from pathlib import Path

import pytest

from tests.unit.runtime.kubeconfig.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty one."""
    return Home(tmp_path)
