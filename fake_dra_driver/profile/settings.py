"""Settings of ``profile check`` and ``profile render``."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from fake_dra_driver.dra.program.settings import INPUT, OUTPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.settings import Allowed, Flag

__all__ = ["STANDARD_INPUT", "ProfileCheckSettings", "ProfileRenderSettings"]

STANDARD_INPUT: Final = "-"


def _existing(name: str) -> str:
    if name != STANDARD_INPUT and not Path(name).is_file():
        raise ValueError(f"there is no file {name}")
    return name


FileName = Annotated[
    str,
    AfterValidator(_existing),
    Allowed("a file that exists, or - for standard input"),
    # Other commands mean other files by FILE.
    Flag(INPUT, "FILE", variable="PROFILE_FILE", positional=True),
]


class ProfileCheckSettings(CommandSettings):
    """Says what is wrong with the DeviceProfiles in a file: where, what is there, and what is allowed.

    It needs no cluster. The exit status is 1 if anything is wrong.
    """

    file: FileName
    """Manifests in YAML, or a values file of the chart, such as a preset."""


class ProfileRenderSettings(CommandSettings):
    """Shows what a node gets of a DeviceProfile: its ResourceSlices, its NodeAllocationState, and what containers see.

    It needs no cluster.
    """

    file: FileName
    """Manifests in YAML, or a values file of the chart, such as a preset."""
    name: Annotated[str, Flag(INPUT, "NAME", variable="PROFILE", unset="every profile in the file")] = ""
    """Which of the file's profiles."""
    node: Annotated[
        str,
        Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"),
        Allowed("name of a node: a DNS subdomain in lower case"),
        Flag(INPUT, "NAME", variable="PROFILE_NODE"),
    ] = "node-0"
    """Name of the node: UUIDs depend on it. Its labels are those that the profile selects it by."""
    kubernetes_version: Annotated[
        str,
        Field(pattern=r"^v?1\.(2[7-9]|30|3[2-9])(\.[0-9]+)?$"),
        Allowed("1.27 to 1.30, or 1.32 and later"),
        Flag(INPUT, "VERSION", variable="PROFILE_KUBERNETES_VERSION"),
    ] = "1.37"
    """Release of the cluster, which decides what can be published, and in how many slices."""
    output: Annotated[Literal["table", "yaml"], Flag(OUTPUT, short="o", variable="PROFILE_OUTPUT")] = "table"
    """Format: a table for people, or the objects in YAML."""

    @property
    def minor(self) -> int:
        """Of the release: 34 for 1.34."""
        return int(self.kubernetes_version.split(".")[1])
