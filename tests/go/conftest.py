"""The programs in Go, built once in a session: minutes on a machine that never did, seconds on one that did."""

import shutil
import subprocess
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, which is a driver or a manager."""
    go = shutil.which("go")
    assert go is not None, "these tests need Go, and there is none on the PATH"
    built = tmp_path_factory.mktemp("go") / "program"
    subprocess.run([go, "build", "-o", built, "./program"], cwd=_HERE, check=True)
    return built
