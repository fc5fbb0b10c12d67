"""The class that a driver derives from: all that has to be said about a device, for both protocols of DRA.

An author writes ``name``, ``devices`` and ``prepare``; the rest has defaults. Every method but ``fits`` and ``demand``
may be a coroutine function. One that is not runs in a thread, so that it may block.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Generic, get_args, get_origin

from typing_extensions import get_original_bases

from fake_dra_driver.dra.driver.allocated import AllocatedDevice, ConfigT
from fake_dra_driver.dra.driver.config import DeviceConfig, NoConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.settings import Settings

__all__ = ["Driver"]


class Driver(ABC, Generic[ConfigT]):
    """A driver of one device. ``run_driver`` makes a program of it.

    The first sentence of a subclass's docstring says what its chart and its command line are for.
    """

    name: ClassVar[str]
    """Name of the DRA driver, a DNS subdomain such as ``lamp.example.com``; also the API group of its kinds."""
    version: ClassVar[str] = "0.1.0"
    """Of the driver, as semantic versioning has it: the chart's, and what ``--version`` prints."""
    config: ClassVar[type[DeviceConfig]] = NoConfig
    """What claims may say. Set by ``class LampDriver(Driver[LampConfig])``."""
    settings: ClassVar[type[Settings] | None] = None
    """More flags of the kubelet plugin; ``configure`` is given their values."""
    chart: ClassVar[Mapping[str, Any]] = {}
    """Values of the chart whose defaults are others than usual, such as volumes of the plugin's pods."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        stated = cls.stated_config()
        if stated is not None and "config" not in cls.__dict__:
            cls.config = stated

    @classmethod
    def stated_config(cls) -> type[DeviceConfig] | None:
        """The ``LampConfig`` of ``class LampDriver(Driver[LampConfig])``; None where the class itself states none."""
        for base in get_original_bases(cls):
            if get_origin(base) is Driver and isinstance(stated := get_args(base)[0], type):
                return stated
        return None

    @classmethod
    def description(cls) -> str:
        """What the driver is for: the first sentence of its docstring."""
        sentence = " ".join((cls.__doc__ or "").split()).partition(". ")[0].rstrip(".")
        return f"{sentence}." if sentence else f"The DRA driver {cls.name}."

    def configure(self, settings: Settings) -> None:
        """Takes the values of ``settings``, in the kubelet plugin, before any other method is called.

        The controller and the webhook have no such settings: ``fits`` and ``demand``, which run there too, cannot use
        what is kept here.
        """

    @abstractmethod
    def devices(self, node: str) -> Iterable[Device] | Awaitable[Iterable[Device]]:
        """The devices of the node this runs on, in the order in which they are to be taken.

        Asked at the start, whenever ``watch`` has called ``changed``, and every minute.
        """

    def watch(self, node: str, changed: Callable[[], None]) -> Awaitable[None] | None:  # noqa: ARG002 - a default
        """Runs for as long as the plugin does, and calls ``changed`` when ``devices`` has news. May return at once."""
        return None

    @abstractmethod
    def prepare(self, device: AllocatedDevice[ConfigT]) -> ContainerEdits | Awaitable[ContainerEdits]:
        """Makes a device ready, and says what the containers of the claim get.

        Idempotent: called again for what is prepared already, as after a crash. Never at once for the same device and
        claim. Raises PrepareError, with a sentence for the owner of the claim.
        """

    def unprepare(self, device: AllocatedDevice[ConfigT]) -> Awaitable[None] | None:  # noqa: ARG002 - a default
        """Undoes ``prepare``. Idempotent. Raises PrepareError.

        Also called where ``prepare`` was begun and not ended, or not begun, since another device of the claim failed.
        """
        return None

    def fits(self, device: Device, config: ConfigT) -> bool:  # noqa: ARG002 - a default
        """Whether a device is what a claim's configuration asks for. Pure, quick, and asked for many devices.

        In classic DRA only devices that fit are allocated. In structured DRA the scheduler chooses by the claim's
        selectors; a device that does not fit is refused when it is to be prepared.
        """
        return True

    def demand(self, config: ConfigT) -> Mapping[str, str | int]:  # noqa: ARG002 - a default
        """How much of a shared device's capacity a claim takes in classic DRA; what is left out: the default. Pure.

        In structured DRA the claim's requests say it.
        """
        return {}
