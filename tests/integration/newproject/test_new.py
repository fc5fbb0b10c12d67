"""What ``fake-dra-driver new`` writes passes its own tests and shows its demo, as it is."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(folder: Path, *command: str, status: int = 0) -> str:
    """What a Python program prints, on both outputs, where the project and this source tree are installed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{folder}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # of pytest's plugins the project has none
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects")
    said = run(folder, "-m", "fake_dra_driver", "new", "lamp", "--driver-name=desk-lamp.example.com")
    assert f"lamp has the driver desk-lamp.example.com now.\nfake-dra-driver will come from {ROOT}\n" in said
    return folder / "lamp"


def test_its_tests_pass(project: Path) -> None:
    printed = run(project, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error")
    assert " passed" in printed
    assert "failed" not in printed


@pytest.mark.parametrize("flags", [["--kubernetes-version=1.30"], []])
def test_its_demo_shows_what_a_pod_gets(project: Path, flags: Sequence[str]) -> None:
    printed = run(project, "demo/demo.py", *flags)
    assert "\nDESK_LAMP_0=desk-lamp-" in printed
    assert "\nDESK_LAMP_1_MODE=turbo\n" in printed
    assert "Everything went well" in printed


def test_what_is_generated_is_up_to_date_and_can_be_made_again(project: Path) -> None:
    run(project, "-m", "desk_lamp_driver", "generate", "--check")
    crd = project / "crds/desk-lamp.example.com_desklampconfigs.yaml"
    text = crd.read_text()
    crd.write_text("")
    run(project, "-m", "desk_lamp_driver", "generate")
    assert crd.read_text() == text


def test_types_are_right(project: Path) -> None:
    cache = ROOT / ".mypy_cache"  # the library's types are known there
    run(project, "-m", "mypy", f"--cache-dir={cache}/newproject", "desk_lamp_driver", "tests", "demo")


def test_a_second_one_does_not_overwrite_it(project: Path) -> None:
    said = run(project.parent, "-m", "fake_dra_driver", "new", "lamp", "--driver-name=lamp.example.com", status=1)
    assert "lamp is not empty, and nothing in it is overwritten" in said
