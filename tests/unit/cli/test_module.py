"""``python -m fake_dra_driver`` in a source tree, with a Python that lacks the libraries."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_library_that_is_not_installed() -> None:
    # Without the module site no installed library is found.
    command = [sys.executable, "-S", "-m", "fake_dra_driver", "status"]
    ended = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"fake-dra-driver: the library pydantic is not installed for {sys.executable}. "
        "Run make install, then .venv/bin/fake-dra-driver\n"
    )
