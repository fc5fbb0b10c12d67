"""docs/write-a-driver.md: the project that it builds, step by step, does what its tests say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fake_dra_driver.newproject.names import ProjectNames
from fake_dra_driver.newproject.program import write_project
from tests.support.tutorial import apply_block, read_blocks, read_sections

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/write-a-driver.md"
SECTIONS = dict(read_sections(PAGE))
RUNS = {
    "Claims that choose": ("tests",),
    "Real lamps: find them, prepare them, watch them": ("tests/test_real_lamps.py", "tests/test_cluster.py"),
    "Lamps that are shared": ("tests/test_cluster.py",),
}
"""Behind which sections the tests of the page are run, and which: a cluster takes a while."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that ``fake-dra-driver new`` makes."""
    folder = tmp_path_factory.mktemp("tutorial") / "lamp-driver"
    write_project(folder, ProjectNames.of("lamp.example.com"), str(ROOT))
    return folder


def run(project: Path, *arguments: str) -> None:
    """Runs Python in the project, on this source tree."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project), "PYTHONPATH": f"{project}:{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("section", list(RUNS))
def test_what_is_built_does_what_the_page_says(project: Path, section: str) -> None:
    """Each section stands on those before it, in one project."""
    sections = list(SECTIONS)
    before = [name for name in RUNS if sections.index(name) < sections.index(section)]
    begin = sections.index(before[-1]) + 1 if before else 0
    for name in sections[begin : sections.index(section) + 1]:
        for block in read_blocks(SECTIONS[name]):
            apply_block(project, block)
    run(project, "lamp_driver", "generate")
    run(project, "mypy", "lamp_driver", *RUNS[section])
    run(project, "pytest", "-q", *RUNS[section])


def test_every_block_that_has_a_title_is_used() -> None:
    built = list(SECTIONS)[: max(list(SECTIONS).index(name) for name in RUNS) + 1]
    assert not any(list(read_blocks(text)) for name, text in SECTIONS.items() if name not in built)
    shown = re.findall(r"^```python title", PAGE.read_text(), re.MULTILINE)
    assert len(shown) == sum(len(list(read_blocks(text))) for text in SECTIONS.values())


def test_the_lamp_is_short() -> None:
    [driver] = [each.text for each in read_blocks(SECTIONS["The lamp"]) if each.path == "lamp_driver/driver.py"]
    assert len(driver.splitlines()) <= 60


def test_the_lamp_is_the_one_of_the_demo() -> None:
    [driver] = [each.text for each in read_blocks(SECTIONS["The lamp"]) if each.path == "lamp_driver/driver.py"]
    demo = (ROOT / "demo/drivers/lamp/lamp.py").read_text()
    assert driver[driver.index("COLOURS") :] in demo
