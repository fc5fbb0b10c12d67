"""Which opaque configuration this driver takes, in claims and in DeviceClasses, and which claims are about it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    MAX_CHILDREN,
    MAX_COUNT,
    RESOURCE_CLASS_NAME,
    FakeClaimConfig,
    FakeClaimConfigSpec,
    FakeClaimParameters,
)
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra import FieldProblem
from fake_dra_driver.dra.structured import Config, ConfigCheck, CountCheck, DriverClaims, alternatives_of, config_for

__all__ = ["CONFIG_CHECK", "COUNT_CHECK", "PARAMETER_KINDS", "claims_of", "config_check", "spec_of"]

_KIND: Final = FakeClaimParameters.resource

PARAMETER_KINDS: Final[Mapping[tuple[str, str], type[BaseModel]]] = {
    (_KIND.api_version, _KIND.kind): FakeClaimConfig,
}
"""By ``apiVersion`` and ``kind``: what stands beside them."""


def claims_of(driver: str) -> DriverClaims:
    """Claims and classes that are about devices of this driver; the chart's own class is one by its name."""
    return DriverClaims(driver, (RESOURCE_CLASS_NAME if driver == DRIVER_NAME else driver,))


def spec_of(config: Config) -> FakeClaimConfigSpec:
    """What this driver's parameters say."""
    if not isinstance(config.parameters, FakeClaimConfig):
        raise TypeError(f"{config.path}: {type(config.parameters).__name__} are not parameters of this driver")
    return config.parameters.spec


def _split_problems(
    config: Config, configs: Sequence[Config], requests: Sequence[v1.DeviceRequest]
) -> Iterable[FieldProblem]:
    """Says so where each of the requests alone brings more children than a claim may have, whatever is chosen for it.

    Each alone, since the others may be for devices of other drivers.
    """
    counts = []
    for request in requests:
        chosen = dict(alternatives_of(request))
        split = [config_for(name, configs) is config for name in chosen]
        if any(split):
            counts.append(min(map(_least_count, chosen.values())) if all(split) else 0)
    least, asked = min(counts, default=0), spec_of(config).split
    if asked > 1 and least * asked > MAX_CHILDREN:
        message = (
            f"must be at most {MAX_CHILDREN // least}, is {asked}: a claim has at most {MAX_CHILDREN} children, and "
            f"its requests ask for at least {least} devices"
        )
        yield config.problem("spec.split", message)


def _least_count(asked: v1.ExactDeviceRequest | v1.DeviceSubRequest) -> int:
    return 1 if asked.allocation_mode == "All" else asked.count or 1


COUNT_CHECK: Final = CountCheck(lambda config: spec_of(config).count, MAX_COUNT)


def config_check(driver: str) -> ConfigCheck:
    """What is asked of the configuration of this driver."""
    return ConfigCheck(driver, PARAMETER_KINDS, (COUNT_CHECK.requested, _split_problems))


CONFIG_CHECK: Final = config_check(DRIVER_NAME)
"""Under the driver's usual name. What claims were allocated is read in the same way under any name."""
