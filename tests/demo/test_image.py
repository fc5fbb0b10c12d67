"""The Dockerfile's promises that can be told without building it, and the one version that everything has."""

import re
import tomllib
from pathlib import Path

import pytest

from fake_dra_driver import __version__

PROJECT = Path(__file__).parents[2]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
INSTRUCTIONS = [
    line
    for line in re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    if line.strip()
]
TAG = f"v{__version__}"


def test_every_stage_stands_on_the_base_image_that_was_asked_for() -> None:
    assert INSTRUCTIONS[0].startswith("ARG BASE_IMAGE=docker.io/library/python:3.13-slim@sha256:")
    stages = [line.split()[1] for line in INSTRUCTIONS if line.startswith("FROM ")]
    assert stages == ["${BASE_IMAGE}"] * 2


def test_nothing_is_installed_but_what_is_locked() -> None:
    steps = [step for line in INSTRUCTIONS if line.startswith("RUN ") for step in line.removeprefix("RUN ").split("&&")]
    installs = [step for step in steps if " install " in step]
    assert len(installs) == 3
    for step in installs:
        from_lock = "--require-hashes" in step and "--no-deps" in step and "--only-binary :all:" in step
        ours = "--no-index" in step and step.split()[-1].startswith("/src/dist/")
        assert from_lock or ours, step
    assert not any(word in " ".join(steps) for word in ("apt", "apk", "curl", "wget", "git "))


def test_what_runs_is_not_root_and_carries_nothing_of_the_build() -> None:
    last = INSTRUCTIONS[max(number for number, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
    assert "USER 65532:65532" in last
    assert [line for line in last if line.startswith(("COPY", "ADD", "RUN"))] == [
        "COPY --from=build /opt/fake-dra-driver /opt/fake-dra-driver"
    ]


def test_the_labels_say_what_the_image_is_and_where_it_comes_from() -> None:
    [label] = [line for line in INSTRUCTIONS if line.startswith("LABEL ")]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', label))
    arguments = {"version": "${VERSION}", "revision": "${REVISION}", "created": "${CREATED}", "source": "${SOURCE}"}
    assert labels.items() >= arguments.items()
    assert labels["licenses"] == "Apache-2.0"
    assert {"title", "description", "authors", "url", "documentation"} <= labels.keys()
    workflow = (PROJECT / ".github/workflows/release.yaml").read_text()
    script = (PROJECT / "hack/build-image.sh").read_text()
    for argument in ("VERSION", "REVISION", "CREATED"):
        assert f"            {argument}=" in workflow
        assert f'--build-arg "{argument}=' in script
    assert "            SOURCE=" in workflow


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("Dockerfile", r"^ARG VERSION=(.*)$"),
        ("Makefile", r"^IMAGE \?= fake-dra-driver:(.*)$"),
        ("hack/build-image.sh", r"IMAGE:-fake-dra-driver:(.*?)\}"),
        ("demo/scripts/common.sh", r"DRIVER_IMAGE_TAG:=(.*?)\}"),
        ("hack/tiers.sh", r"^readonly image=fake-dra-driver:(.*)$"),
        ("hack/build-revision.sh", r"IMAGE:-fake-dra-driver:(.*?)\}"),
        ("demo/drivers/lamp/Dockerfile", r"^ARG BASE_IMAGE=fake-dra-driver:(.*)$"),
        ("demo/drivers/fpga/Dockerfile", r"^ARG BASE_IMAGE=fake-dra-driver:(.*)$"),
        ("demo/drivers/nic/Dockerfile", r"^ARG BASE_IMAGE=fake-dra-driver:(.*)$"),
        ("deployments/helm/fake-dra-driver/Chart.yaml", r'^appVersion: "(.*)"$'),
        ("SECURITY.md", r"^gh attestation verify oci://ghcr\.io/OWNER/fake-dra-driver:(\S+) "),
        ("SECURITY.md", r"inspect ghcr\.io/OWNER/fake-dra-driver:(\S+) "),
    ],
)
def test_images_have_the_version_of_the_package(file: str, pattern: str) -> None:
    assert re.findall(pattern, (PROJECT / file).read_text(), re.MULTILINE) == [TAG]


def test_the_package_has_the_version_of_the_program() -> None:
    assert tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    headings = re.findall(r"^## \[(.*)\]( - \d{4}-\d{2}-\d{2})?$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    version, day = headings[1]
    assert version == __version__
    assert day


def test_what_verifies_a_release_names_this_one() -> None:
    page = (PROJECT / "SECURITY.md").read_text()
    assert f"/charts/fake-dra-driver:{__version__} " in page
    assert f"fake_dra_driver-{__version__}-py3-none-any.whl " in page
