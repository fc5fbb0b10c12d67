"""A page's console blocks as a program: its commands are run, and print what the page says.

In a block, ``$`` begins a command; what follows is what it prints, until the next one. ``(...)`` stands for anything,
on a line of its own for any number of lines. Whatever differs from run to run is the same to a comparison: UIDs, ages,
folders, and how wide columns are. A command that does not end by itself (``--watch``, ``cluster up``) runs on in the
background; what a watch has printed is compared when the page starts another cluster, or ends.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import Final, Self

__all__ = ["Command", "Console", "Listing", "alike", "read_page"]

_BLOCK: Final = re.compile(r'^( *)```(console|yaml title="([^"]+)")\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
_SAME: Final = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
    (r"/tmp/fdd-\w+-\w+", "/tmp/fdd"),
    (r"\b\d+[smh](\d+s)?$", "AGE"),
    (r" from default namespace$", ""),  # kubectl says so from 1.34 on
    (r"[ \t]+", " "),
)
_ONLY_READS: Final = re.compile(r"fake-dra-driver (status|device list)|kubectl (get|logs) ")
_TIMEOUT_SECONDS: Final = 60
_START_SECONDS: Final = 180
"""For a cluster with the driver, on a machine that has much else to do."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A file that the page shows."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the page shows, with what it prints."""

    text: str
    output: str


def read_page(page: Path) -> Iterator[Listing | Command]:
    """Files and commands of a page, in their order."""
    for _, _, name, text in _BLOCK.findall(page.read_text()):
        if name:
            yield Listing(name, dedent(text))
            continue
        for each in re.split(r"^\$ ", dedent(text), flags=re.MULTILINE)[1:]:
            command, _, output = each.partition("\n")
            yield Command(command, output)


def alike(printed: str, shown: str) -> bool:
    """Whether a command has printed what a page shows."""
    parts = re.split(r"^\(\.\.\.\)\n?|\(\.\.\.\)", _without_differences(shown), flags=re.MULTILINE)
    return re.fullmatch(".*?".join(map(re.escape, parts)), _without_differences(printed), re.DOTALL) is not None


def _without_differences(text: str) -> str:
    return "\n".join(_without_difference(line) for line in text.strip().splitlines())


def _without_difference(line: str) -> str:
    for pattern, same in _SAME:
        line = re.sub(pattern, same, line.rstrip())
    return line.rstrip()


class Console:
    """Runs commands in a folder, with kubectl and this source tree's programs. A context manager, which ends them all.

    Args:
        folder: where files are written and commands run.
        path: what PATH is to begin with.
        environment: variables of the commands.
    """

    def __init__(self, folder: Path, path: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {**environment, "PATH": f"{path}:{os.environ['PATH']}"}
        self._cluster: subprocess.Popen[str] | None = None
        self._watches: list[tuple[Command, subprocess.Popen[str], Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for _, watch, _ in self._watches:
            watch.terminate()
            watch.wait()
        if self._cluster is not None:
            self._cluster.terminate()
            self._cluster.wait()

    def write(self, listing: Listing) -> None:
        """Writes a file."""
        (self._folder / listing.name).write_text(listing.text)

    def run(self, command: Command) -> None:
        """Runs a command, or starts it. Raises AssertionError when it prints something else than it should."""
        if "cluster up" in command.text:
            self.finish()
            self._start_cluster(command)
        elif "--watch" in command.text:
            self._start_watch(command)
        else:
            printed = self._run(command)
            if _ONLY_READS.match(command.text):  # what the command before it has begun may take a moment
                deadline = time.monotonic() + _TIMEOUT_SECONDS
                while not alike(printed, command.output) and time.monotonic() < deadline:
                    printed = self._run(command)
            _compare(command, printed)

    def _run(self, command: Command) -> str:
        return subprocess.run(
            ["bash", "-c", command.text],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        ).stdout

    def finish(self) -> None:
        """Compares what watches have printed, and ends them and the cluster."""
        for command, _, log in self._watches:
            _wait_until(partial(_has_printed, log, command.output))
            _compare(command, log.read_text())
        self.__exit__(None, None, None)
        self._watches, self._cluster = [], None

    def _start_cluster(self, command: Command) -> None:
        log = self._folder / "cluster.log"
        self._cluster = self._start(command, log)
        _wait_until(lambda: "Ctrl-C ends it" in log.read_text(), _START_SECONDS)
        _compare(command, log.read_text())
        [kubeconfig] = re.findall(r"export KUBECONFIG=(.*)", log.read_text())
        self._environment["KUBECONFIG"] = kubeconfig

    def _start_watch(self, command: Command) -> None:
        log = self._folder / f"watch-{len(self._watches)}.log"
        self._watches.append((command, self._start(command, log), log))
        if "podschedulingcontexts" not in command.text:  # there is none yet, and nothing is printed
            _wait_until(lambda: "\n" in log.read_text().strip())

    def _start(self, command: Command, log: Path) -> "subprocess.Popen[str]":
        with log.open("w") as output:
            return subprocess.Popen(
                ["bash", "-c", f"exec {command.text}"],
                cwd=self._folder,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )


def _wait_until(question: Callable[[], bool], seconds: float = _TIMEOUT_SECONDS) -> None:
    """Waits for a program outside of this one, or until the comparison that follows is to fail."""
    deadline = time.monotonic() + seconds
    while not question() and time.monotonic() < deadline:
        time.sleep(0.1)


def _has_printed(log: Path, shown: str) -> bool:
    return alike(log.read_text(), shown)


def _compare(command: Command, printed: str) -> None:
    assert alike(printed, command.output), f"$ {command.text}\nprinted\n{printed}\nand the page shows\n{command.output}"
