#!/usr/bin/env python3
"""A DRA driver of lamps, of which each node has three: what a driver is at the least."""

from collections.abc import Iterable

from pydantic import Field
from typing_extensions import override

from fake_dra_driver.dra import AllocatedDevice, ContainerEdits, Device, DeviceConfig, Driver, run_driver

COLOURS = ("white", "red", "green")


class LampConfig(DeviceConfig):
    """How a claim wants its lamps."""

    brightness: int = Field(default=100, ge=1, le=100)
    """In percent."""


class LampDriver(Driver[LampConfig]):
    """Offers the lamps of a node to pods."""

    name = "lamp.example.com"

    @override
    def devices(self, node: str) -> Iterable[Device]:
        return [Device(f"lamp-{number}", attributes={"colour": colour}) for number, colour in enumerate(COLOURS)]

    @override
    def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        lamp = f"LAMP_{device.index}"
        return ContainerEdits(
            env={
                lamp: device.name,
                f"{lamp}_COLOUR": str(device.device.attributes["colour"]),
                f"{lamp}_BRIGHTNESS": str(device.config.brightness),
            }
        )


if __name__ == "__main__":
    run_driver(LampDriver())
