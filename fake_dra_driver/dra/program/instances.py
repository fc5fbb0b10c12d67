"""Runs commands of a program as instances in one process: what its embedded cluster starts for many nodes."""

import asyncio
import os
import socket
import sys
import traceback
from collections.abc import Mapping
from functools import partial
from typing import NoReturn

from fake_dra_driver.dra.program.commandline import EXIT_FAILURE, CommandLine
from fake_dra_driver.hosting.server import HostedProgram, serve_instances
from fake_dra_driver.runtime.garbage import spare_long_lived

__all__ = ["run_instances"]


def run_instances(command_line: CommandLine) -> None:
    """Serves the client at the other end of standard input, a socket, until that is gone; then ends the process.

    It runs those commands that have a coroutine.
    """
    programs = {
        name: partial(command_line.run_hosted, name)
        for name, command in command_line.commands.items()
        if command.coroutine
    }
    spare_long_lived()
    asyncio.run(_serve(programs))


async def _serve(programs: Mapping[str, HostedProgram]) -> NoReturn:
    """Ends the process from within its loop, whose own end would have the instances clean up."""
    try:
        await serve_instances(programs, socket.socket(fileno=0))
    except Exception:  # noqa: BLE001 - said here, since Python's own end of a process is left out
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(EXIT_FAILURE)
    os._exit(0)
