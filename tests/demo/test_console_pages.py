"""docs/how-dra-works.md: its commands print what it says."""

import sys
from pathlib import Path

import pytest

from tests.support.console import Console, Listing, read_page
from tests.support.kubectl import find_kubectl

ROOT = Path(__file__).parents[2]


@pytest.mark.kubectl
def test_the_commands_print_what_the_page_says(tmp_path: Path) -> None:
    kubectl = find_kubectl()
    assert kubectl is not None
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "kubectl").symlink_to(kubectl)
    program = bin_folder / "fake-dra-driver"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m fake_dra_driver "$@"\n')
    program.chmod(0o755)
    with Console(tmp_path, str(bin_folder), {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}) as console:
        for each in read_page(ROOT / "docs/how-dra-works.md"):
            if isinstance(each, Listing):
                console.write(each)
            else:
                console.run(each)
        console.finish()
