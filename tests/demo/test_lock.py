"""The lock files hold what pyproject.toml asks for, with hashes, and CI's tools run on what the image ships."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
RUN_TIME = PYPROJECT["project"]["dependencies"]
CLUSTER = PYPROJECT["project"]["optional-dependencies"]["cluster"]


ENTRY = re.compile(
    r"^([a-z0-9.\[\]_-]+)==(\S+)(?: ;[^\\\n]*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def locked(name: str) -> dict[str, str]:
    """Version by package; fails on an entry without a hash."""
    text = (PROJECT / name).read_text()
    entries = ENTRY.findall(text)
    assert len(entries) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
    return {canonicalize_name(package): version for package, version, _ in entries}


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", RUN_TIME),
        ("requirements-cluster.lock", [*RUN_TIME, *CLUSTER]),
        ("requirements-dev.lock", [*RUN_TIME, *CLUSTER, *PYPROJECT["dependency-groups"]["dev"]]),
        ("requirements-build.lock", PYPROJECT["build-system"]["requires"]),
        ("requirements-audit.lock", ["pip-audit"]),
    ],
)
def test_what_pyproject_asks_for_is_locked(lock: str, requirements: list[str]) -> None:
    versions = locked(lock)
    for requirement in map(Requirement, requirements):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in {lock}; run hack/lock.sh"
        assert requirement.specifier.contains(version), f"{lock} has {version} for {requirement}; run hack/lock.sh"


def test_what_is_tested_is_what_is_shipped() -> None:
    shipped, cluster, tested = map(locked, ("requirements.lock", "requirements-cluster.lock", "requirements-dev.lock"))
    assert shipped.items() <= cluster.items() <= tested.items()


def test_the_stubs_run_on_the_locked_grpc_and_protobuf() -> None:
    """Stubs refuse to be imported with an older runtime than their generator."""
    stub = (PROJECT / "fake_dra_driver/pb/dra_v1alpha3_pb2_grpc.py").read_text()
    messages = (PROJECT / "fake_dra_driver/pb/dra_v1alpha3_pb2.py").read_text()
    (grpc,) = re.findall(r"GRPC_GENERATED_VERSION = '(.*)'", stub)
    (protobuf,) = re.findall(r"# Protobuf Python Version: (.*)", messages)
    versions = locked("requirements.lock")
    assert Requirement(f"grpcio>={grpc}").specifier.contains(versions["grpcio"])
    assert Requirement(f"protobuf>={protobuf}").specifier.contains(versions["protobuf"])
    assert locked("requirements-dev.lock")["grpcio-tools"] == grpc
