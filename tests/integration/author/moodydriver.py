"""A driver that does wrong what a file of a test says: the program of a pod in the embedded cluster."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from fake_dra_driver.dra import (
    AllocatedDevice,
    ContainerEdits,
    Device,
    DeviceConfig,
    Driver,
    Health,
    Settings,
    run_driver,
)

__all__ = ["MoodyDriver", "MoodyLamp"]

LOOK_SECONDS = 0.05


class MoodySettings(Settings):
    """Of this driver."""

    moods: Path = Path("/dev/null")
    """Folder with a file for each mood that the driver is in."""


class MoodyLamp(DeviceConfig):
    """How a lamp behaves."""

    way: str = "well"
    """``well``, or ``hangs``: it takes as long as the mood lasts."""


class MoodyDriver(Driver[MoodyLamp]):
    """Lamps with moods."""

    name = "moody.example.com"
    settings = MoodySettings

    def __init__(self) -> None:
        self.moods = Path()

    def configure(self, settings: Settings) -> None:
        assert isinstance(settings, MoodySettings)
        self.moods = settings.moods

    def is_in_mood(self, mood: str) -> bool:
        return (self.moods / mood).exists()

    def devices(self, node: str) -> Iterable[Device]:
        lamps = [Device("lamp-0"), Device("lamp-1")]
        if self.is_in_mood("twice"):
            return [*lamps, *lamps]
        if self.is_in_mood("broken"):
            return [Device("lamp-0", health=Health.UNHEALTHY, message="no bulb"), Device("lamp-1")]
        if self.is_in_mood("more"):
            return [*lamps, Device("lamp-2")]
        return lamps

    def watch(self, node: str, changed: Callable[[], None]) -> None:
        """In a thread, since it is no coroutine."""
        before: set[str] = set()
        while True:
            moods = {path.name for path in self.moods.iterdir()}
            if moods != before:
                changed()
            before = moods
            time.sleep(LOOK_SECONDS)

    def prepare(self, device: AllocatedDevice[MoodyLamp]) -> ContainerEdits:
        while device.config.way == "hangs" and self.is_in_mood("slow"):
            time.sleep(LOOK_SECONDS)
        return ContainerEdits(env={"LAMP": device.name})


if __name__ == "__main__":
    run_driver(MoodyDriver())
