#!/usr/bin/env python3
"""A DRA driver of network cards, which claims share: each gets some of a card's bandwidth, while the card has a link.

The cards are those of ``/sys/class/net``, or of a folder like it: for each a folder with ``speed`` (in Mbit/s),
``operstate`` and ``address``. A card that loses its link is unhealthy, and healthy again when it is back.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from typing_extensions import override

from fake_dra_driver.dra import (
    AllocatedDevice,
    Capacity,
    ContainerEdits,
    Device,
    DeviceConfig,
    Driver,
    Health,
    Mount,
    PrepareError,
    Settings,
    run_driver,
)

FOLDER = Path("/sys/class/net")
LOOK_SECONDS = 0.5
"""Between two looks at the cards: sysfs tells nobody of a link that is lost."""
MEGABIT = 1_000_000


class NicConfig(DeviceConfig):
    """What a claim wants of a network card."""

    bandwidth: str = Field(default="1G", pattern=r"^[1-9][0-9]{0,5}[MG]$")
    """In bit/s, such as 500M or 10G. In structured DRA the claim's request says it, as a capacity."""
    vlan: int = Field(default=0, ge=0, le=4094)
    """Number of the VLAN that the traffic is tagged with; 0: none."""


class NicSettings(Settings):
    """Where the cards are."""

    nics_dir: Path = FOLDER
    """Folder with a folder for each card."""


class NicDriver(Driver[NicConfig]):
    """Offers the bandwidth of network cards to pods."""

    name = "nic.example.com"
    settings = NicSettings
    chart: ClassVar[Mapping[str, Any]] = {
        "kubeletPlugin": {
            "extraVolumes": [{"name": "cards", "hostPath": {"path": str(FOLDER), "type": "Directory"}}],
            "extraVolumeMounts": [{"name": "cards", "mountPath": str(FOLDER), "readOnly": True}],
        }
    }
    folder = FOLDER

    @override
    def configure(self, settings: Settings) -> None:
        if isinstance(settings, NicSettings):
            self.folder = settings.nics_dir

    @override
    def devices(self, node: str) -> Iterable[Device]:
        for card in sorted(self.folder.iterdir()):
            speed = self._speed(card)
            if speed <= 0:  # lo, bridges, and what has never had a link
                continue
            has_link = (card / "operstate").read_text().strip() == "up"
            yield Device(
                card.name,
                attributes={"mac": (card / "address").read_text().strip(), "speedMbps": speed},
                capacity={"bandwidth": Capacity(speed * MEGABIT, default="1G", least="100M", step="100M")},
                shared=True,
                health=Health.HEALTHY if has_link else Health.UNHEALTHY,
                message="" if has_link else "the link is down",
            )

    @override
    async def watch(self, node: str, changed: Callable[[], None]) -> None:
        seen = None
        while True:
            found = await asyncio.to_thread(lambda: list(self.devices(node)))
            if seen is not None and found != seen:
                changed()
            seen = found
            await asyncio.sleep(LOOK_SECONDS)

    @override
    def fits(self, device: Device, config: NicConfig) -> bool:
        return config.vlan == 0 or int(device.attributes["speedMbps"]) >= 1000  # slower ones cannot tag

    @override
    def demand(self, config: NicConfig) -> Mapping[str, str | int]:
        return {"bandwidth": config.bandwidth}

    @override
    def prepare(self, device: AllocatedDevice[NicConfig]) -> ContainerEdits:
        if device.device.health is not Health.HEALTHY:
            raise PrepareError(f"{device.name} cannot be used: {device.device.message}")
        card = f"NIC_{device.index}"
        return ContainerEdits(
            env={
                card: device.name,
                f"{card}_BANDWIDTH": device.capacity["bandwidth"],
                f"{card}_VLAN": str(device.config.vlan),
            },
            mounts=(Mount(host_path=str(self.folder / device.name), container_path=f"/run/nics/{device.name}"),),
        )

    @staticmethod
    def _speed(card: Path) -> int:
        """In Mbit/s; 0 where the kernel knows none."""
        try:
            return int((card / "speed").read_text())
        except (OSError, ValueError):
            return 0


if __name__ == "__main__":
    run_driver(NicDriver())
