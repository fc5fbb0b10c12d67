"""What ``fake_dra_driver.dra`` offers, and that a side of the protocol is not loaded with the other."""

import subprocess
import sys
from importlib import import_module

import pytest

from fake_dra_driver import dra


def test_each_name_is_the_one_that_its_module_exports() -> None:
    assert sorted(dra.__all__) == dir(dra)
    for name, module in dra._MODULES.items():
        home = import_module(f"fake_dra_driver.dra.{module}")
        assert getattr(dra, name) is getattr(home, name)
        assert name in home.__all__


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'fake_dra_driver.dra' has no attribute 'nonsense'"):
        _ = dra.nonsense  # type: ignore[attr-defined] # this is what must fail


@pytest.mark.parametrize(
    ("names", "loaded"),
    [
        ("Reason", []),
        ("ClassicControllers, ControllerDriver", ["fake_dra_driver.dra.classic.setup"]),
        ("KubeletPlugin, NodeDriver", ["fake_dra_driver.dra.node.kubeletplugin", "grpc"]),
    ],
)
def test_importing_a_name_loads_only_its_side_of_the_protocol(names: str, loaded: list[str]) -> None:
    sides = {"grpc", "fake_dra_driver.dra.classic.setup", "fake_dra_driver.dra.node.kubeletplugin"}
    program = f"import sys\nfrom fake_dra_driver.dra import {names}\nprint(sorted({sides} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(loaded)
