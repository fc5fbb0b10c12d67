"""Pages whose commands print what they say."""

import sys
from pathlib import Path

import pytest

from tests.support.console import Console, Listing, read_page
from tests.support.kubectl import find_kubectl

ROOT = Path(__file__).parents[2]


@pytest.mark.sampled("pages that are walked", one_in=3)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param("how-dra-works", marks=pytest.mark.kubectl),
        pytest.param("migrate-from-classic"),
        pytest.param("mock-your-hardware", marks=pytest.mark.kubectl),
        pytest.param("test-failure-handling", marks=pytest.mark.kubectl),
        pytest.param("presets", marks=pytest.mark.kubectl),
        pytest.param("test-your-scheduler", marks=pytest.mark.kubectl),
    ],
)
def test_the_commands_print_what_the_page_says(page: str, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if kubectl := find_kubectl():
        (programs / "kubectl").symlink_to(kubectl)
    program = programs / "fake-dra-driver"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m fake_dra_driver "$@"\n')
    program.chmod(0o755)
    for folder in ("demo", "deployments"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    with Console(tmp_path, str(programs), {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}) as console:
        for each in read_page(ROOT / f"docs/{page}.md"):
            if isinstance(each, Listing):
                console.write(each)
            else:
                console.run(each)
        console.finish()
