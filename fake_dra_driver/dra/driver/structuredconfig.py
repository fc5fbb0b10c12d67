"""What claims and classes of structured DRA say about a driver's devices, as the model of the driver's author. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, cast

from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.resource import v1
from fake_dra_driver.codegen import definition
from fake_dra_driver.dra.driver.allocated import ConfigT
from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.parameters import (
    MAX_COUNT,
    ConfigDocument,
    DriverParameters,
    config_document,
    config_of,
    parameters_kind,
)
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import Config, ConfigError, config_for
from fake_dra_driver.dra.structured.configcheck import ConfigCheck
from fake_dra_driver.dra.structured.countcheck import CountCheck
from fake_dra_driver.dra.structured.schemacheck import SchemaCheck
from fake_dra_driver.untrustedtext import one_line

__all__ = ["Choice", "DriverConfigs"]

MAX_SHOWN: Final = 200
"""Characters of a configuration that a message repeats."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[ConfigT]):
    """A device that was allocated, and what applies to it."""

    result: v1.DeviceRequestAllocationResult
    config: ConfigT
    """What claim and class say; where they say nothing, the defaults."""
    source: Config | None
    """Where they say it."""


class DriverConfigs(Generic[ConfigT]):
    """Reads opaque configuration, and compares it with what was allocated.

    Args:
        calls: of the driver.
    """

    def __init__(self, calls: AuthorCalls[ConfigT]) -> None:
        self._calls = calls
        # A class attribute cannot be typed by the parameter of the class; ``programs`` see to it that the two agree.
        self._model = cast("type[ConfigT]", calls.driver.config)
        kind = parameters_kind(type(calls.driver))
        kinds = {(kind.resource.api_version, kind.resource.kind): config_document(type(calls.driver))}
        self._schema = SchemaCheck(_schema_of(kind))
        self._count = CountCheck(_count_of, MAX_COUNT)
        self.check = ConfigCheck(calls.driver.name, kinds, (self._count.requested,), self._value_problems)
        """Finds what is wrong before anything is allocated."""

    def choices(self, allocated: AllocatedClaim) -> Sequence[Choice[ConfigT]]:
        """What a claim holds on a node, in the order of its allocation.

        Raises:
            ConfigError: the configuration cannot be read, or asks for another number of devices.
        """
        configs = self.check.decode(allocated.config)
        choices = [self._choice(result, configs) for result in allocated.results]
        used = [config for config in configs if any(choice.source is config for choice in choices)]
        results = allocated.results
        if problems := [problem for config in used for problem in self._count.allocated(config, results)]:
            raise ConfigError(problems)
        return choices

    def shown(self, allocated: AllocatedClaim) -> Sequence[Choice[ConfigT]]:
        """What is to be shown of a claim: with the defaults where its configuration cannot be used."""
        configs = self.check.readable(allocated)
        return [self._choice(result, configs) for result in allocated.results]

    def check_fit(
        self, allocated: AllocatedClaim, choices: Sequence[Choice[ConfigT]], device_of: Callable[[str], Device | None]
    ) -> None:
        """Compares devices with what their configuration asks for.

        Args:
            allocated: the claim that holds them.
            choices: those that are to be compared.
            device_of: a device of the node, by name; None: it is not compared.

        Raises:
            ConfigError: a device is not what a configuration asks for.
            PrepareError: it is not what the defaults ask for, or the driver's code has failed.
        """
        problems: list[FieldProblem] = []
        for choice in choices:
            device = device_of(choice.result.device)
            if device is None or self._calls.fits(device, choice.config):
                continue
            said = one_line(choice.config.model_dump_json(by_alias=True, exclude_defaults=True), MAX_SHOWN)
            refusal = (
                f"device {device.name}, which was allocated for request {choice.result.request}, does not fit "
                f"{type(choice.config).__name__} {said}: let selectors of the request choose among devices that do"
            )
            if choice.source is None:
                raise PrepareError(f"claim {allocated.claim.key}: {refusal}")
            problems.append(choice.source.problem("spec", refusal))
        if problems:
            raise ConfigError(problems)

    def _value_problems(self, config: Config) -> Iterable[FieldProblem]:
        spec = _document(config).spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return [problem.inside(f"{config.path}.spec") for problem in self._schema.problems(spec)]

    def _choice(self, result: v1.DeviceRequestAllocationResult, configs: Sequence[Config]) -> Choice[ConfigT]:
        config = config_for(result.request, configs)
        if config is None:
            return Choice(result, self._model(), None)
        return Choice(result, config_of(_document(config).spec, self._model), config)


def _schema_of(kind: type[DriverParameters]) -> Mapping[str, Any]:
    """The schema of ``spec``, as it is in the CRD."""
    (version,) = definition(kind)["spec"]["versions"]
    schema: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def _document(config: Config) -> ConfigDocument:
    if not isinstance(config.parameters, ConfigDocument):
        raise TypeError(f"{config.path}: {type(config.parameters).__name__} is no configuration of a driver")
    return config.parameters


def _count_of(config: Config) -> int | None:
    return _document(config).spec.count
