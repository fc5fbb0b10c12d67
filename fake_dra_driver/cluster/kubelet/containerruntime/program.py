"""What runs in a container, whatever it is: a process of this machine, or an instance in a process of several.

Its ``wait`` is awaited once; after that, and before its start, there is none of these.
"""

import asyncio
from typing import Protocol

__all__ = ["Program"]


class Program(Protocol):
    """A running program."""

    output: asyncio.StreamReader
    """What it writes to standard output and standard error, in the order in which it does."""

    def signal(self, number: int) -> None:
        """Sends a signal to the program alone. Nothing happens once it has ended."""
        ...

    def signal_group(self, number: int) -> bool:
        """Sends a signal to the program and its children. Returns whether it still ran.

        Raises:
            ClusterError: such a signal cannot be sent to a program of this sort.
        """
        ...

    def kill(self) -> None:
        """SIGKILL to the program and its children. Nothing happens once it has ended."""
        ...

    async def wait(self) -> int:
        """Waits for its end, and for that of its children.

        Returns:
            Its exit code, or the negative number of the signal that ended it.
        """
        ...

    def close(self) -> None:
        """Ends ``output``, even if something could still be written to it."""
        ...
