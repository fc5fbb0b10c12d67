"""The last DeviceProfile that could be used on a node, kept across restarts of the plugin.

A profile that is changed into something that cannot be used leaves the devices as they are. That is to be so also when
the plugin is started again before the profile is mended.
"""

from pathlib import Path
from typing import Final

from loguru import logger
from pydantic import ValidationError

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.dra import DurableFile

__all__ = ["FILE_NAME", "LastGoodProfile"]

FILE_NAME: Final = "device-profile.json"

log = logger.bind(component="profiles")


class LastGoodProfile:
    """It is in a file of the plugin's folder.

    Args:
        folder: of the plugin.
    """

    def __init__(self, folder: Path) -> None:
        self._file = DurableFile(folder / FILE_NAME)

    async def read(self) -> DeviceProfile | None:
        """The profile; None where there is none that can be read, which is logged where there should be one."""
        try:
            data = await self._file.read()
            return DeviceProfile.model_validate_json(data) if data else None
        except (OSError, ValidationError) as error:
            log.warning("The last DeviceProfile cannot be read", file=str(self._file.path), error=str(error))
            return None

    async def keep(self, profile: DeviceProfile | None) -> None:
        """Keeps it; None: there is none. What cannot be written is logged: the devices do not depend on it."""
        try:
            if profile is not None:
                kept = profile.model_copy(update={"status": type(profile.status)()})
                await self._file.write(kept.model_dump_json(by_alias=True, exclude_unset=True).encode())
            elif await self._file.read():
                await self._file.write(b"")
        except OSError as error:
            log.warning("The last DeviceProfile cannot be kept", file=str(self._file.path), error=str(error))
