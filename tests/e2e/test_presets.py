"""Presets from image and chart: each vendor's manifests, all at once, on a real scheduler, kubelet and runtime.

Not that of CPUs, of which its manifest wants more than a small machine has.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.driver import Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.presetsite import PresetSite
from tests.support.presetdemo import PRESETS, Preset, play_taints

# Partitions, shares, extended resources, binding conditions and v1 of taint rules: all are there from 1.37 on.
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.structured,
    pytest.mark.needs(minor=37),
    pytest.mark.sampled("presets", one_in=4),
]

BY_NAME: Final = {preset.name: preset for preset in PRESETS}


@pytest.fixture(scope="module")
def site(kubectl: Kubectl, driver: Driver) -> PresetSite:
    """The cluster. The usual release is there as well: no driver minds another."""
    assert driver.protocol.structured is not None
    return PresetSite(kubectl, driver.protocol.structured)


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest, site: PresetSite) -> Iterator[Preset]:
    preset = BY_NAME[request.param]
    site.install(preset)
    yield preset
    site.uninstall(preset)


def play(site: PresetSite, preset: Preset, variant: str) -> None:
    demos = preset.demos[variant]
    site.choose(preset, variant)
    site.start(demos)
    for demo in demos:
        demo.check(site, demo.namespace)
    site.stop(demos)


@pytest.mark.parametrize("installed", ["dra-example-gpu"], indirect=True)
@pytest.mark.parametrize("variant", list(BY_NAME["dra-example-gpu"].demos))
def test_gpus_of_the_example_driver(site: PresetSite, installed: Preset, variant: str) -> None:
    play(site, installed, variant)


@pytest.mark.parametrize("installed", ["dra-example-gpu"], indirect=True)
def test_tainted_gpus(site: PresetSite, installed: Preset) -> None:
    site.choose(installed, "")
    play_taints(site)


@pytest.mark.parametrize("installed", ["dra-example-net", "nvidia-a100"], indirect=True)
def test_manifests(site: PresetSite, installed: Preset) -> None:
    play(site, installed, "")
