"""What a profile says about containers, in the form in which it is kept until a claim is prepared."""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.api import deviceprofile
from fake_dra_driver.dra.structured import StrictSchema, schema_problems
from fake_dra_driver.driver.profile.containers import ConfigKind, EnvironmentVariable, MountedFile

__all__ = ["config_kinds_of", "files_of", "variables_of"]


def variables_of(
    path: str, variables: Sequence[deviceprofile.ContainerVariable] | None
) -> tuple[EnvironmentVariable, ...] | None:
    """The variables at this path of a profile; None where it has none, not even an empty list."""
    if variables is None:
        return None
    return tuple(
        EnvironmentVariable(each.name, each.value, each.when, source=f"{path}[{number}]")
        for number, each in enumerate(variables)
    )


def files_of(spec: deviceprofile.DeviceProfileSpec) -> tuple[MountedFile, ...]:
    """The files of a profile."""
    return tuple(
        MountedFile(each.path, each.content, each.mode, source=f"spec.files[{number}]")
        for number, each in enumerate(spec.files)
    )


def config_kinds_of(spec: deviceprofile.DeviceProfileSpec) -> tuple[ConfigKind, ...]:
    """The kinds of configuration that a profile accepts."""
    return tuple(
        ConfigKind(each.api_version, each.kind, each.openapi, _default(each), each.types) for each in spec.configs
    )


def _default(kind: deviceprofile.ConfigKind) -> Mapping[str, Any] | None:
    if kind.default is None or kind.openapi is None or schema_problems(kind.openapi):
        return kind.default
    filled: Mapping[str, Any] = StrictSchema(kind.openapi).with_defaults(kind.default)
    return filled
