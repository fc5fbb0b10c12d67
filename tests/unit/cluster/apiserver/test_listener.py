"""What becomes of connections when the embedded API server's port is closed, whatever they are doing."""

import asyncio
import gc
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from loguru import logger

from fake_dra_driver.cluster.apiserver.http.listener import Listener
from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.cluster.apiserver.message import Answer, Request

HOST = "127.0.0.1"

T = TypeVar("T")


class Served:
    """The requests of a test."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def serve(self, request: Request) -> Answer:
        self.has_begun.set()
        await self.may_end.wait()
        return Answer(200, b"served")


@pytest.fixture
async def served() -> Served:
    return Served()


@pytest.fixture
async def listener(served: Served) -> AsyncIterator[Listener]:
    listener = Listener(served.serve, await asyncio.to_thread(make_identity, HOST), HOST, 0)
    await listener.open()
    yield listener
    await listener.close()


@pytest.fixture
async def client(listener: Listener) -> AsyncIterator["Client"]:
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, (HOST, listener.port))
        yield Client(connection)


@contextmanager
def no_more_files() -> Iterator[None]:
    free = os.dup(0)
    os.close(free)
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


class Client:
    """A TLS client that sends and hears nothing but what the test says."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._heard, self._said = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._tls = context.wrap_bio(self._heard, self._said)

    async def begin_handshake(self) -> None:
        """Sends its part of it, and waits for the first words of the server's."""
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        await self._send()
        await self._hear()

    async def end_handshake(self) -> None:
        await self._until(self._tls.do_handshake)
        await self._hear()  # session tickets: it has ended for the server too

    async def ask(self, *headers: bytes) -> bytes:
        """Sends a request. Returns the first of what is answered; nothing when the server has closed the connection."""
        self._tls.write(b"\r\n".join((b"GET /api HTTP/1.1", b"Host: test", *headers, b"", b"")))
        try:
            return await self._until(lambda: self._tls.read())
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""

    async def is_ended(self) -> bool:
        """Whether the server closes the connection although it hears no word."""
        try:
            async with asyncio.timeout(10):
                while await self._hear():
                    pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    async def _until(self, act: Callable[[], T]) -> T:
        while True:
            try:
                result = act()
            except ssl.SSLWantReadError:
                await self._send()
                await self._hear()
            else:
                await self._send()
                return result

    async def _send(self) -> None:
        await asyncio.get_running_loop().sock_sendall(self._connection, self._said.read())

    async def _hear(self) -> bytes:
        heard = await asyncio.get_running_loop().sock_recv(self._connection, 65536)
        if heard:
            self._heard.write(heard)
        else:
            self._heard.write_eof()
        return heard


async def test_a_connection_is_ended_whether_or_not_its_client_agrees(listener: Listener, client: Client) -> None:
    await client.begin_handshake()
    await client.end_handshake()
    assert b"200 OK" in await client.ask()

    await listener.close()

    assert await client.is_ended()


async def test_a_connection_is_ended_whose_client_does_not_agree_to_an_earlier_end(
    listener: Listener, client: Client
) -> None:
    await client.begin_handshake()
    await client.end_handshake()
    assert b"200 OK" in await client.ask(b"Connection: close")

    await listener.close()

    assert await client.is_ended()


async def test_a_request_that_is_being_served_may_end(client: Client, served: Served, listener: Listener) -> None:
    served.may_end.clear()
    await client.begin_handshake()
    await client.end_handshake()
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(client.ask())
        await served.has_begun.wait()
        group.create_task(listener.close())
        for _ in range(20):  # turns in which connections are ended that wait for nothing
            await asyncio.sleep(0)
        served.may_end.set()
    assert b"200 OK" in answer.result()


async def test_a_request_that_does_not_end_is_broken_off(client: Client, served: Served, listener: Listener) -> None:
    served.may_end.clear()
    await client.begin_handshake()
    await client.end_handshake()
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(client.ask())
        await served.has_begun.wait()
        await listener.close()
    assert answer.result() == b""


async def test_a_handshake_is_ended(listener: Listener, client: Client) -> None:
    await client.begin_handshake()

    await listener.close()

    assert await client.is_ended()


async def test_a_connection_whose_handshake_ends_in_that_moment_is_ended(listener: Listener, client: Client) -> None:
    await client.begin_handshake()
    await client.end_handshake()

    await listener.close()

    assert await client.is_ended()


@pytest.mark.parametrize("turns", range(8))
async def test_a_connection_that_is_being_accepted_is_ended(listener: Listener, turns: int) -> None:
    """Whichever turn of the event loop the port is closed in, no socket is left to the garbage collector."""
    with socket.create_connection((HOST, listener.port)) as connection:
        connection.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)

        await listener.close()

        assert await Client(connection).is_ended()
    gc.collect()  # what was left fails this test


async def test_connections_are_accepted_again_when_there_are_file_descriptors_again(listener: Listener) -> None:
    refused = asyncio.Event()
    sink = logger.add(lambda _: refused.set(), filter=lambda record: "Cannot accept" in record["message"])
    with socket.create_connection((HOST, listener.port)) as connection:
        connection.setblocking(False)
        with no_more_files():
            await refused.wait()
        logger.remove(sink)
        client = Client(connection)
        await client.begin_handshake()
        await client.end_handshake()
        assert b"200 OK" in await client.ask()
