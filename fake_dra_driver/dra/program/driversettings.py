"""The settings of the programs of one driver: those of any, under its own name, with what its author has added."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import new_class
from typing import Any, Final, Literal, Self, TypeVar, cast, get_origin

from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.settings import (
    ControllerSettings,
    GenerateSettings,
    KubeletPluginSettings,
    SetNasStatusSettings,
    WebhookSettings,
)
from fake_dra_driver.settings import Allowed, Settings

__all__ = ["DriverSettings", "added_problems"]

S = TypeVar("S", bound=Settings)

_VALUES: Final = (bool, int, float, str, Path)
"""Types of settings that a flag and a value of the chart can have, and that say by themselves what is allowed."""


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
            added: more settings of its kubelet plugin; ``added_problems`` has found nothing wrong with them.
        """
        return cls(
            controller=_derived(names, ControllerSettings),
            # Settings of a base that stands further back come first in help.
            kubelet_plugin=_derived(
                names, KubeletPluginSettings, *(() if added is None else (added,)), driver_name=names.driver
            ),
            webhook=_derived(names, WebhookSettings),
            set_nas_status=_derived(names, SetNasStatusSettings),
            generate=_derived(names, GenerateSettings),
        )


def added_problems(added: object) -> Iterator[str]:
    """What is wrong with what an author says the settings of a driver are, in a sentence each."""
    if added is None:
        return
    if not isinstance(added, type) or not issubclass(added, Settings):
        yield f"must be a class derived from Settings, is {added!r}"
        return
    for name, field in added.model_fields.items():
        about = f"{added.__name__}.{name}"
        if name in KubeletPluginSettings.model_fields:
            yield f"{about}: the kubelet plugin has a setting of that name already"
        if field.is_required():
            yield f"{about} has no default, and the chart could not set it"
        is_known = field.annotation in _VALUES or get_origin(field.annotation) is Literal
        if not is_known and not any(isinstance(item, Allowed) for item in field.metadata):
            shown = field.annotation.__name__ if type(field.annotation) is type else field.annotation
            yield f"{about}: must be a bool, an int, a float, a str, a Path or a Literal, is {shown}"


def _derived(names: DriverNames, model: type[S], *more: type[Settings], **namespace: Any) -> type[S]:
    described = {"__doc__": model.__doc__, "__module__": __name__, "prefix": names.variables, **namespace}
    return cast("type[S]", new_class(model.__name__, (model, *more), exec_body=lambda body: body.update(described)))
