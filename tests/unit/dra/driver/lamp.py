"""A driver of lamps, as small as one can be, and what its tests need."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

from loguru import logger

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.containeredits import ContainerEdits

NODE = "node-a"
CLAIM = NodeClaim("home", "bulbs", UID("11"))


class LampConfig(DeviceConfig):
    """How a lamp shines."""

    color: str = "white"
    """Its color."""


class LampDriver(Driver[LampConfig]):
    """Two lamps on every node. What its methods return is typed so widely that a subclass may be asynchronous."""

    name = "lamp.example.com"

    def devices(self, node: str) -> Iterable[Device] | Awaitable[Iterable[Device]]:
        return [Device(f"lamp-{number}") for number in range(2)]

    def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits | Awaitable[ContainerEdits]:
        return ContainerEdits(env={"LAMP": device.name})


def allocated(name: str = "lamp-0") -> AllocatedDevice[LampConfig]:
    return AllocatedDevice(Device(name), LampConfig(), CLAIM, 0)


@contextmanager
def logged(told: Callable[[str], None] = lambda _line: None) -> Iterator[list[str]]:
    """The lines of the log from ``WARNING`` on; ``told`` is called with each, in the thread that writes it."""
    lines: list[str] = []

    def keep(message: str) -> None:
        lines.append(str(message))
        told(str(message))

    number = logger.add(keep, level="WARNING", format="{message} {extra}")
    try:
        yield lines
    finally:
        logger.remove(number)
