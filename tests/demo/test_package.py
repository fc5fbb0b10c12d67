"""The wheel and the source distribution: what is in them, and what they say of themselves."""

import email.message
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from fake_dra_driver import __version__

PROJECT = Path(__file__).parents[2]
URL = "https://git.example.com/someone/fake-dra-driver"
FILES = f"{URL}/blob/v{__version__}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, as the release workflow makes them."""
    folder = tmp_path_factory.mktemp("dist")
    environment = os.environ | {"PROJECT_URL": URL, "PYTHON": sys.executable}
    done = subprocess.run(
        [PROJECT / "hack/build-package.sh", folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2, "twine says of each what it found"
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(built / f"fake_dra_driver-{__version__}-py3-none-any.whl")


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    return Parser().parsestr(wheel.read(f"fake_dra_driver-{__version__}.dist-info/METADATA").decode())


def package_files() -> set[str]:
    """Of the source tree, without what Python leaves there."""
    package = PROJECT / "fake_dra_driver"
    paths = [*package.rglob("*"), *package.glob("demo/apps/v1/*")]  # rglob follows no links to folders
    found = (path for path in paths if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(PROJECT)) for path in found}


def test_the_wheel_has_the_whole_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == package_files()
    assert {"fake_dra_driver/py.typed", "fake_dra_driver/templates/crds/crd.yaml.j2"} <= names
    assert {"fake_dra_driver/demo/apps/fake-test1.yaml", "fake_dra_driver/demo/apps/v1/fake-test1.yaml"} <= names


def test_the_source_distribution_builds_without_git(built: Path) -> None:
    root = f"fake_dra_driver-{__version__}"
    with tarfile.open(built / f"{root}.tar.gz") as source:
        names = {name.removeprefix(f"{root}/") for name in source.getnames()}
    assert package_files() | {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= names


def test_the_metadata_say_what_an_index_shows(metadata: email.message.Message) -> None:
    assert metadata["Name"] == "fake-dra-driver"
    assert metadata["Version"] == __version__
    assert metadata["Summary"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "kubernetes" in metadata["Keywords"].split(",")
    assert set(metadata.get_all("Provides-Extra", ())) == {"cluster", "testing"}
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(metadata.get_all("Classifier", ()))
    assert metadata.get_all("Project-URL") == [
        f"Homepage, {URL}",
        f"Documentation, {FILES}/docs",
        f"Changelog, {FILES}/CHANGELOG.md",
        f"Issues, {URL}/issues",
    ]


def test_the_page_of_the_index_links_to_what_exists(metadata: email.message.Message) -> None:
    targets = re.findall(r"\]\(([^)#]+)", str(metadata.get_payload()))
    assert all("://" in target for target in targets)
    ours = {target.removeprefix(f"{FILES}/") for target in targets if target.startswith(URL)}
    assert "docs/architecture.md" in ours
    assert all((PROJECT / each).exists() for each in ours)


def test_the_programs_run_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    program = (
        "from importlib.metadata import distribution\n"
        "import fake_dra_driver\n"
        "print(fake_dra_driver.__file__)\n"
        "print(sorted(entry.load().__name__ for entry in distribution('fake-dra-driver').entry_points))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        str(tmp_path / "fake_dra_driver/__init__.py"),
        "['controller', 'kubelet_plugin', 'main', 'set_nas_status']",
    ]


def test_the_notes_of_a_release_are_what_the_changelog_says_of_it() -> None:
    script = PROJECT / "hack/release-notes.sh"
    notes = subprocess.run([script, f"v{__version__}"], capture_output=True, text=True, check=True).stdout
    assert "### Added" in notes
    assert notes.strip() in (PROJECT / "CHANGELOG.md").read_text()
    assert not any(line.startswith("## ") for line in notes.splitlines())
    unknown = subprocess.run([script, "v999.0.0"], capture_output=True, text=True, check=False)
    assert (unknown.returncode, unknown.stderr) == (1, "CHANGELOG.md says nothing of 999.0.0.\n")
