"""A small file that a driver keeps for itself in the folder of its plugin, across restarts of plugin and node."""

from pathlib import Path
from typing import Final

from fake_dra_driver.dra.node.files import DiskFiles, Files
from fake_dra_driver.inthread import in_thread

__all__ = ["DurableFile"]

_MODE: Final = 0o600


class DurableFile:
    """One file. What is written to it is there after a stop at any later moment, whole.

    Args:
        path: of the file; its folder exists.
        files: where it is kept.
    """

    def __init__(self, path: Path, files: Files | None = None) -> None:
        self.path = path
        self._files = files or DiskFiles()

    async def read(self) -> bytes | None:
        """The contents; None where there is no file. Raises OSError."""
        return await in_thread(self._files.read, self.path)

    async def write(self, data: bytes) -> None:
        """Replaces the contents. Raises OSError: they are what they were."""
        await in_thread(self._files.write, self.path, data, _MODE)
