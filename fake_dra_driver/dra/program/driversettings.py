"""The settings of the programs of one driver: those of any, under its own name, with what its author has added."""

from dataclasses import dataclass
from types import new_class
from typing import Any, Self, TypeVar, cast

from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.settings import (
    DEVICES,
    ControllerSettings,
    GenerateSettings,
    KubeletPluginSettings,
    SetNasStatusSettings,
    WebhookSettings,
)
from fake_dra_driver.settings import Settings

__all__ = ["DriverSettings"]

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """The model of each program."""

    controller: type[ControllerSettings]
    kubelet_plugin: type[KubeletPluginSettings]
    webhook: type[WebhookSettings]
    set_nas_status: type[SetNasStatusSettings]
    generate: type[GenerateSettings]

    @classmethod
    def of(cls, names: DriverNames, added: type[Settings] | None = None) -> Self:
        """The models of a driver.

        Args:
            names: of the driver.
            added: more settings of its kubelet plugin.
        """
        plugin: dict[str, Any] = {"driver_name": names.driver, "group": DEVICES}
        return cls(
            controller=_derived(names, ControllerSettings),
            # Settings of a base that stands further back come first in help.
            kubelet_plugin=_derived(names, KubeletPluginSettings, *(() if added is None else (added,)), **plugin),
            webhook=_derived(names, WebhookSettings),
            set_nas_status=_derived(names, SetNasStatusSettings),
            generate=_derived(names, GenerateSettings),
        )


def _derived(names: DriverNames, model: type[S], *more: type[Settings], **namespace: Any) -> type[S]:
    described = {"__doc__": model.__doc__, "__module__": __name__, "prefix": names.variables, **namespace}
    return cast("type[S]", new_class(model.__name__, (model, *more), exec_body=lambda body: body.update(described)))
