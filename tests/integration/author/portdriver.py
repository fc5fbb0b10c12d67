"""A driver of ports whose bandwidth claims share, as the files of a test say: the program of a pod in the cluster."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fake_dra_driver.dra import (
    AllocatedDevice,
    Capacity,
    ContainerEdits,
    Device,
    DeviceConfig,
    Driver,
    Health,
    Settings,
    run_driver,
)

__all__ = ["PortConfig", "PortDriver"]

LOOK_SECONDS = 0.05


class PortConfig(DeviceConfig):
    """What a claim wants of a port."""

    bandwidth: str = "1G"
    """In bit/s. In structured DRA the claim's request says it."""


class PortSettings(Settings):
    """Of this driver."""

    ports: Path = Path("/dev/null")
    """Folder with a file for each port, which says ``up`` or ``down``."""


class PortDriver(Driver[PortConfig]):
    """Ports of 10G for pods."""

    name = "port.example.com"
    settings = PortSettings

    def __init__(self) -> None:
        self.ports = Path()

    def configure(self, settings: Settings) -> None:
        assert isinstance(settings, PortSettings)
        self.ports = settings.ports

    def devices(self, node: str) -> Iterable[Device]:
        for file in sorted(self.ports.iterdir()):
            is_up = file.read_text() == "up"
            yield Device(
                file.name,
                capacity={"bandwidth": Capacity("10G", default="1G", least="1G", step="1G")},
                shared=True,
                health=Health.HEALTHY if is_up else Health.UNHEALTHY,
                message="" if is_up else "no carrier",
            )

    def watch(self, node: str, changed: Callable[[], None]) -> None:
        """In a thread, since it is no coroutine."""
        before: list[Device] = []
        while True:
            if (now := list(self.devices(node))) != before:
                changed()
            before = now
            time.sleep(LOOK_SECONDS)

    def demand(self, config: PortConfig) -> Mapping[str, str | int]:
        return {"bandwidth": config.bandwidth}

    def prepare(self, device: AllocatedDevice[PortConfig]) -> ContainerEdits:
        return ContainerEdits(env={"PORT": f"{device.capacity['bandwidth']} of {device.name}"})


if __name__ == "__main__":
    run_driver(PortDriver())
