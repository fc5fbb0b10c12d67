"""What a profile says about containers, in the form in which it is kept until a claim is prepared."""

from collections.abc import Sequence

from fake_dra_driver.api import deviceprofile
from fake_dra_driver.driver.profile.containers import ConfigKind, EnvironmentVariable, MountedFile

__all__ = ["config_kinds_of", "files_of", "variables_of"]


def variables_of(
    path: str, variables: Sequence[deviceprofile.ContainerVariable] | None
) -> tuple[EnvironmentVariable, ...] | None:
    """The variables at this path of a profile; None where it has none, not even an empty list."""
    if variables is None:
        return None
    return tuple(
        EnvironmentVariable(each.name, each.value, each.when)
        for number, each in enumerate(variables)
    )


def files_of(spec: deviceprofile.DeviceProfileSpec) -> tuple[MountedFile, ...]:
    """The files of a profile."""
    return tuple(
        MountedFile(each.path, each.content, each.mode)
        for number, each in enumerate(spec.files)
    )


def config_kinds_of(spec: deviceprofile.DeviceProfileSpec) -> tuple[ConfigKind, ...]:
    """The kinds of configuration that a profile accepts."""
    return tuple(
        ConfigKind(each.api_version, each.kind, each.openapi, each.default, each.types) for each in spec.configs
    )
