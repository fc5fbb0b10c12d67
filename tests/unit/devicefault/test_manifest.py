"""The DeviceFault that a command line asks for, and what makes no sense together."""

from typing import Any

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.devicefault.manifest import CannotFaultError, manifest_of
from fake_dra_driver.devicefault.settings import FaultSettings
from fake_dra_driver.flags import parse


def spec(*arguments: str) -> dict[str, Any]:
    """What the object says beside the driver's name."""
    manifest = manifest_of(parse(FaultSettings, arguments))
    DeviceFault.from_wire(manifest)
    found: dict[str, Any] = manifest["spec"]
    return {name: value for name, value in found.items() if name != "driverName"}


def test_an_object_has_a_name_of_ones_own_or_a_new_one() -> None:
    assert manifest_of(parse(FaultSettings, ["--vanish"]))["metadata"] == {"generateName": "fault-"}
    named = manifest_of(parse(FaultSettings, ["--vanish", "--name=f", "--driver-name=gpu.example.com"]))
    assert named["metadata"] == {"name": "f"}
    assert named["spec"] == {"driverName": "gpu.example.com", "effects": {"vanish": True}}


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["gpu-0,gpu-1"], {"devices": ["gpu-0", "gpu-1"]}),
        (["--nodes=node-0", "--models=A*,H*"], {"nodes": ["node-0"], "models": ["A*", "H*"]}),
        (["--claim=default/c"], {"claim": {"namespace": "default", "name": "c"}}),
        (["--cel=true", "--count=2", "--seed=0"], {"cel": "true", "count": 2, "seed": 0}),
    ],
)
def test_the_devices(arguments: list[str], target: dict[str, Any]) -> None:
    assert spec("--vanish", *arguments)["target"] == target


@pytest.mark.parametrize(
    ("arguments", "effects"),
    [
        (["--health=Unhealthy", "--message=too hot"], {"health": {"state": "Unhealthy", "message": "too hot"}}),
        (["--taint=a.b/c=d:NoExecute"], {"taint": {"key": "a.b/c", "value": "d", "effect": "NoExecute"}}),
        (["--taint=b:None"], {"taint": {"key": "b", "effect": "None"}}),
        (["--fail-prepare=all"], {"prepare": {"fail": {}}}),
        (["--fail-prepare=2", "--delay-prepare=3"], {"prepare": {"delaySeconds": 3, "fail": {"times": 2}}}),
        (["--fail-unprepare=1", "--message=no"], {"unprepare": {"fail": {"times": 1, "message": "no"}}}),
        (["--fail-binding"], {"binding": {"failure": "the device cannot be bound to"}}),
        (["--delay-binding=5"], {"binding": {"delaySeconds": 5}}),
        (["--lose-slices", "--deregister"], {"slicesLost": True, "deregister": True}),
    ],
)
def test_the_effects(arguments: list[str], effects: dict[str, Any]) -> None:
    assert spec(*arguments)["effects"] == effects


def test_how_long() -> None:
    assert spec("--vanish", "--duration=90s")["duration"] == "90s"
    random = spec("--vanish", "--mean-time-between-failures=1h", "--mean-time-to-repair=5m", "--seed=7")["random"]
    assert random == {"seed": 7, "meanTimeBetweenFailures": "1h", "meanTimeToRepair": "5m"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say what is to go wrong: --health Unhealthy, --taint, --vanish"),
        (["--vanish", "--message=x"], "--message is of --health"),
        (["--vanish", "--seed=1"], "--seed chooses --count devices"),
        (["--vanish", "--mean-time-to-repair=1m"], "go together: give both or none"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(CannotFaultError, match=words):
        spec(*arguments)
