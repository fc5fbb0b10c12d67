"""``hack/venv.sh``, which makes .venv: what it installs, and what it says of a machine on which that does not work."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STAND_IN = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
case "$*" in
  --version) echo "Python 3.$MINOR.1" ;;
  '-c import sys;'*) [ "$MINOR" -ge 11 ] ;;
  '-c import ensurepip'*) [ "$LACKS" != ensurepip ] ;;
  '-m venv --clear .venv') mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  '-m pip --version') [ ! -e .venv/half-made ] ;;
  *--require-hashes*) echo 'Collecting grpcio==1.85.1'; [ "$LACKS" != index ] ;;
esac
"""
LIBRARIES = "-m pip install --disable-pip-version-check --quiet --require-hashes"
PROGRAMS = "-m pip install --disable-pip-version-check --quiet --no-index --no-deps --no-build-isolation --editable ."


class Machine:
    """A source tree with nothing but the script, and a python3 that only writes down what it is asked to do."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.binaries = folder / "bin"
        self._calls = folder / "calls"
        for made in (self.tree / "hack", self.binaries):
            made.mkdir(parents=True)
        shutil.copy(ROOT / "hack/venv.sh", self.tree / "hack")
        (self.binaries / "python3").write_text(STAND_IN)
        (self.binaries / "python3").chmod(0o755)

    def run(
        self, *locks: str, python: str = "python3", minor: int = 12, lacks: str = "", terminal: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs the script; ``terminal`` is where its standard output goes, if not into a pipe."""
        return subprocess.run(
            [self.tree / "hack/venv.sh", *locks],
            check=False,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE,
            text=True,
            env={
                "PATH": f"{self.binaries}:/usr/bin:/bin",
                "CALLS": str(self._calls),
                "PYTHON": python,
                "MINOR": str(minor),
                "LACKS": lacks,
            },
        )

    def installed(self) -> list[str]:
        """What pip was asked to install, since the last time that this was asked."""
        calls = [call for call in self._calls.read_text().splitlines() if call.startswith("-m pip install")]
        self._calls.write_text("")
        return calls


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_libraries_are_checked_by_hashes_and_the_programs_need_no_network(machine: Machine) -> None:
    done = machine.run("a.lock", "b.lock")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == [
        "Making .venv with Python 3.12.1.",
        "Installing libraries from a package index into .venv. It takes up to a minute.",
    ]
    assert machine.installed() == [f"{LIBRARIES} --requirement=a.lock --requirement=b.lock", PROGRAMS]


def test_an_environment_that_is_there_is_kept(machine: Machine) -> None:
    machine.run("a.lock")
    (machine.tree / ".venv/mine").touch()
    assert "Making .venv" not in machine.run("a.lock", python="no-python").stdout
    assert machine.installed() == [f"{LIBRARIES} --requirement=a.lock", PROGRAMS] * 2


def test_an_environment_that_was_left_half_made_is_made_again(machine: Machine) -> None:
    machine.run("a.lock")
    (machine.tree / ".venv/half-made").touch()
    assert "Making .venv" in machine.run("a.lock").stdout


@pytest.mark.parametrize(
    ("python", "minor", "lacks", "sentence"),
    [
        ("no-python", 12, "", "no-python does not run on this machine. Install Python 3.11 or later; "),
        ("python3", 10, "", "python3 is Python 3.10.1, which is too old. Install Python 3.11 or later; "),
        ("python3", 12, "ensurepip", "On Debian and Ubuntu: apt install python3-venv"),
        ("python3", 12, "index", "They come from PyPI, or from the package index in PIP_INDEX_URL; "),
    ],
)
def test_says_what_a_machine_lacks(machine: Machine, python: str, minor: int, lacks: str, sentence: str) -> None:
    done = machine.run("a.lock", python=python, minor=minor, lacks=lacks)
    assert done.returncode == 1
    assert sentence in " ".join(done.stderr.split()) + " "
    assert max(map(len, done.stderr.splitlines())) < 80
    assert PROGRAMS not in machine.installed()


def test_names_a_python_that_would_do(machine: Machine) -> None:
    assert machine.run("a.lock", python="no-python").stderr.rstrip().endswith("make demo PYTHON=python3")


@pytest.mark.parametrize(("lacks", "status"), [("", 0), ("index", 1)])
def test_a_terminal_shows_which_library_is_being_fetched(machine: Machine, lacks: str, status: int) -> None:
    ours, theirs = pty.openpty()
    try:
        assert machine.run("a.lock", lacks=lacks, terminal=theirs).returncode == status
        assert b"\r\033[K  grpcio==1.85.1\r\033[K" in os.read(ours, 10_000)
    finally:
        os.close(ours)
        os.close(theirs)
