"""How a cluster speaks DRA, for a command that answers at once."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.discovery import ServedGroup
from fake_dra_driver.runtime.errors import RuntimeLayerError, Status, api_error
from fake_dra_driver.runtime.listwatch import Page
from fake_dra_driver.status.view import CannotReportError, find_api, nodes_are_hidden


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


def client_with_nodes(error: RuntimeLayerError | None) -> Client:
    """A client that gets a page of Nodes, or an error."""

    async def pages(*_: object, **__: object) -> AsyncIterator[Page]:
        if error is not None:
            raise error
        yield Page((), "1")

    return cast("Client", SimpleNamespace(list_watch=SimpleNamespace(pages=pages)))


async def test_nodes_are_hidden_from_those_who_may_not_list_them_alone() -> None:
    def answer(code: int) -> RuntimeLayerError:
        return api_error(Status(code=code), "list", Node.resource, NamespacedName("", ""))

    assert await nodes_are_hidden(client_with_nodes(answer(403)), 1)
    assert not await nodes_are_hidden(client_with_nodes(None), 1)
    with pytest.raises(RuntimeLayerError, match="500"):
        await nodes_are_hidden(client_with_nodes(answer(500)), 1)
