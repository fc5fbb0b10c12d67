"""The presets: what is said of them, and what the chart makes of each."""

import json
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver import cli
from fake_dra_driver.packaging.manifests import chart_manifests
from fake_dra_driver.packaging.presets import PresetError, preset_copies
from fake_dra_driver.packaging.project import CHART, TREE
from fake_dra_driver.preset.catalog import presets

PRESETS = {preset.name: preset for preset in presets()}
ROOT = Path(__file__).parents[3]


def test_a_list_names_each_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preset", "list"]) == 0
    printed = capsys.readouterr().out
    for preset in PRESETS.values():
        assert f"{preset.name} " in printed
        assert preset.title in printed
    assert "helm install" in printed


def test_what_is_shown_is_the_file_of_the_chart(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preset", "show", "nvidia-a100"]) == 0
    assert capsys.readouterr().out == (ROOT / CHART / "presets/nvidia-a100.yaml").read_text(encoding="utf-8")


def test_a_name_that_there_is_not_is_answered_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preset", "show", "nvidia-a10"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("fake-dra-driver preset show: there is no preset nvidia-a10; there are ")
    assert "nvidia-a100" in said


@pytest.mark.parametrize("name", PRESETS)
def test_each_says_its_sources_and_what_is_not_known(name: str) -> None:
    comment = PRESETS[name].text.partition("\n\n")[0]
    assert all(line.startswith("#") for line in comment.splitlines())
    for part in ("# Sources: ", "# Not known: ", "https://"):
        assert part in comment


@pytest.mark.parametrize("name", PRESETS)
def test_each_is_of_one_driver_for_both_modes(name: str) -> None:
    values = PRESETS[name].values
    assert values.keys() == {"driverName", "deviceClasses", "deviceProfiles"}
    driver = values["driverName"]
    structured = chart_manifests("mock", values=values, kube_version="1.37")
    assert named(structured, "DeviceClass") == {each["name"] for each in values["deviceClasses"]}
    assert named(structured, "DeviceProfile") == {each["name"] for each in values["deviceProfiles"]}
    for manifest in structured:
        if manifest["kind"] == "DeviceClass":
            assert f"'{driver}'" in json.dumps(manifest["spec"]["selectors"])
        elif manifest["kind"] == "DeviceProfile":
            assert manifest["spec"]["driverName"] == driver
    classic = chart_manifests("mock", values=values, kube_version="1.30")
    assert named(classic, "ResourceClass") == {driver}
    assert named(classic, "DeviceProfile") == named(structured, "DeviceProfile")


def named(manifests: Any, kind: str) -> set[str]:
    """The names of the objects of a kind."""
    return {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == kind}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            "driverName: gpu.example.com\ndeviceProfiles: [{name: a, spec: {driverName: b.example.com}}]",
            "b.example.com",
        ),
        (
            "driverName: gpu.example.com\n"
            "deviceProfiles: [{name: a, spec: {groups: [{name: gpu, count: 2, deviceName: same}]}}]",
            "DeviceProfile a: spec.groups[0]",
        ),
    ],
)
def test_one_that_could_not_be_installed_is_not_generated(values: str, problem: str, tmp_path: Path) -> None:
    folder = tmp_path / CHART / "presets"
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_text(f"# Bad.\n{values}\n", encoding="utf-8")
    with pytest.raises(PresetError) as caught:
        preset_copies(tmp_path, TREE)
    assert str(caught.value).startswith(f"{CHART}/presets/bad.yaml: ")
    assert problem in str(caught.value)
