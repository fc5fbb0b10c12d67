"""The table in docs/kubeconfig.md: each row has tests, and each test a row."""

import re
from pathlib import Path

import pytest

from tests.unit.runtime.kubeconfig import test_cluster, test_failures, test_files, test_plugin, test_pod, test_user
from tests.unit.runtime.kubeconfig.home import ROWS

__all__ = ["test_cluster", "test_failures", "test_files", "test_plugin", "test_pod", "test_user"]

PAGE = Path(__file__).parents[4] / "docs" / "kubeconfig.md"
FEATURES = [
    cells[0].strip()
    for line in re.findall(r"^\|(.+)\|$", PAGE.read_text(), re.MULTILINE)
    if (cells := line.split("|"))[1].strip() not in ("Honoured", "---")
]


@pytest.mark.parametrize("feature", FEATURES)
def test_each_row_has_a_test(feature: str) -> None:
    assert ROWS.get(feature)


def test_each_test_has_a_row() -> None:
    assert set(ROWS) <= set(FEATURES)
    assert len(FEATURES) == len(set(FEATURES))
