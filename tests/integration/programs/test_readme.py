"""README's first five minutes, typed as they stand there: what is shown is what is printed."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

from tests.support.apiserver import ASSETS_VARIABLE

pytestmark = pytest.mark.apiserver
"""For the sake of kubectl, which is in the same folder."""

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
PROGRAM = f"{sys.executable} -m fake_dra_driver"
TYPED_PROGRAM = ".venv/bin/fake-dra-driver"
PATIENCE_SECONDS = 300
"""For one command, on a machine that has a lot to do."""
_VARIES = {
    r"FAKE-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "UUID",
    r"/tmp/fdd-[0-9a-z_-]+/": "/tmp/fdd/",
    r"in \d+ s": "in N s",
    r"['\"]": "",  # of export: each shell has its own
}


def commands() -> Sequence[tuple[str, str]]:
    """The commands of "Try it", each with what is shown below it."""
    section = README.partition("## Try it\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    typed = [part.partition("\n") for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, shown) for command, _, shown in typed]


def assert_printed(shown: str, printed: str) -> None:
    """What is shown is what was printed, but for what differs each time; ``(...)`` stands for some lines."""
    for pattern, constant in _VARIES.items():
        shown, printed = re.sub(pattern, constant, shown), re.sub(pattern, constant, printed)
    pattern = r"(.*\n)*".join(re.escape(part) for part in shown.split("(...)\n"))
    assert re.fullmatch(pattern, printed), f"README shows:\n{shown}\nprinted was:\n{printed}"


def read_until(output: IO[str], last: str) -> str:
    """What a program prints up to a line."""
    lines: list[str] = []
    while not lines or lines[-1] != last:
        line = output.readline()
        assert line, f"it ended after:\n{''.join(lines)}"
        lines.append(line)
    return "".join(lines)


def environment() -> dict[str, str]:
    """That of a machine with kubectl."""
    return {**os.environ, "PATH": f"{os.environ[ASSETS_VARIABLE]}:{os.environ['PATH']}"}


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """README's demo, without the part that installs; ended by Ctrl-C."""
    (make, _), *_ = commands()
    command = [*shlex.split(make), "--silent", f"BIN={Path(sys.executable).parent}", "DEMO_INSTALLED="]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, process_group=0
    ) as program:
        try:
            yield program
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGINT)
        assert program.stdout is not None
        assert program.stdout.read().endswith("\nThe cluster is gone, with all its files.\n")


def test_the_first_five_minutes(demo: subprocess.Popen[str]) -> None:
    (_, walk), (export, _), *others = commands()
    assert demo.stdout is not None
    printed = read_until(demo.stdout, walk.splitlines(keepends=True)[-1])
    called = re.findall(r"^  (\S*fake-dra-driver) status$", printed, re.MULTILINE)[0]
    assert_printed(walk, printed.replace(called, TYPED_PROGRAM))

    variable, _, kubeconfig = re.findall(r"^  export (.*)$", printed, re.MULTILINE)[0].partition("=")
    assert export.startswith(f"export {variable}=")
    for command, shown in others:
        ended = subprocess.run(
            ["bash", "-c", command.replace(TYPED_PROGRAM, PROGRAM)],
            cwd=ROOT,
            env={**environment(), "KUBECONFIG": kubeconfig},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, f"{command}: {ended.stderr}"
        assert_printed(shown, ended.stdout)
