"""The presets that this version has.

Each is a values file of the chart, in the chart's folder. Below this package there are copies, which the wheel and the
image bring along; `generate` makes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["FOLDER", "Preset", "UnknownPresetError", "preset_of", "presets"]

FOLDER: Final = Path(__file__).parent / "files"


class UnknownPresetError(Exception):
    """There is no preset of a name. The message says which there are."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A values file."""

    name: str
    text: str
    """The whole file: first a comment, then values."""

    @property
    def title(self) -> str:
        """One sentence about it: the first line of the comment."""
        return self.text.partition("\n")[0].removeprefix("#").strip()

    @property
    def values(self) -> dict[str, Any]:
        """The values."""
        found: dict[str, Any] = yaml.safe_load(self.text)
        return found


def presets() -> Sequence[Preset]:
    """All presets, by name. Blocks."""
    return [_read(path) for path in sorted(FOLDER.glob("*.yaml"))]


def preset_of(name: str) -> Preset:
    """The preset of a name. Blocks.

    Raises:
        UnknownPresetError: there is none.
    """
    found = {preset.name: preset for preset in presets()}
    if name not in found:
        raise UnknownPresetError(f"there is no preset {name}; there are {', '.join(found)}")
    return found[name]


def _read(path: Path) -> Preset:
    # The first line says from what the copy was made.
    return Preset(path.stem, path.read_text(encoding="utf-8").partition("\n")[2])
