"""Which opaque configuration this driver takes, in claims and in DeviceClasses, and which claims are about it.

The kinds are those that a profile lists. FakeClaimParameters, which the profile of the quickstart lists, has a model;
any other kind is what the schema in the profile says. Both are read as strictly.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, RootModel
from typing_extensions import override

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    MAX_CHILDREN,
    MAX_COUNT,
    RESOURCE_CLASS_NAME,
    FakeClaimConfig,
    FakeClaimConfigSpec,
)
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra import FieldProblem
from fake_dra_driver.dra.structured import (
    Config,
    ConfigCheck,
    CountCheck,
    DriverClaims,
    StrictSchema,
    alternatives_of,
    config_for,
)
from fake_dra_driver.driver.profile.containers import FAKE_CLAIM_PARAMETERS, ConfigKind

__all__ = ["COUNT_CHECK", "Kinds", "MockConfigs", "claims_of", "spec_of"]

Kinds = Callable[[], Sequence[ConfigKind]]
"""The kinds that are accepted at this moment. Several profiles may have one kind, each with a schema of its own."""

Key = tuple[str, str]
"""Of a kind: apiVersion and kind."""


class OpaqueConfig(RootModel[dict[str, Any]]):
    """Configuration of a kind that a profile describes."""


def claims_of(driver: str) -> DriverClaims:
    """Claims and classes that are about devices of this driver; the chart's own class is one by its name."""
    return DriverClaims(driver, (RESOURCE_CLASS_NAME if driver == DRIVER_NAME else driver,))


def spec_of(config: Config | None) -> FakeClaimConfigSpec | None:
    """What FakeClaimParameters say; None where they are of another kind, or there are none."""
    if config is None or not isinstance(config.parameters, FakeClaimConfig):
        return None
    return config.parameters.spec


class MockConfigs:
    """Reads the configuration of mock devices.

    Args:
        driver: its name.
        kinds: those that are accepted.
    """

    def __init__(self, driver: str, kinds: Kinds = lambda: (FAKE_CLAIM_PARAMETERS,)) -> None:
        self._kinds = kinds
        self._schemas: list[tuple[Mapping[str, Any], StrictSchema]] = []
        """Those of the kinds that are accepted, each with what checks it."""
        self.check = ConfigCheck(driver, _Models(kinds), (COUNT_CHECK.requested, _split_problems), self._value_problems)
        """Finds what is wrong before anything is allocated."""

    def config_for(self, request: str, device_type: str, configs: Sequence[Config]) -> Config | None:
        """What applies to a device: the last configuration that covers its request, and is for devices of its type."""
        return config_for(request, [config for config in configs if self.is_for(config, device_type)])

    def is_for(self, config: Config, device_type: str) -> bool:
        """Whether a configuration is for devices of a type; an empty type: that is not known."""
        return not device_type or any(kind.is_for(device_type) for kind in self._of_kind(config.kind))

    def type_problems(
        self, configs: Sequence[Config], results: Iterable[tuple[v1.DeviceRequestAllocationResult, str]]
    ) -> Iterator[FieldProblem]:
        """Says so where a configuration names a request that has devices of a type that it is not for.

        Args:
            configs: all of the claim's.
            results: the devices that it has, each with its type.
        """
        for result, device_type in results:
            config = config_for(result.request, configs)
            if config is not None and config.requests and not self.is_for(config, device_type):
                types = " or ".join(sorted({each for kind in self._of_kind(config.kind) for each in kind.types}))
                message = (
                    f"{config.kind[1]} is for devices of type {types}, and {result.device}, which was allocated for "
                    f"request {result.request}, is of type {device_type}"
                )
                yield config.problem("kind", message)

    def fields_of(self, config: Config) -> Mapping[str, Any]:
        """What a configuration says, with what its schema has as defaults."""
        fields = config.parameters.model_dump(mode="json", by_alias=True, exclude_unset=True)
        schema = next((each.schema for each in self._of_kind(config.kind) if each.schema is not None), None)
        filled = fields if schema is None else self._strict(schema).with_defaults(fields)
        return {"apiVersion": config.kind[0], "kind": config.kind[1], **filled}

    def _of_kind(self, key: Key) -> Sequence[ConfigKind]:
        return [kind for kind in self._kinds() if (kind.api_version, kind.kind) == key]

    def _value_problems(self, config: Config) -> Sequence[FieldProblem]:
        """What the schema finds wrong; of several schemas for one kind, one has to find nothing."""
        if not isinstance(config.parameters, OpaqueConfig):
            return ()
        first: Sequence[FieldProblem] = ()
        for kind in self._of_kind(config.kind):
            problems = () if kind.schema is None else self._strict(kind.schema).problems(config.parameters.root)
            if not problems:
                return ()
            first = first or problems
        return [problem.inside(config.path) for problem in first]

    def _strict(self, schema: Mapping[str, Any]) -> StrictSchema:
        for known, strict in self._schemas:
            if known is schema:
                return strict
        # A profile that has changed brings others.
        accepted = [kind.schema for kind in self._kinds()]
        self._schemas = [pair for pair in self._schemas if any(pair[0] is each for each in accepted)]
        strict = StrictSchema(schema)
        self._schemas.append((schema, strict))
        return strict


class _Models(Mapping[Key, type[BaseModel]]):
    """By apiVersion and kind: the model of what stands beside them."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds

    @override
    def __getitem__(self, key: Key) -> type[BaseModel]:
        if key not in self._keys():
            raise KeyError(key)
        is_ours = key == (FAKE_CLAIM_PARAMETERS.api_version, FAKE_CLAIM_PARAMETERS.kind)
        return FakeClaimConfig if is_ours else OpaqueConfig

    @override
    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys())

    @override
    def __len__(self) -> int:
        return len(self._keys())

    def _keys(self) -> Sequence[Key]:
        return list(dict.fromkeys((kind.api_version, kind.kind) for kind in self._kinds()))


def _split_problems(
    config: Config, configs: Sequence[Config], requests: Sequence[v1.DeviceRequest]
) -> Iterable[FieldProblem]:
    """Says so where each of the requests alone brings more children than a claim may have, whatever is chosen for it.

    Each alone, since the others may be for devices of other drivers.
    """
    if (spec := spec_of(config)) is None:
        return
    counts = []
    for request in requests:
        chosen = dict(alternatives_of(request))
        split = [config_for(name, configs) is config for name in chosen]
        if any(split):
            counts.append(min(map(_least_count, chosen.values())) if all(split) else 0)
    least, asked = min(counts, default=0), spec.split
    if asked > 1 and least * asked > MAX_CHILDREN:
        message = (
            f"must be at most {MAX_CHILDREN // least}, is {asked}: a claim has at most {MAX_CHILDREN} children, and "
            f"its requests ask for at least {least} devices"
        )
        yield config.problem("spec.split", message)


def _least_count(asked: v1.ExactDeviceRequest | v1.DeviceSubRequest) -> int:
    return 1 if asked.allocation_mode == "All" else asked.count or 1


def _count_of(config: Config) -> int | None:
    spec = spec_of(config)
    return None if spec is None else spec.count


COUNT_CHECK: Final = CountCheck(_count_of, MAX_COUNT)
