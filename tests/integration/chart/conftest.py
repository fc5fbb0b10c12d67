"""The chart as it is generated now, and the API servers that judge what helm makes of it."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.packaging.generate import CHART, chart_files
from tests.conformance.target import EmbeddedTarget, RealTarget
from tests.integration.chart.judge import Judge, judge_of
from tests.integration.chart.rendering import Renderer
from tests.support.apiserver import ASSETS_VARIABLE, ApiServer
from tests.support.helm import leave_out_without_helm

EMBEDDED = ("1.30", "1.32", "1.34", "1.37")
"""The releases that the embedded API server can behave like."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that need helm when there is none."""
    leave_out_without_helm(config, items)


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the chart."""
    folder = tmp_path_factory.mktemp("chart")
    for path, text in chart_files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder / CHART


@pytest.fixture(scope="session")
def schema() -> Mapping[str, Any]:
    """The schema of the chart's values."""
    found: Mapping[str, Any] = json.loads(chart_files()[f"{CHART}/values.schema.json"])
    return found


@pytest.fixture(scope="session")
def helm(chart: Path, tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """helm, with the chart."""
    return Renderer(chart, tmp_path_factory.mktemp("parents"))


@pytest.fixture(scope="session")
def embedded_judges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Judge]]:
    """Embedded API servers by release."""
    with ExitStack() as stack:
        targets = {
            release: stack.enter_context(EmbeddedTarget(tmp_path_factory.mktemp("embedded"), release))
            for release in EMBEDDED
        }
        yield {release: stack.enter_context(judge_of(target, reads_yaml=False)) for release, target in targets.items()}


@pytest.fixture(scope="session")
def real_judge(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """The real API server. Tests that ask for it carry ``@pytest.mark.apiserver``."""
    target = RealTarget(apiserver, tmp_path_factory.mktemp("real"), Path(os.environ[ASSETS_VARIABLE]))
    with judge_of(target, reads_yaml=True) as judge:
        yield judge
