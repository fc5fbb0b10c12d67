"""The presets as the package brings them along: copies of those in the chart, each of which can be installed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.codegen import GoTemplateError, Project, SourceTree
from fake_dra_driver.driver.profile.checking import profile_problems
from fake_dra_driver.packaging.project import CHART, driver_project

__all__ = ["COPIES", "PresetError", "preset_copies"]

COPIES: Final = "fake_dra_driver/preset/files"
"""Where they are, in the source tree."""
_RELEASE: Final = "1.37"
"""Of Kubernetes, whose manifests have most in them."""


class PresetError(Exception):
    """A preset that nobody could install."""


def preset_copies(root: Path, tree: SourceTree) -> Mapping[str, str]:
    """The text of each copy, by its path in the source tree; nothing where the tree has no presets.

    Raises:
        PresetError: the chart refuses a preset, or a profile in it cannot be used.
    """
    files, project = {}, driver_project()
    for path in sorted((root / CHART / "presets").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if problems := list(_problems(project, yaml.safe_load(text))):
            raise PresetError("\n".join(f"{CHART}/presets/{path.name}: {problem}" for problem in problems))
        files[f"{COPIES}/{path.name}"] = f"# {tree.header(f'{CHART}/presets/{path.name}')}\n{text}"
    return files


def _problems(project: Project, values: Mapping[str, Any]) -> Iterator[str]:
    try:
        manifests = project.manifests("preset", values=values, kube_version=_RELEASE)
    except GoTemplateError as error:
        yield str(error)
        return
    for manifest in manifests:
        if manifest["kind"] == DeviceProfile.resource.kind:
            profile = DeviceProfile.model_validate(manifest)
            yield from (f"DeviceProfile {profile.metadata.name}: {problem}" for problem in profile_problems(profile))
