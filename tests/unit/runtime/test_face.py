"""What ``fake_dra_driver.runtime`` offers, and that nothing of it is loaded before it is asked for."""

import subprocess
import sys
from importlib import import_module

import pytest

from fake_dra_driver import runtime


def test_each_name_is_what_its_module_offers() -> None:
    assert sorted(runtime.__all__) == sorted(runtime._MODULES)
    for name, module in runtime._MODULES.items():
        home = import_module(f"fake_dra_driver.runtime.{module}")
        assert getattr(runtime, name) is getattr(home, name)
        assert name in home.__all__
        assert name in dir(runtime)


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = runtime.nonsense  # type: ignore[attr-defined] # this is what must fail


def test_a_name_loads_what_it_needs_and_no_more() -> None:
    program = (
        "import sys\n"
        "from fake_dra_driver.runtime import Client\n"
        "print(sorted({'aiohttp', 'kr8s', 'prometheus_client'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['aiohttp']"
