"""Running kubectl and ``status`` on a scene."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest.mock import patch

from fake_dra_driver import cli
from tests.integration.kubeconfig.lab import FOLDER, HOME, NOTES, Lab, Scene
from tests.integration.kubeconfig.records import Outcome
from tests.support.kubectl import NO_KUBECTL, find_kubectl

__all__ = [
    "PluginStart",
    "Ran",
    "kubectl_command",
    "our_command",
    "run_kubectl",
    "run_process",
    "run_status",
    "started",
]

_DEADLINE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class PluginStart:
    """What a plugin noted."""

    info: object
    """KUBERNETES_EXEC_INFO."""
    circumstances: tuple[str, ...]
    """Working directory, arguments and a variable."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended."""

    outcome: Outcome
    status: int
    stderr: str
    plugin: "PluginStart | None"
    """The first start of a plugin; None when none was started."""


def our_command(name: str) -> list[str]:
    """A command of ours as a process of its own."""
    return [sys.executable, "-m", "fake_dra_driver", name]


def kubectl_command() -> list[str]:
    """The command of kubectl that does nothing but ask the server what it serves."""
    kubectl = find_kubectl()
    if kubectl is None:
        raise RuntimeError(NO_KUBECTL)
    return [str(kubectl), "api-versions"]


def run_kubectl(lab: Lab, scene: Scene, root: Path) -> Ran:
    """Runs kubectl until it ends."""
    return run_process(lab, scene, root, kubectl_command())


def run_status(lab: Lab, scene: Scene, root: Path) -> Ran:
    """Runs ``status`` in this process, which takes a tenth of the time."""
    lab.recorder.clear()
    stderr = io.StringIO()
    with (
        patch.dict(os.environ, _environment(scene, root), clear=True),
        patch.object(tempfile, "tempdir", None),  # where it is remembered what TMPDIR has said
        contextlib.chdir(root / FOLDER),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(stderr),
    ):
        status = cli.main(["status", *_arguments(scene, root)])
    return Ran(lab.recorder.outcome(), status, stderr.getvalue(), _plugin_start(root))


def run_process(lab: Lab, scene: Scene, root: Path, command: Sequence[str], stdin: int = subprocess.DEVNULL) -> Ran:
    """Runs a program until it ends. ``stdin`` is a file descriptor."""
    lab.recorder.clear()
    with started(scene, root, command, stdin) as process:
        _, stderr = process.communicate(timeout=_DEADLINE_SECONDS)
    return Ran(lab.recorder.outcome(), process.returncode, stderr, _plugin_start(root))


@contextlib.contextmanager
def started(
    scene: Scene, root: Path, command: Sequence[str], stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    """A program that runs on a scene, and is killed where it has not ended by itself."""
    with subprocess.Popen(
        [*command, *_arguments(scene, root)],
        env=_environment(scene, root),
        cwd=root / FOLDER,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _plugin_start(root: Path) -> PluginStart | None:
    notes = root / NOTES
    if not notes.exists():
        return None
    # kubectl's JSON ends with a line's end.
    info, *circumstances = [line for line in notes.read_text().splitlines() if line][:4]
    notes.unlink()
    return PluginStart(json.loads(info), tuple(circumstances))


def _environment(scene: Scene, root: Path) -> dict[str, str]:
    named = {name: value.replace("ROOT", str(root)) for name, value in scene.environment.items()}
    source = str(Path(str(cli.__file__)).parent.parent)
    always = {"HOME": str(root / HOME), "TMPDIR": str(root / "tmp"), "PATH": os.environ["PATH"], "PYTHONPATH": source}
    return {**always, **named}


def _arguments(scene: Scene, root: Path) -> list[str]:
    return [argument.replace("ROOT", str(root)) for argument in scene.arguments]
