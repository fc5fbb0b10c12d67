"""What tests of structured DRA get beside the servers."""

import pytest


@pytest.fixture
def slices(request: pytest.FixtureRequest) -> str:
    """The path of all slices."""
    return "/apis/resource.k8s.io/v1/resourceslices"


@pytest.fixture
def claims(namespace: str) -> str:
    """The claims of the test's namespace."""
    return f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
