"""How a cluster speaks DRA, for a command that answers at once."""

from types import SimpleNamespace
from typing import cast

import pytest

from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.discovery import ServedGroup
from fake_dra_driver.status.view import CannotReportError, find_api


def client_of(*versions: str) -> Client:
    """A client of an API server that serves these versions of resource.k8s.io."""

    async def group(name: str) -> ServedGroup:
        return ServedGroup(name, versions)

    return cast("Client", SimpleNamespace(discovery=SimpleNamespace(group=group)))


@pytest.mark.parametrize(
    ("served", "expected"),
    [(["v1", "v1beta2"], "v1"), (["v1alpha3", "v1beta1"], "v1beta1"), (["v1alpha2"], "v1alpha2")],
)
async def test_the_version_to_prefer_is_found(served: list[str], expected: str) -> None:
    assert (await find_api(client_of(*served))).version == expected


@pytest.mark.parametrize(
    ("served", "sentence"),
    [
        ([], "the API server does not serve resource.k8s.io: switch Dynamic Resource Allocation on"),
        (["v1alpha3"], "Kubernetes 1.31 is not supported: upgrade"),
    ],
)
async def test_without_a_version_it_says_what_to_do(served: list[str], sentence: str) -> None:
    with pytest.raises(CannotReportError, match=sentence):
        await find_api(client_of(*served))
