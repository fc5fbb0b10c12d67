"""The manifests of the example apps: for classic DRA as they are, for structured DRA as ``convert`` makes them."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.convert.conversion import Source, convert
from fake_dra_driver.demo.command import typed_path

__all__ = ["Manifests", "find_manifests"]

_NUMBERS: Final = range(1, 7)
_CONVERTED: Final = "v1"
"""The version for which converted manifests are in the source tree, in a folder of that name."""


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of the example apps, by their numbers."""

    folder: Path
    typed_folder: str
    """The folder as a person would type it."""
    converter: str = ""
    """The command that a person has to pass them through; empty: none."""

    def files(self, numbers: Sequence[int]) -> Sequence[Path]:
        """Their files."""
        return [self.folder / _name(str(number)) for number in numbers]

    def typed(self, kubectl: str, numbers: Sequence[int]) -> str:
        """What a person types to have kubectl do something with them."""
        shown = str(numbers[0]) if len(numbers) == 1 else f"{{{','.join(map(str, numbers))}}}"
        filename = f"--filename={self.typed_folder}/{_name(shown)}"
        return f"{self.converter} {filename} | {kubectl} --filename=-" if self.converter else f"{kubectl} {filename}"

    def in_version(self, api: ResourceApi | None, program: str, scratch: Path) -> "Manifests":
        """The same, converted if that is still to be done. Blocks.

        Args:
            api: the version of structured DRA that is wanted; None: classic DRA.
            program: how a person calls this program.
            scratch: where to keep converted files.

        Raises:
            ClusterError: one cannot be converted.
        """
        if api is None or api.version == _CONVERTED:
            return self
        scratch.mkdir(exist_ok=True)
        for file in self.files(_NUMBERS):
            if not file.is_file():
                continue
            conversion = convert([Source(str(file), file.read_text())], api)
            if conversion.failed:
                raise ClusterError("; ".join(map(str, conversion.messages)))
            (scratch / file.name).write_text(conversion.text)
        return Manifests(scratch, self.typed_folder, f"{program} convert --output-version={api.version}")


def find_manifests(folder: Path, api: ResourceApi | None) -> Manifests:
    """The manifests in a folder such as ``demo`` of the source tree. Blocks.

    Args:
        folder: the folder.
        api: the version of structured DRA that is wanted; None: classic DRA. Where the folder has no manifests of that
            version, they are yet to be converted.

    Raises:
        ClusterError: something is missing that would otherwise only show as a pod that does not start.
    """
    if api is not None and api.version == _CONVERTED:
        folder /= _CONVERTED
    if not (folder / _name("1")).is_file():
        where = f"folder demo{'/v1' if folder.name == _CONVERTED else ''} of the source tree"
        raise ClusterError(f"There is no {_name('1')} in {folder}: it is in the {where}")
    if shutil.which("sh") is None:
        raise ClusterError("There is no sh on this machine, which the containers of the example apps run: install one")
    return Manifests(folder, typed_path(folder))


def _name(number: str) -> str:
    return f"fake-test{number}.yaml"
