"""The program of an author's driver: commands, help, what is wrong with the class, and what it generates."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from fake_dra_driver.dra.driver.checks import DriverClassError
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.program.project import project_of
from fake_dra_driver.dra.program.run import command_line_of, run_driver
from fake_dra_driver.settings import Settings
from tests.unit.dra.driver.lamp import LampDriver

NODE = ["--namespace=lamps", "--node-name=node-a"]


class LampSettings(Settings):
    """Of lamps."""

    lamps: int = 2
    """How many lamps a node has."""


class SteeredDriver(LampDriver):
    """Lamps of one's own number. They shine."""

    version = "1.2.3"
    settings = LampSettings
    chart = {"kubeletPlugin": {"settings": {"lamps": 5}}}  # noqa: RUF012 - as an author would write it

    def __init__(self) -> None:
        self.lamps = 0

    @override
    def configure(self, settings: Settings) -> None:
        assert isinstance(settings, LampSettings)
        self.lamps = settings.lamps

    @override
    def devices(self, node: str) -> Iterable[Device]:
        return [Device(f"lamp-{number % 2}") for number in range(self.lamps)]


class NamelessDriver(LampDriver):
    """Nothing has its name."""

    name = "lamp"


def run(*arguments: str, driver: LampDriver | None = None) -> int:
    return command_line_of(driver or SteeredDriver()).main(arguments)


def test_the_overview_says_what_the_driver_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Usage: lamp-driver <command> [flags]\n\nLamps of one's own number.\n")
    commands = ("kubelet-plugin", "controller", "webhook", "set-nas-status", "generate")
    assert all(f"\n  {command} " in printed for command in commands)


@pytest.mark.parametrize("command", ["kubelet-plugin", "controller", "webhook", "set-nas-status", "generate"])
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Usage: lamp-driver {command} [flags]\n")
    assert "FAKE_DRA_" not in printed
    assert ("LAMP_LAMPS" in printed) == (command == "kubelet-plugin")


def test_the_version_is_the_drivers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == "lamp-driver 1.2.3\n"


def test_what_is_wrong_with_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kubelet-plugin", *NODE, "--lamps=many") == 2
    assert '--lamps (LAMP_LAMPS): "many" is not allowed. Allowed: a whole number.\n' in capsys.readouterr().err


def test_what_is_wrong_with_the_class(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as found:
        run_driver(NamelessDriver())
    assert found.value.code == 1
    assert capsys.readouterr().err.endswith(
        ": no driver can be made of this class:\n"
        "  NamelessDriver.name: must be a domain in lower case, such as 'lamp.example.com', is 'lamp'\n"
    )


def test_what_is_wrong_with_the_settings_of_the_class() -> None:
    class Driver(LampDriver):
        settings = dict  # type: ignore[assignment]  # the mistake

    with pytest.raises(DriverClassError, match=r"^Driver.settings: must be a class derived from Settings"):
        command_line_of(Driver())


class ConfusedDriver(SteeredDriver):
    """It cannot be configured."""

    @override
    def configure(self, settings: Settings) -> None:
        raise OSError("no bus")


@pytest.mark.parametrize(
    ("driver", "problem"),
    [
        (
            "SteeredDriver",
            "SteeredDriver.devices(node-a) returned what no node can have: device lamp-0: is there twice",
        ),
        ("ConfusedDriver", "ConfusedDriver.configure() raised OSError: no bus"),
    ],
)
def test_what_the_driver_does_wrong_is_told_before_anything_is_connected_to(driver: str, problem: str) -> None:
    program = f"from {__name__} import *\nrun_driver({driver}())"
    command = [sys.executable, "-c", program, "kubelet-plugin", *NODE, "--lamps=3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"lamp-driver kubelet-plugin: {problem}"
    assert "credentials" not in done.stderr


def test_what_is_generated_is_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", f"--output={tmp_path}") == 0
    assert run("generate", f"--output={tmp_path}", "--check") == 0
    values = (tmp_path / "deployments/helm/lamp-driver/values.yaml").read_text()
    assert "    # How many lamps a node has. Allowed: a whole number.\n    lamps: 5\n" in values
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "Fake" in path.read_text()]
    (tmp_path / "docs/reference.md").write_text("")
    assert run("generate", f"--output={tmp_path}", "--check") == 1


def test_values_that_the_chart_does_not_take() -> None:
    class Driver(SteeredDriver):
        chart = {"kubeletPlugin": {"lamps": 5}}  # noqa: RUF012 - as an author would write it

    with pytest.raises(DriverClassError, match=r"^Driver.chart: kubeletPlugin.lamps: there is no such value$"):
        project_of(Driver())


def test_the_description_is_a_sentence() -> None:
    class Driver(LampDriver):
        pass

    assert project_of(SteeredDriver()).description == "Lamps of one's own number."
    assert project_of(Driver()).description == "The DRA driver lamp.example.com."


@pytest.mark.parametrize(
    ("modules", "needless"),
    [
        (["run"], {"aiohttp", "grpc", "jinja2", "prometheus_client", "fake_dra_driver.runtime.client"}),
        (["run", "controller", "drivercontrollers"], {"grpc", "kr8s", "fake_dra_driver.dra.node.preparer"}),
        (["run", "kubeletplugin", "driverdevices"], {"kr8s", "fake_dra_driver.dra.classic.claims"}),
    ],
)
def test_a_program_loads_what_it_needs(modules: Sequence[str], needless: set[str]) -> None:
    imports = ", ".join(f"fake_dra_driver.dra.program.{module}" for module in modules)
    code = f"import sys, {imports}\nprint(sorted({needless!r} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
