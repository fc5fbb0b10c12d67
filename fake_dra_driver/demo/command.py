"""Commands of this machine that the demo runs, and this very program among them, as a person types it."""

import asyncio
import contextlib
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fake_dra_driver.cluster import ClusterError

__all__ = ["Program", "run_command", "typed_path"]

_TIMEOUT_SECONDS = 60.0
_NAME = "fake-dra-driver"


async def run_command(command: Sequence[str], typed: str) -> str:
    """What a command prints; what it says on standard error comes first.

    Args:
        command: program and arguments.
        typed: the same as a person would type it, for messages.

    Raises:
        ClusterError: it fails, or takes too long.
    """
    async with _process(command, asyncio.subprocess.PIPE, typed) as process:
        output, problems = await process.communicate()
    _check(process, typed, problems)
    return (problems + output).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Program:
    """This program on one cluster."""

    typed: str
    """How it is called here."""
    kubeconfig: Path

    @classmethod
    def find(cls, kubeconfig: Path) -> "Program":
        """Finds out how it is called. Blocks: it looks for files."""
        script = Path(sys.executable).parent / _NAME
        if not script.is_file():
            return cls(f"{typed_path(Path(sys.executable))} -m fake_dra_driver", kubeconfig)
        is_on_path = (found := shutil.which(_NAME)) is not None and Path(found) == script
        return cls(_NAME if is_on_path else typed_path(script), kubeconfig)

    async def run(self, *arguments: str) -> str:
        """What it prints. Raises ClusterError when it fails."""
        return await run_command(self._command(arguments), self._typed(arguments))

    async def run_on_terminal(self, *arguments: str) -> None:
        """Has it write to the terminal by itself, whose width it then knows. Raises ClusterError when it fails."""
        async with _process(self._command(arguments), None, self._typed(arguments)) as process:
            _, problems = await process.communicate()
        _check(process, self._typed(arguments), problems)

    def _command(self, arguments: Sequence[str]) -> Sequence[str]:
        return (sys.executable, "-m", "fake_dra_driver", *arguments, f"--kubeconfig={self.kubeconfig}")

    def _typed(self, arguments: Sequence[str]) -> str:
        return " ".join([self.typed, *arguments])


def typed_path(path: Path) -> str:
    """A path as a person would type it: from the working directory on, where it is below that. Blocks."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


@contextlib.asynccontextmanager
async def _process(command: Sequence[str], stdout: int | None, typed: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, which is over at the end of the block, however that ends."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            yield process
    except TimeoutError as error:
        raise ClusterError(f"{typed} did not end in {_TIMEOUT_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _check(process: asyncio.subprocess.Process, typed: str, problems: bytes) -> None:
    if process.returncode != 0:
        said = problems.decode(errors="replace").strip() or f"status {process.returncode}"
        raise ClusterError(f"{typed} failed: {said}")
