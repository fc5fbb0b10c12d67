"""The demo's manifests for structured DRA: those for classic DRA, as the command ``convert`` converts them."""

from collections.abc import Mapping
from pathlib import Path

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.codegen import SourceTree
from fake_dra_driver.convert.conversion import Source, convert

__all__ = ["converted_demos"]

_CLASSIC = "demo"
_STRUCTURED = f"{_CLASSIC}/v1"


class DemoError(Exception):
    """A manifest of the demo that cannot be converted."""


def converted_demos(root: Path, tree: SourceTree) -> Mapping[str, str]:
    """The text of each manifest, by its path in the source tree; nothing where the tree has no demo.

    Raises:
        DemoError: a manifest cannot be converted.
    """
    files = {}
    for path in sorted((root / _CLASSIC).glob("*.yaml")):
        source = Source(f"{_CLASSIC}/{path.name}", path.read_text(encoding="utf-8"))
        conversion = convert([source], RESOURCE_APIS["v1"])
        if conversion.failed:
            raise DemoError("\n".join(map(str, conversion.messages)))
        files[f"{_STRUCTURED}/{path.name}"] = f"# {tree.header(source.name)}\n{conversion.text}"
    return files
