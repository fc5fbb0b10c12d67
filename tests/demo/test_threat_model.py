"""The page on threats names files and settings that exist, is short, and is found from where people look."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/threat-model.md"
TEXT = PAGE.read_text()
NAMES = re.findall(r"`([^`\n]+)`", TEXT)
FILES = [name for name in NAMES if "/" in name or name.endswith((".lock", "file"))]
WORDS = {"status", "insecure-skip-tls-verify"}
"""What is named and is neither a file nor a value of the chart: a command, and a field of kubeconfigs."""


def settings(values: object, prefix: str = "") -> set[str]:
    """The names of the chart's values, with dots and without what is above them."""
    found = set()
    if isinstance(values, dict):
        for name, value in values.items():
            found |= {f"{prefix}{name}", str(name)} | settings(value, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("name", FILES)
def test_each_file_exists(name: str) -> None:
    assert (ROOT / name).is_file()


def test_each_setting_exists() -> None:
    chart = yaml.safe_load((ROOT / "deployments/helm/fake-dra-driver/values.yaml").read_text())
    assert set(NAMES) - set(FILES) - WORDS <= settings(chart)
    assert {"networkPolicy.create", "admissionPolicy.create"} <= set(NAMES)


def test_it_is_one_page() -> None:
    assert len(TEXT.splitlines()) <= 120


def test_each_actor_has_what_is_defended_and_what_is_not() -> None:
    _, *sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    assert len(sections) == 7
    for section in sections:
        title = section.splitlines()[0]
        assert title == "A stolen token" or "**Defended**" in section, title
        assert "Not defended*" in section, title


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "docs/architecture.md", "docs/embedded-cluster.md"])
def test_it_is_found(page: str) -> None:
    assert "threat-model.md" in (ROOT / page).read_text()
