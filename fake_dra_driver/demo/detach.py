"""``cluster up --detach``: the cluster goes on in a process of its own, which runs ``main``.

That process gets the settings as JSON on its standard input, and tells through a pipe when it is ready, or what went
wrong. Whoever waits for that may be interrupted or killed: then the cluster ends as well. Its log is a file for itself,
which is removed when the cluster ends as it is meant to: that of one that failed stays.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.cluster.folder import FOLDERS, PREFIX
from fake_dra_driver.demo.program import run_cluster_up
from fake_dra_driver.demo.screen import Screen
from fake_dra_driver.demo.settings import ClusterUpSettings
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["main", "run_detached"]

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_PROGRAM: Final = (
    f"import sys; sys.path[:1] = [{str(_PACKAGE.parent)!r}]; from {_PACKAGE.name}.demo.detach import main; main()"
)
"""Finds this very package, wherever it is run from."""


def run_detached(settings: ClusterUpSettings) -> int:
    """Starts a cluster that goes on, and returns when it is ready. Blocks. Returns the exit status.

    Raises:
        ClusterError: the cluster cannot be started.
        KeyboardInterrupt: after Ctrl-C; the cluster has ended.
    """
    descriptor, path = tempfile.mkstemp(prefix=PREFIX, suffix=".log", dir=FOLDERS)
    log = Path(path)
    with os.fdopen(descriptor, "wb") as output:
        reading, writing = os.pipe()
        with os.fdopen(reading, encoding="utf-8") as answers:
            try:
                process = _start(settings, log, output.fileno(), writing)
            finally:
                os.close(writing)
            try:
                with Screen(sys.stderr).waiting("the cluster is ready"):
                    answer = answers.readline()
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                log.unlink(missing_ok=True)
                raise
    told = json.loads(answer) if answer else {}
    if "ready" in told:
        sys.stdout.write(told["ready"])
        return 0
    process.wait()
    if "problem" in told:
        log.unlink(missing_ok=True)
        raise ClusterError(told["problem"])
    raise ClusterError(f"The cluster ended before it was ready (exit status {process.returncode}); see {log}")


def _start(settings: ClusterUpSettings, log: Path, output: int, writing: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - this very module
        [sys.executable, "-c", _PROGRAM, str(writing), str(log)],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        pass_fds=(writing,),
        # Ctrl-C in the terminal, and its end, are not for the cluster.
        start_new_session=True,
    )
    if process.stdin is not None:
        with process.stdin, contextlib.suppress(BrokenPipeError):  # it ended at once, which is told below
            process.stdin.write(settings.model_dump_json().encode())
    return process


def main() -> None:
    """What the process does."""
    sys.exit(_run(int(sys.argv[1]), Path(sys.argv[2])))


def _run(writing: int, log: Path) -> int:
    settings = ClusterUpSettings(**json.load(sys.stdin))
    is_told = is_alone = False

    def tell(**answer: str) -> None:
        nonlocal is_told, is_alone
        is_told = True
        try:
            with os.fdopen(writing, "w", encoding="utf-8") as answers:
                answers.write(json.dumps(answer) + "\n")
        except BrokenPipeError:
            is_alone = True  # who waited was killed, and nobody knows of the cluster
            raise

    try:
        asyncio.run(run_cluster_up(settings, lambda text: tell(ready=text), {"log": str(log)}))
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - it is for the log, and for who waits
        if not is_alone:
            traceback.print_exc()
            expected = all(isinstance(leaf, (RuntimeLayerError, OSError)) for leaf in _leaves(error))
            if expected and not is_told:
                with contextlib.suppress(BrokenPipeError):
                    tell(problem="; ".join(dict.fromkeys(str(leaf) for leaf in _leaves(error))))
            return 1
    log.unlink(missing_ok=True)
    return 0


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _leaves(member)
    else:
        yield error
