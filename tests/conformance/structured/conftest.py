"""The servers under test, of a release with structured DRA."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import TARGETS
from tests.conformance.target import EmbeddedTarget, RealTarget, Target
from tests.support.apiserver import ASSETS_VARIABLE

RELEASE = "1.37"


@pytest.fixture(scope="session", params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server under test, one for the session."""
    folder = tmp_path_factory.mktemp(f"structured-{request.param}")
    if request.param == "real":
        yield RealTarget(request.getfixturevalue("apiserver"), folder, Path(os.environ[ASSETS_VARIABLE]))
    else:
        with EmbeddedTarget(folder, RELEASE) as embedded:
            yield embedded


@pytest.fixture
def slices(request: pytest.FixtureRequest) -> str:
    """The path of all slices."""
    return "/apis/resource.k8s.io/v1/resourceslices"


@pytest.fixture
def claims(namespace: str) -> str:
    """The claims of the test's namespace."""
    return f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
