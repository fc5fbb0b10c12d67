"""Makes the terminal that a program has got its controlling terminal, then becomes that program.

Only a process itself can do that, after the start of its session: so a small one does, and runs the program then. This
file is also that process's program, which is why it imports nothing of the package.
"""

import errno
import fcntl
import os
import shutil
import stat
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["check"]

_NOT_RUN = 126
"""The exit code of a shell for a program that cannot be run."""


def check(argv: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
    """Finds out beforehand what a start of the program would fail with. Blocks.

    Raises:
        OSError: there is no such program, or it may not be run.
    """
    program = argv[0]
    if "/" not in program:
        if shutil.which(program, path=env.get("PATH", "")) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
        return
    path = folder / program
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode) or not os.access(path, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), program)


def _run(argv: Sequence[str]) -> None:
    """What the process does."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        sys.exit(_NOT_RUN)


if __name__ == "__main__":
    _run(sys.argv[1:])
