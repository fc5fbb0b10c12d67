"""What the library offers: docs/faces.txt lists it, and names of a face are loaded when they are first asked for."""

import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module, util
from pathlib import Path

import pytest

LISTED = Path(__file__).parents[2] / "docs/faces.txt"


def read_list() -> Mapping[str, list[str]]:
    """By module: the names below it, in their order."""
    faces: dict[str, list[str]] = {}
    for line in LISTED.read_text().splitlines():
        match line.split():
            case [] | ["#", *_]:
                continue
            case [name] if line.startswith("  "):
                faces[list(faces)[-1]].append(name)
            case [name]:
                faces[name] = []
    return faces


FACES = read_list()
LAZY = [name for name in FACES if hasattr(import_module(name), "_MODULES")]


def test_the_list_has_what_each_face_exports() -> None:
    """A name that comes, goes or changes its face is a line in CHANGELOG.md."""
    assert {name: sorted(import_module(name).__all__) for name in FACES} == {
        name: sorted(names) for name, names in FACES.items()
    }


def test_the_list_is_sorted() -> None:
    assert list(FACES) == sorted(FACES)
    assert all(names == sorted(names) for names in FACES.values())


@pytest.mark.parametrize("face", LAZY)
def test_each_name_is_the_one_that_its_module_exports(face: str) -> None:
    module = import_module(face)
    assert sorted(module.__all__) == sorted(module._MODULES) == sorted(set(dir(module)) & set(module.__all__))
    for name, home in module._MODULES.items():
        defining = import_module(util.resolve_name(f".{home}", face))
        assert getattr(module, name) is getattr(defining, name)
        assert name in defining.__all__


@pytest.mark.parametrize("face", LAZY)
def test_an_unknown_name_is_an_error(face: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{face}' has no attribute 'nonsense'"):
        _ = import_module(face).nonsense


@pytest.mark.parametrize(
    ("line", "loaded"),
    [
        ("from fake_dra_driver.runtime import Client", {"aiohttp"}),
        ("from fake_dra_driver.dra import Reason", set()),
        ("from fake_dra_driver.dra import ContainerEdits, Device, DeviceConfig, Driver", set()),
        (
            "from fake_dra_driver.dra import KubeletPlugin, NodeDriver",
            {"fake_dra_driver.dra.node.kubeletplugin", "grpc"},
        ),
        (
            "from fake_dra_driver.dra.classic import ClassicControllers, ControllerDriver",
            {"aiohttp", "fake_dra_driver.dra.classic.setup"},
        ),
        (
            "from fake_dra_driver.dra.structured import Pool, SlicePublisher",
            {"aiohttp", "fake_dra_driver.dra.structured.publisher"},
        ),
    ],
)
def test_importing_a_name_loads_only_what_it_needs(line: str, loaded: set[str]) -> None:
    dear = {
        "aiohttp",
        "fake_dra_driver.dra.classic.setup",
        "fake_dra_driver.dra.node.kubeletplugin",
        "fake_dra_driver.dra.structured.publisher",
        "grpc",
        "kr8s",
    }
    program = f"import sys\n{line}\nprint(sorted({dear} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(sorted(loaded))
