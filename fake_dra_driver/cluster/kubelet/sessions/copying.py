"""What ``kubectl cp`` asks for: tar, in the container's view of the file system.

There is no mount namespace: for tar itself all of this machine would be there to be overwritten. So the very commands
that kubectl sends are carried out by ``tarprogram``, with a path that is in the container's own folder or in a volume,
and any other path is refused. Names in an archive are those that the client knows.
"""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerTarget
from fake_dra_driver.cluster.kubelet.sessions import tarprogram

__all__ = ["copy_command"]

_RESUMED = re.compile(r"tar cf - (?P<path>.+) \| tail -c\+(?P<first>\d+)")
"""With ``--retries``, kubectl asks for the rest of an archive."""
_EXTRACT = (["tar", "-xmf", "-"], ["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"])


def copy_command(target: HandlerTarget, command: Sequence[str]) -> Sequence[str] | None:
    """The command that copies in place of one of kubectl's; None: it is none of those."""
    match list(command):
        case ["tar", "cf", "-", path]:
            return _command(target, "create", path)
        case ["sh", "-c", script] if (found := _RESUMED.fullmatch(script)) and len(shlex.split(found["path"])) == 1:
            return _command(target, "create", shlex.split(found["path"])[0], found["first"])
        case [*start, "-C", path] if start in _EXTRACT:
            return _command(target, "extract", path)
        case start if start in _EXTRACT:
            return _command(target, "extract", ".")
    return None


def _command(target: HandlerTarget, what: str, path: str, first: str = "0") -> Sequence[str]:
    folder = target.container.config.folder
    real = target.locality.path(path) or (None if path.startswith("/") else folder / path)
    roots = [str(folder), *(str(mount) for mount in target.locality.mounts.values())]
    program = [sys.executable, "-I", "-S", str(Path(tarprogram.__file__))]
    return [*program, what, path, str(real or ""), first, *roots]
