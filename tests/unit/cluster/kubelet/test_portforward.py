"""Ports that are forwarded, for clients that open streams and do not use them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.cluster.kubelet.sessions.portforward import forward_ports
from fake_dra_driver.cluster.remotecommand.spdyframe import Reset, StreamOpened, StreamReplied
from tests.support.remotewire import FakeWire, SpdyClient

PATIENCE_SECONDS = 10
CANCEL = 5


class Forwarding:
    """A client whose ports are forwarded."""

    def __init__(self) -> None:
        self.wire = FakeWire()
        self.client = SpdyClient(self.wire)
        self.task = asyncio.create_task(forward_ports(self.wire, ports={}, pod="box"))

    def open(self, kind: str, number: int, port: int, request: str) -> None:
        """Opens one stream of a pair."""
        self.client.send(StreamOpened(number, {"streamtype": kind, "port": str(port), "requestid": request}))


@pytest.fixture
async def forwarding() -> AsyncIterator[Forwarding]:
    """One that ends with the test."""
    forwarding = Forwarding()
    yield forwarding
    forwarding.wire.leave()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await forwarding.task


async def test_a_connection_ends_when_its_stream_is_reset(forwarding: Forwarding) -> None:
    came = asyncio.Queue[asyncio.StreamWriter]()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await came.put(writer)  # whether the client has more to say is not looked at

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        forwarding.open("error", 1, port, "0")
        forwarding.open("data", 3, port, "0")
        writer = await came.get()
        (task,) = (each for each in asyncio.all_tasks() if each.get_name() == f"port forward {port}")
        forwarding.client.send(Reset(3, CANCEL), Reset(1, CANCEL))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.wait((task,))
        finally:
            writer.close()
            await writer.wait_closed()


async def test_streams_whose_other_half_never_comes_are_few(forwarding: Forwarding) -> None:
    for number in range(1, 601, 2):
        forwarding.open("data", number, 80, str(number))
        forwarding.client.send(Reset(number, CANCEL))
        while StreamReplied(number) not in forwarding.client.look():
            forwarding.wire.changed.clear()
            await forwarding.wire.changed.wait()
        for _ in range(5):  # turns in which it is refused, if it is
            await asyncio.sleep(0)
    refused = [frame for frame in forwarding.client.look() if isinstance(frame, Reset)]
    assert len(refused) == 300 - 128
