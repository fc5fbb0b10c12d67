"""Settings of ``convert``."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator

from fake_dra_driver.dra.program.settings import INPUT, OUTPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.settings import Allowed, Flag

__all__ = ["STANDARD_INPUT", "ConvertSettings", "files_of"]

STANDARD_INPUT: Final = "-"
SUFFIXES: Final = (".json", ".yaml", ".yml")
"""Of the files that kubectl takes from a folder."""


def files_of(name: str) -> list[Path]:
    """The file of that name, or the files of manifests in the folder of that name, by name."""
    path = Path(name)
    return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES) if path.is_dir() else [path]


def _names(value: object) -> object:
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


def _existing(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name == STANDARD_INPUT:
            continue
        if not Path(name).exists():
            raise ValueError(f"there is no {name}")
        if not files_of(name):
            raise ValueError(f"there is no file *.yaml, *.yml or *.json in {name}")
    return names


FileNames = Annotated[
    tuple[str, ...],
    BeforeValidator(_names),
    AfterValidator(_existing),
    Allowed("files and folders that exist, separated by commas, and - for standard input"),
]


class ConvertSettings(CommandSettings):
    """Converts manifests of classic DRA to structured DRA, for Kubernetes 1.32 and later. It needs no cluster."""

    filename: Annotated[FileNames, Flag(INPUT, "FILE", short="f", unset="standard input", repeatable=True)] = ()
    """File of manifests, in YAML or JSON; of a folder the files *.yaml, *.yml and *.json; - is standard input. May be
    given several times: parameters are found in any of the files."""
    output_version: Annotated[Literal["v1", "v1beta2", "v1beta1"], Flag(OUTPUT)] = "v1"
    """Version of resource.k8s.io to convert to: v1 is for Kubernetes 1.34 and later, v1beta1 also for 1.32 and v1beta2
    also for 1.33."""
