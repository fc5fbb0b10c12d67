"""Programs that devices mount into containers: here a container finds them in its PATH, as it has no root of its own.

Other files that devices mount have no effect, see ``containerruntime.cdi``.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fake_dra_driver.cluster.kubelet.containersetup.environment import DEFAULT_PATH

__all__ = ["link_programs"]

_FOLDERS = frozenset(DEFAULT_PATH.split(":"))


def link_programs(mounts: Iterable[Mapping[str, Any]], folder: Path) -> bool:
    """Makes a folder of links to the programs among the mounts, and returns whether there are any. Blocks.

    Args:
        mounts: of a container, as CDI has them; of two at one path the later wins.
        folder: is made if it is needed.

    Raises:
        OSError: it cannot be made.
    """
    programs = {
        PurePosixPath(mount["containerPath"]).name: mount["hostPath"]
        for mount in mounts
        if str(PurePosixPath(mount["containerPath"]).parent) in _FOLDERS and os.access(mount["hostPath"], os.X_OK)
    }
    if programs:
        folder.mkdir(parents=True, exist_ok=True)
    for name, target in programs.items():
        (folder / name).unlink(missing_ok=True)  # of an attempt that got no further
        (folder / name).symlink_to(target)
    return bool(programs)
