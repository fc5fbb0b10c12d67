"""What ``fake_dra_driver.runtime`` offers, and that nothing of it is loaded before it is asked for."""

import subprocess
import sys
from importlib import import_module

import pytest

from fake_dra_driver import runtime


def test_each_name_is_the_one_that_its_module_exports() -> None:
    assert sorted(runtime.__all__) == sorted(runtime._MODULES)
    for name, module in runtime._MODULES.items():
        home = import_module(f"fake_dra_driver.runtime.{module}")
        assert getattr(runtime, name) is getattr(home, name)
        assert name in home.__all__
        assert name in dir(runtime)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = runtime.nonsense  # type: ignore[attr-defined] # this is what must fail


def test_importing_a_name_loads_only_what_it_needs() -> None:
    program = (
        "import sys\n"
        "from fake_dra_driver.runtime import Client\n"
        "print(sorted({'aiohttp', 'kr8s', 'prometheus_client'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['aiohttp']"
