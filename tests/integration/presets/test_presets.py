"""Manifests of each vendor run on its preset."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.integration.presets.site import Site, running_site
from tests.support.presetdemo import PRESETS, PRESETS_FOLDER, Preset, play_taints

ALONE: Final = "nvidia-h100"
"""Its driver has the name of another preset's: a cluster has one driver of a name."""
TOGETHER: Final = {preset.name: preset for preset in PRESETS if preset.name != ALONE}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A cluster for the other presets, which stay in it, beside each other on one node."""
    with running_site() as site:
        yield site


def play(site: Site, preset: Preset, variant: str = "") -> None:
    demos = preset.demos[variant]
    site.install(preset)
    site.choose(preset, variant)
    site.start(demos)
    for demo in demos:
        demo.check(site, demo.namespace)
    site.stop(demos)


def test_every_preset_is_here() -> None:
    assert {*TOGETHER, ALONE} == {path.stem for path in PRESETS_FOLDER.glob("*.yaml")}


@pytest.mark.parametrize(("name", "variant"), [(name, each) for name in TOGETHER for each in TOGETHER[name].demos])
def test_manifests(site: Site, name: str, variant: str) -> None:
    play(site, TOGETHER[name], variant)


def test_taints(site: Site) -> None:
    preset = TOGETHER["dra-example-gpu"]
    site.install(preset)
    site.choose(preset, "")
    play_taints(site)


def test_manifests_of_a_preset_whose_driver_another_has() -> None:
    (preset,) = (preset for preset in PRESETS if preset.name == ALONE)
    with running_site() as site:
        play(site, preset)
