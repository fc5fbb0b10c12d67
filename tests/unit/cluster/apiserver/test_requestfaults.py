"""Faults on demand, as a client of the server meets them."""

import asyncio
from dataclasses import replace

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.runtime.errors import (
    ConflictError,
    DeadlineError,
    NotFoundError,
    RuntimeLayerError,
    ServerError,
    TransportError,
)

pytestmark = pytest.mark.looptime

N = NamespacedName("", "n")
FAULTS = [
    (Fault.answer(409), ConflictError),
    (Fault.answer(500), ServerError),
    (Fault.answer(504), ServerError),
    (Fault.timeout(), DeadlineError),
    (Fault.reset(), TransportError),
]


def node() -> Node:
    return Node(metadata=ObjectMeta(name="n"))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_a_write_fails_before_or_after_it_took_place(
    fault: Fault, error: type[RuntimeLayerError], after: bool
) -> None:
    server = ApiServer()
    client = server.client("test")
    hook = on(replace(fault, after=after), verb="create", resource="nodes")
    with server.faults.injected(hook), pytest.raises(error):
        await client.create(node())
    if after:
        await client.get(Node, N)
    else:
        with pytest.raises(NotFoundError):
            await client.get(Node, N)


@pytest.mark.parametrize("code", [429, 503])
async def test_who_is_told_when_to_try_again_does(code: int) -> None:
    server = ApiServer()
    with server.faults.injected(on(Fault.answer(code), verb="create", times=2)):
        await server.client("test").create(node())
    assert asyncio.get_running_loop().time() == 2


async def test_a_slow_request_takes_its_time() -> None:
    server = ApiServer()
    with server.faults.injected(on(Fault.slow(3))):
        await server.client("test").create(node())
    assert asyncio.get_running_loop().time() == 3


async def test_only_what_was_named_is_hit_and_only_that_often() -> None:
    server = ApiServer()
    client = server.client("test")
    hook = on(Fault.reset(), verb="patch", resource="nodes", subresource="", name="n", times=1)
    with server.faults.injected(hook):
        await client.create(node())
        await client.merge_patch(Node, N, {"status": {"phase": "Running"}}, subresource="status")
        with pytest.raises(TransportError):
            await client.merge_patch(Node, N, {"metadata": {"labels": {"a": "b"}}})
        await client.merge_patch(Node, N, {"metadata": {"labels": {"a": "b"}}})


def test_an_answer_that_no_server_gives_is_refused() -> None:
    with pytest.raises(ValueError, match="no answer with the code 418"):
        Fault.answer(418)
