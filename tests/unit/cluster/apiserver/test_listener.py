"""What strangers can hold of the embedded API server's port, and what becomes of connections when it is closed."""

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import pytest
from loguru import logger

from fake_dra_driver.cluster.apiserver.http.listener import Listener
from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.cluster.apiserver.message import Answer, Request
from tests.support.descriptors import no_more_files
from tests.support.strangers import held

HOST = "127.0.0.1"

GOOD = b"Authorization: Bearer good"

T = TypeVar("T")


class Served:
    """The requests of a test."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.bodies: list[bytes] = []

    def knows(self, request: Request) -> bool:
        return request.header("authorization") == "Bearer good"

    async def serve(self, request: Request) -> Answer:
        self.bodies.append(request.body)
        self.has_begun.set()
        await self.may_end.wait()
        return Answer(200, b"served")


@pytest.fixture
async def served() -> Served:
    return Served()


@pytest.fixture
async def listener(served: Served) -> AsyncIterator[Listener]:
    listener = Listener(served.serve, served.knows, await asyncio.to_thread(make_identity, HOST), HOST, 0)
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

    async def ask(self, *headers: bytes, body: bytes = b"") -> bytes:
        """Sends a request. Returns the first of what is answered; nothing when the server has closed the connection."""
        self._tls.write(b"\r\n".join((b"GET /api HTTP/1.1", b"Host: test", *headers, b"", body)))
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


@asynccontextmanager
async def connected(listener: Listener) -> AsyncIterator["Client"]:
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, (HOST, listener.port))
        client = Client(connection)
        await client.begin_handshake()
        await client.end_handshake()
        yield client


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n\r\n"])
async def test_clients_with_a_token_keep_their_connections_whatever_strangers_hold(
    listener: Listener, served: Served, said: bytes
) -> None:
    async with connected(listener) as watcher, asyncio.timeout(20), asyncio.TaskGroup() as group:
        served.may_end.clear()
        watch = group.create_task(watcher.ask(GOOD))
        await served.has_begun.wait()
        async with held(listener.port, 300, said):
            served.may_end.set()
            assert b"200 OK" in await watch
            async with connected(listener) as another:
                assert b"200 OK" in await another.ask(GOOD)
            assert b"200 OK" in await watcher.ask(GOOD)


async def test_strangers_are_bounded_after_their_handshake_too(listener: Listener) -> None:
    async with asyncio.timeout(120), AsyncExitStack() as stack:
        strangers = [await stack.enter_async_context(connected(listener)) for _ in range(6)]
        await stack.enter_async_context(held(listener.port, 260))
        assert [await stranger.is_ended() for stranger in strangers[:4]] == [True] * 4, "the oldest were dropped"
        async with connected(listener) as another:
            assert b"200 OK" in await another.ask()


async def test_two_hundred_clients_with_a_token_may_connect_at_once(listener: Listener) -> None:
    """As all kubelets do after a restart of the API server: each is a stranger until it has asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(HOST, listener.port, ssl=context)
        writer.write(b"GET /api HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" + GOOD + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(ask() for _ in range(200)))
    assert all(b"200 OK" in answer for answer in answers)


async def test_the_body_of_a_stranger_is_not_read(listener: Listener, served: Served) -> None:
    async with connected(listener) as stranger, connected(listener) as friend:
        assert b"200 OK" in await stranger.ask(b"Content-Length: 3000000")
        assert b"200 OK" in await friend.ask(b"Content-Length: 2", GOOD, body=b"hi")
    assert served.bodies == [b"", b"hi"]
