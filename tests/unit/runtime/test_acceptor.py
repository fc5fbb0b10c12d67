"""Which connections stay when there are too many."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

import pytest
from typing_extensions import override

from fake_dra_driver.runtime.acceptor import Acceptor, peer_of
from tests.support.strangers import heard

HOST = "127.0.0.1"
STRANGER, OTHER = "127.0.0.2", "127.0.0.3"


class Echo(asyncio.Protocol):
    """Answers each piece with itself."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        with self.server.acceptor.serving(self):
            if data == b"trust":
                self.server.acceptor.trust(self)
                assert self.server.acceptor.is_trusted(self)
            self.transport.write(data * 1_000_000 if data == b"long" else data)


class Server:
    """Listens on all addresses of the loopback device."""

    def __init__(self, most: int, idle_seconds: float = 60) -> None:
        self.made = 0
        self.acceptor = Acceptor(self.new_protocol, most=most, idle_seconds=idle_seconds)
        self.listening = socket.create_server(("0.0.0.0", 0))
        self.port = self.listening.getsockname()[1]

    def new_protocol(self) -> Echo:
        self.made += 1
        return Echo(self)


@asynccontextmanager
async def serving(most: int, idle_seconds: float = 60) -> AsyncIterator[Server]:
    server = Server(most, idle_seconds)
    server.acceptor.start([server.listening])
    try:
        async with asyncio.timeout(20):
            yield server
    finally:
        await server.acceptor.close()


@asynccontextmanager
async def clients(server: Server, number: int, address: str = HOST) -> AsyncIterator[list[socket.socket]]:
    with ExitStack() as stack:
        found = []
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.bind((address, 0))
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, (HOST, server.port))
            found.append(client)
        yield found


async def answer(client: socket.socket, said: bytes = b"hello") -> bytes:
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(client, said)
        return await loop.sock_recv(client, 100)
    except ConnectionError:
        return b""


async def test_nothing_is_made_for_a_connection_on_which_nothing_was_heard() -> None:
    async with serving(8) as server, clients(server, 5) as (*_, last):
        assert await answer(last) == b"hello"
        assert server.made == 1


async def test_the_oldest_of_those_that_ask_nothing_are_dropped() -> None:
    async with serving(4) as server, clients(server, 10) as many:
        assert [await answer(client) for client in many] == [b""] * 6 + [b"hello"] * 4


async def test_what_one_address_opens_costs_no_other_address() -> None:
    async with serving(4) as server, clients(server, 1, OTHER) as (quiet,), clients(server, 20, STRANGER) as many:
        async with clients(server, 1) as (newcomer,):
            assert await answer(newcomer) == b"hello"
        assert [await answer(client) for client in many[:-3]] == [b""] * 17
        assert await answer(quiet) == b"hello"


async def test_who_was_answered_stays_when_others_ask_nothing() -> None:
    async with serving(4) as server, clients(server, 1) as (known,):
        assert await answer(known) == b"hello"
        async with clients(server, 20) as (*_, last):
            assert await answer(last) == b"hello"
            assert await answer(known) == b"hello"


async def test_a_newcomer_gets_through_when_all_others_were_answered() -> None:
    async with serving(4) as server, clients(server, 4) as known:
        assert [await answer(client) for client in known] == [b"hello"] * 4
        async with clients(server, 1) as (newcomer,):
            assert await answer(newcomer) == b"hello"
            assert [await answer(client) for client in known] == [b""] + [b"hello"] * 3


async def test_a_newcomer_gets_through_when_no_other_reads_its_answer() -> None:
    async with serving(4) as server, clients(server, 4) as deaf:
        for client in deaf:
            assert await answer(client, b"long")
        async with clients(server, 2) as newcomers:
            assert [await answer(newcomer) for newcomer in newcomers] == [b"hello"] * 2


async def test_trusted_connections_are_neither_counted_nor_dropped() -> None:
    async with serving(2) as server, AsyncExitStack() as stack:
        friends = []
        for _ in range(6):
            (friend,) = await stack.enter_async_context(clients(server, 1))
            assert await answer(friend, b"trust") == b"trust"
            friends.append(friend)
        async with clients(server, 20) as (*_, last):
            assert await answer(last) == b"hello"
            assert [await answer(friend) for friend in friends] == [b"hello"] * 6


async def test_who_asks_nothing_for_too_long_is_dropped() -> None:
    async with serving(4, idle_seconds=0.05) as server, clients(server, 2) as (silent, answered):
        assert await answer(answered) == b"hello"
        assert await heard(silent) == b""
        assert await heard(answered) == b""


@contextmanager
def few_files(number: int) -> Iterator[None]:
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


async def test_file_descriptors_are_left_for_the_rest_of_the_process() -> None:
    with few_files(256):
        server = Server(most=1000)
    server.acceptor.start([server.listening])
    async with asyncio.timeout(20), clients(server, 40) as many:
        assert [await answer(client) for client in many] == [b""] * 8 + [b"hello"] * 32
    await server.acceptor.close()


@pytest.mark.parametrize("said", [b"", b"hello"])
async def test_no_connection_outlives_the_end(said: bytes) -> None:
    async with serving(4) as server, clients(server, 2) as many:
        if said:
            assert await answer(many[0], said) == said
        await server.acceptor.close()
        assert [await heard(client) for client in many] == [b"", b""]
        with pytest.raises(ConnectionRefusedError):
            async with clients(server, 1):
                pass


def test_who_a_client_is() -> None:
    assert peer_of(socket.AF_INET, ("192.0.2.1", 1)) == peer_of(socket.AF_INET6, ("::ffff:192.0.2.1", 2))
    assert peer_of(socket.AF_INET, ("192.0.2.1", 1)) != peer_of(socket.AF_INET, ("192.0.2.2", 1))
    assert peer_of(socket.AF_INET6, ("2001:db8::1", 1)) == peer_of(socket.AF_INET6, ("2001:db8::2:3", 1))
    assert peer_of(socket.AF_INET6, ("2001:db8::1", 1)) != peer_of(socket.AF_INET6, ("2001:db8:0:1::1", 1))
    assert peer_of(socket.AF_INET6, ("fe80::1%lo", 1)) == peer_of(socket.AF_INET6, ("fe80::2", 1))
