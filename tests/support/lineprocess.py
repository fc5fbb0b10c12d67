"""A process that a test talks to by lines: what it is asked, ``VERB UID``, and the answers."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["LineProcess"]


class LineProcess:
    """One process."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout

    @classmethod
    @asynccontextmanager
    async def started(cls, program: str, folder: Path) -> AsyncIterator["LineProcess"]:
        """A process that has begun to read, and is ended at the end.

        Args:
            program: a module; writes ``ready`` first.
            folder: its argument.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", program, str(folder), stdin=PIPE, stdout=PIPE
        )
        taker = cls(process)
        try:
            assert await taker._stdout.readline() == b"ready\n"
            yield taker
        finally:
            await taker.kill()

    def ask(self, verb: str, uids: Iterable[str]) -> None:
        """Asks for this for each of the claims, all at once."""
        self._stdin.write("".join(f"{verb} {uid}\n" for uid in uids).encode())

    async def answers(self, count: int) -> set[str]:
        """The claims for which that is durable."""
        return {(await self._stdout.readline()).decode().strip() for _ in range(count)}

    async def kill(self) -> set[str]:
        """SIGKILL, if it has not ended. Returns the claims that were answered before."""
        if self._process.returncode is None:
            self._process.kill()
        left = (await self._stdout.read()).decode()
        await self._process.wait()
        return set(left.split())
