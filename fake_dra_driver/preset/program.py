"""The sub-commands ``preset list`` and ``preset show``."""

import sys

from fake_dra_driver.preset.catalog import UnknownPresetError, preset_of, presets
from fake_dra_driver.preset.settings import PresetListSettings, PresetShowSettings

__all__ = ["run_preset_list", "run_preset_show"]


def run_preset_list(settings: PresetListSettings) -> int:
    """Prints a line for each preset, and how one is used. Returns the exit status."""
    del settings
    found = presets()
    width = max(len(preset.name) for preset in found)
    for preset in found:
        sys.stdout.write(f"{preset.name:{width}}  {preset.title}\n")
    example = found[0].name
    sys.stdout.write(
        f"\nTo read one: fake-dra-driver preset show {example}\n"
        "To install one, from the chart's folder, in a namespace of its own:\n"
        f"  helm install {example} . --namespace {example} --create-namespace --values presets/{example}.yaml\n"
    )
    return 0


def run_preset_show(settings: PresetShowSettings) -> int:
    """Prints a preset. Returns the exit status."""
    try:
        preset = preset_of(settings.preset)
    except UnknownPresetError as error:
        sys.stderr.write(f"fake-dra-driver preset show: {error}\n")
        return 1
    sys.stdout.write(preset.text)
    return 0
