"""Everything that is rendered from the schema and the settings, as one set of files: `fake-dra-driver generate`.

``outputs`` is a pure function, so that a check is a comparison. Beside it there are the demo's manifests for structured
DRA, which are made of those for classic DRA in the source tree (``demos``), and the copies of the chart's presets that
the package has (``presets``).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.packaging.demos import converted_demos
from fake_dra_driver.packaging.metrics import render_metrics
from fake_dra_driver.packaging.presets import preset_copies
from fake_dra_driver.packaging.project import CHART, TREE, claim_kinds, driver_project
from fake_dra_driver.packaging.statuspage import render_status_page
from fake_dra_driver.packaging.whypage import render_why_page
from fake_dra_driver.settings import Settings

__all__ = ["CHART", "chart_files", "crd_files", "generate", "outputs"]


def outputs(
    commands: Mapping[str, type[Settings]], kinds: tuple[type[CustomResource], ...] = KINDS
) -> Mapping[str, str]:
    """Every generated file: its path in the source tree, and its text.

    Args:
        commands: the settings of each command that the reference describes, in its order.
        kinds: the driver's own kinds.
    """
    files = {**driver_project(commands, kinds).files, **dict(_documentation(kinds))}
    return dict(sorted(files.items()))


def crd_files() -> Mapping[str, str]:
    """The CRDs for kubectl, by path in the source tree."""
    return driver_project().crd_files


def chart_files() -> Mapping[str, str]:
    """The files of the chart, by path in the source tree."""
    return driver_project().chart_files


def generate(folder: Path, commands: Mapping[str, type[Settings]], *, check: bool = False) -> int:
    """Writes what is not up to date below ``folder``, or only says so. Returns the exit status."""
    return TREE.update(
        folder, {**outputs(commands), **converted_demos(folder, TREE), **preset_copies(folder, TREE)}, check=check
    )


def _documentation(kinds: tuple[type[CustomResource], ...]) -> Iterator[tuple[str, str]]:
    lists = "fake_dra_driver/dra/{metricfamilies,program/reasons}.py and the lists that they extend"
    yield "docs/metrics.md", render_metrics(TREE.header(lists))
    yield "docs/status.md", render_status_page(TREE.header("fake_dra_driver/status/"), claim_kinds(kinds))
    yield "docs/why.md", render_why_page(TREE.header("fake_dra_driver/why/"))
