"""A host for tests: ``python -m`` runs it."""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Sequence
from signal import SIGTERM

from fake_dra_driver.hosting.process import environment, stop_signals
from fake_dra_driver.hosting.server import serve_instances


async def echo(arguments: Sequence[str]) -> int:
    """Says what it was given, also from a thread, and ends with the number of its arguments."""
    sys.stdout.write(" ".join((environment()["NAME"], *arguments)) + "\n")
    await asyncio.to_thread(sys.stderr.write, f"{environment()['NAME']} in a thread\n")
    return len(arguments)


async def run(_: Sequence[str]) -> int:
    """Runs until SIGTERM."""
    asked = asyncio.Event()
    with stop_signals((SIGTERM,), lambda _number: asked.set()):
        sys.stdout.write(f"running in {os.getpid()}\n")
        await asked.wait()
    sys.stdout.write("stopped\n")
    return 3


async def hang(_: Sequence[str]) -> int:
    """Holds up the whole process."""
    sys.stdout.write("hanging\n")
    await asyncio.sleep(0)
    threading.Event().wait()
    return 0


async def crash(_: Sequence[str]) -> int:
    """Ends the whole process."""
    os._exit(7)


async def write(arguments: Sequence[str]) -> int:
    """Writes a character, given by its number, as often as is said."""
    character, times = arguments
    sys.stdout.write(chr(int(character, 16)) * int(times) + "\n")
    return 0


async def main() -> None:
    """Ends the process by itself."""
    programs = {"echo": echo, "run": run, "hang": hang, "crash": crash, "write": write}
    await serve_instances(programs, socket.socket(fileno=0))
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
