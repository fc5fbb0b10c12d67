"""The parameters of a driver's claims as a kind of its own, made from what its author says claims may say.

In classic DRA a claim names an object of this kind (``spec.parametersRef``), whose ``spec`` has the fields of the
author's model and the number of devices. In structured DRA the same document is opaque configuration, and the claim's
request says how many devices: ``count`` may be left out there (``config_document``).
"""

import types
from functools import cache
from typing import Annotated, Any, Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.schema import Crd, CustomResource, PrinterColumn, SchemaModel, ServerDefault
from fake_dra_driver.dra.driver.config import CheckedModel, DeviceConfig, NoConfig
from fake_dra_driver.dra.driver.driver import Driver

__all__ = [
    "MAX_COUNT",
    "PARAMETERS_VERSION",
    "ConfigDocument",
    "DriverParameters",
    "OptionalCount",
    "RequestedCount",
    "config_document",
    "config_of",
    "parameters_kind",
]

ConfigT = TypeVar("ConfigT", bound=DeviceConfig)

PARAMETERS_VERSION: Final = "v1alpha1"
MAX_COUNT: Final = 128
"""Most devices that one claim can ask for: with their names, what a claim holds fits into the 16 KiB of its handle."""
_WITHOUT_CONFIG: Final = "ClaimParameters"
"""The kind of a driver whose devices cannot be configured, so that no class gives it a name."""


class RequestedCount(SchemaModel):
    """How many devices a claim asks for, beside what they are to be like."""

    count: Annotated[int, ServerDefault()] = Field(default=1, ge=1, le=MAX_COUNT)
    """Number of devices, all of one node."""


class OptionalCount(SchemaModel):
    """The same where the request of the claim says it: left out, or the same number."""

    count: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    """How many devices the requests that this is for get together: the claim is refused if they get another number."""


class DriverParameters(CheckedModel, CustomResource):
    """Base of the kinds that ``parameters_kind`` makes. Their ``spec`` is of the author's model as well."""

    authored = "spec"

    spec: RequestedCount


class ConfigDocument(CheckedModel, SchemaModel):
    """Base of the models that ``config_document`` makes. Their ``spec`` is of the author's model as well."""

    authored = "spec"

    spec: OptionalCount


@cache
def parameters_kind(driver: type[Driver[Any]]) -> type[DriverParameters]:
    """The kind of the parameters of a driver's claims; the same class each time.

    Its group is the driver's name, its kind the name of the author's model.

    Raises ValueError: the author's model has a field ``count``.
    """
    config = _config_of(driver)
    kind = _WITHOUT_CONFIG if config is NoConfig else config.__name__
    spec = _model(f"{kind}Spec", driver, (RequestedCount, config), _words(config))
    about = f"Parameters of a ResourceClaim: {_lowered(_words(config))}"
    made = _model(
        kind,
        driver,
        (DriverParameters,),
        about,
        __annotations__={"spec": Annotated[spec, ServerDefault()]},
        spec=Field(default_factory=spec, description="What the devices of a claim are to be like, and how many."),
        resource=ResourceKind(driver.name, PARAMETERS_VERSION, kind, _plural(kind.lower())),
        crd=Crd(
            singular=kind.lower(),
            printer_columns=(
                PrinterColumn("Count", "integer", ".spec.count", "Number of devices."),
                PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
            ),
        ),
    )
    return cast("type[DriverParameters]", made)


@cache
def config_document(driver: type[Driver[Any]]) -> type[ConfigDocument]:
    """What stands beside ``apiVersion`` and ``kind`` in the opaque configuration of claims and classes.

    Raises ValueError as ``parameters_kind``, whose ``resource`` says what those two are.
    """
    kind, config = parameters_kind(driver).resource.kind, _config_of(driver)
    spec = _model(f"{kind}Spec", driver, (OptionalCount, config), _words(config))
    made = _model(
        kind,
        driver,
        (ConfigDocument,),
        _words(config),
        __annotations__={"spec": spec},
        spec=Field(default_factory=spec, description="What the devices are to be like."),
    )
    return cast("type[ConfigDocument]", made)


def config_of(spec: SchemaModel, model: type[ConfigT]) -> ConfigT:
    """The author's part of a spec, as an object of the author's own class."""
    # Not validated: it has been, as a part of the spec.
    values = {name: getattr(spec, name) for name in model.model_fields}
    # The cast is for mypy, to which the plugin of pydantic says that this gives an object of the bound.
    return cast("ConfigT", model.model_construct(_fields_set=spec.model_fields_set & values.keys(), **values))


def _model(
    name: str, driver: type[Driver[Any]], bases: tuple[type[BaseModel], ...], about: str, **members: Any
) -> type[BaseModel]:
    """A class that counts as the author's own. No file is read for docstrings of its fields, which may block."""
    config = ConfigDict(use_attribute_docstrings=False)
    namespace = {"__module__": driver.__module__, "__doc__": about, "model_config": config, **members}
    return types.new_class(name, bases, exec_body=lambda body: body.update(namespace))


def _config_of(driver: type[Driver[Any]]) -> type[DeviceConfig]:
    config = driver.config
    if any("count" in (name, field.alias) for name, field in config.model_fields.items()):
        raise ValueError(
            f"{config.__name__}, the config of {driver.__name__}, has a field count: that name is taken by the number "
            "of devices that a claim asks for"
        )
    return config


def _words(config: type[DeviceConfig]) -> str:
    """What the author says of the model, for people who write manifests."""
    if config is NoConfig or not config.__doc__:
        return "How many devices a claim asks for."
    return config.__doc__


def _lowered(sentence: str) -> str:
    """A sentence in the middle of another one, unless it begins with an abbreviation."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]


def _plural(singular: str) -> str:
    if singular.endswith(("ch", "sh", "ss", "x")):
        return f"{singular}es"
    if singular.endswith("s"):
        return singular  # such as lampsettings, and parameters themselves
    if singular.endswith("y") and singular[-2:-1] not in "aeiou":
        return f"{singular[:-1]}ies"
    return f"{singular}s"
