"""Keeps what the kubelet makes and writes for a pod inside the node's folder, or inside a volume.

Links on the way are followed before a path is judged: a container may have left one in its volume. This is a check and
not a wall. A container could put a link there a moment later, but it is a process of the same user, and could write to
the link's target itself: nothing is gained by having the kubelet do it.
"""

import errno
from pathlib import Path

__all__ = ["inside"]


def inside(folder: Path, path: Path) -> Path:
    """The path, unchanged, which need not exist. Blocks.

    Raises:
        OSError: it leads out of the folder, or cannot be a path; the message says where it leads.
    """
    try:
        target = path.resolve()
    except RuntimeError as error:  # before Python 3.13, for links in a circle
        raise OSError(errno.ELOOP, "Its links lead in a circle", str(path)) from error
    except ValueError as error:  # a NUL byte
        raise OSError(errno.EINVAL, "It cannot be a path", repr(str(path))) from error
    if not target.is_relative_to(folder.resolve()):
        raise OSError(errno.EACCES, f"It leads to {target}, out of {folder}", str(path))
    return path
