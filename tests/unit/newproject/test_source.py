"""Where a new project gets the library from."""

import json
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver import __version__
from fake_dra_driver.newproject.source import library_source

ROOT = Path(__file__).parents[3]


def source_of(folder: Path, origin: dict[str, Any] | None) -> str:
    """What is found when the package was installed from there."""
    installed = folder / "fake_dra_driver-0.9.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.4\nName: fake-dra-driver\nVersion: 0.9.0\n")
    if origin is not None:
        (installed / "direct_url.json").write_text(json.dumps(origin))
    return library_source(folder / "fake_dra_driver", lambda _: Distribution.at(installed))


def test_from_a_checkout_it_is_the_checkout() -> None:
    assert library_source() == str(ROOT)


def test_another_project_around_the_package_is_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "something-else"\n')
    assert source_of(tmp_path, None) == "fake-dra-driver==0.9.0"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (None, "fake-dra-driver==0.9.0"),
        ({"url": "file:///no/such/file.whl", "archive_info": {}}, "fake-dra-driver==0.9.0"),
        ({"url": "https://example.com/f.whl", "archive_info": {}}, "fake-dra-driver @ https://example.com/f.whl"),
        (
            {"url": "https://example.com/f.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "fake-dra-driver @ git+https://example.com/f.git@abc",
        ),
    ],
)
def test_what_pip_wrote_down_says_where_it_is_from(origin: dict[str, Any] | None, source: str, tmp_path: Path) -> None:
    assert source_of(tmp_path, origin) == source


def test_a_wheel_that_is_still_there(tmp_path: Path) -> None:
    wheel = tmp_path / "a wheel.whl"
    wheel.touch()
    assert source_of(tmp_path, {"url": wheel.as_uri(), "archive_info": {}}) == str(wheel)


def test_a_package_that_is_not_installed_at_all(tmp_path: Path) -> None:
    def find(name: str) -> Distribution:
        raise PackageNotFoundError(name)

    assert library_source(tmp_path / "fake_dra_driver", find) == f"fake-dra-driver=={__version__}"
