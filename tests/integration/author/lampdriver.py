"""A driver of lamps, written as an author would: the program of a pod in the embedded cluster."""

from collections.abc import Iterable

from fake_dra_driver.dra import AllocatedDevice, ContainerEdits, Device, DeviceConfig, Driver, PrepareError, run_driver

__all__ = ["LampConfig", "LampDriver"]


class LampConfig(DeviceConfig):
    """How a lamp shines."""

    color: str = "white"
    """Its color."""


class LampDriver(Driver[LampConfig]):
    """Lamps for pods."""

    name = "lamp.example.com"

    def devices(self, node: str) -> Iterable[Device]:
        return [Device(f"lamp-{number}", attributes={"hours": number}) for number in range(3)]

    def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        if device.config.color == "black":
            raise PrepareError("no lamp shines black")
        if device.config.color == "pink":
            raise ValueError("pink is a feeling")
        return ContainerEdits(env={f"LAMP_{device.index}": f"{device.name} shines {device.config.color}"})


if __name__ == "__main__":
    run_driver(LampDriver())
