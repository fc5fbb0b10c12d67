"""Clients of exec that do what no kubectl does: they are refused or cut off, hold little, and leave nothing running."""

import asyncio
import base64
import os
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlencode

import pytest

from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.kubelet.sessions import podsessions
from fake_dra_driver.cluster.remotecommand.spdyframe import (
    Data,
    Frame,
    FrameReader,
    FrameWriter,
    GoAway,
    StreamOpened,
)

PATIENCE_SECONDS: Final = 15
POD: Final = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "box"},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "1000"]}],
    },
}
SPDY: Final = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}
WEBSOCKET: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
}
STREAMS: Final = {"stdin": "true", "stdout": "true", "stderr": "true"}
_KINDS: Final = ("error", "stdin", "stdout", "stderr")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster with a pod that runs."""
    async with asyncio.timeout(PATIENCE_SECONDS), Cluster() as cluster:
        await cluster.apply(POD)
        await cluster.wait_until("the pod runs", lambda: _runs(cluster))
        yield cluster


async def _runs(cluster: Cluster) -> bool:
    return bool(cluster.faults.running_containers())


class Client:
    """A connection on which nothing is done that a test does not ask for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames, self._encoder = FrameReader(), FrameWriter()

    def send(self, *frames: Frame) -> None:
        """Sends frames of SPDY."""
        for frame in frames:
            self.writer.write(self._encoder.encode(frame))

    async def opened(self) -> None:
        """Opens the streams of a session, in SPDY."""
        self.send(*(StreamOpened(2 * number + 1, {"streamtype": kind}) for number, kind in enumerate(_KINDS)))

    async def output(self) -> bytes:
        """The first output of the command."""
        while data := await self.reader.read(4096):
            for frame in self._frames.feed(data):
                if isinstance(frame, Data) and frame.stream == 5 and frame.data:
                    return frame.data
        return b""

    async def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        try:
            return await self.reader.read(-1)
        except (ConnectionError, ssl.SSLError):
            return b""


@asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[Client]:
    """A connection to the API server."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    port = int(cluster.server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def ask(
    cluster: Cluster, client: Client, headers: Mapping[str, str], command: str = "cat", **query: str
) -> tuple[int, str]:
    """Asks for a session, and returns the answer's status and head."""
    text = urlencode([*{**STREAMS, **query}.items(), *(("command", part) for part in ("sh", "-c", command))])
    lines = [
        f"GET /api/v1/namespaces/default/pods/box/exec?{text} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {cluster.server.token}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    client.writer.write("\r\n".join([*lines, "", ""]).encode())
    head = (await client.reader.readuntil(b"\r\n\r\n")).decode()
    return int(head.split()[1]), head


async def ended(pid: int) -> None:
    """Waits until a process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    done = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


def _bomb(client: Client) -> bytes:
    compressor = client._encoder._headers._compressor
    block = compressor.compress(struct.pack(">II", 1, 2**31) + bytes(10_000_000)) + compressor.flush()
    return struct.pack(">HHIIIH", 0x8003, 1, 10 + len(block), 9, 0, 0) + block


NONSENSE: Final[Mapping[str, Callable[[Client], bytes]]] = {
    "a bomb": _bomb,
    "a huge control frame": lambda _: struct.pack(">HHI", 0x8003, 1, 0xFFFFFF) + bytes(100),
    "another version": lambda _: struct.pack(">HHI", 0x8002, 1, 4) + bytes(4),
    "an unknown type": lambda _: struct.pack(">HHI", 0x8003, 42, 4) + bytes(4),
    "headers that lie": lambda _: struct.pack(">HHIIIH", 0x8003, 1, 14, 9, 0, 0) + b"\xff" * 4,
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_what_is_no_spdy_ends_the_session_and_its_command(cluster: Cluster, what: str) -> None:
    async with connected(cluster) as client:
        assert (await ask(cluster, client, SPDY, "echo $$; exec cat"))[0] == 101
        await client.opened()
        pid = int(await client.output())
        client.writer.write(NONSENSE[what](client))
        frames = list(client._frames.feed(await client.rest()))
        assert frames[-1] == GoAway(7, 1)
        await ended(pid)


async def test_what_is_no_websocket_ends_the_session_and_its_command(cluster: Cluster) -> None:
    too_long = b"\x82\xff" + struct.pack(">Q", 2**40) + bytes(4)
    for sent in (b"\xff" * 100, too_long, b"\x81\x81\0\0\0\0\xff"):
        async with connected(cluster) as client:
            assert (await ask(cluster, client, WEBSOCKET, "echo $$; exec cat"))[0] == 101
            got = b""
            while not (line := got.rpartition(b"\x01")[2]).endswith(b"\n"):
                got += await client.reader.read(4096)
            client.writer.write(sent)
            await client.rest()
            await ended(int(line))


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 400),
        ({"Connection": "Upgrade"}, 400),
        ({"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}, 400),
        ({**SPDY, "Upgrade": "h2c"}, 400),
        ({**SPDY, "X-Stream-Protocol-Version": "v9.channel.k8s.io"}, 403),
        ({**WEBSOCKET, "Sec-WebSocket-Protocol": "chat"}, 403),
        ({**WEBSOCKET, "Sec-WebSocket-Version": "1"}, 400),
        ({**WEBSOCKET, "Sec-WebSocket-Key": "short"}, 400),
    ],
)
async def test_requests_that_cannot_be_upgraded(cluster: Cluster, headers: Mapping[str, str], code: int) -> None:
    async with connected(cluster) as client:
        assert (await ask(cluster, client, headers))[0] == code


async def test_sessions_are_counted_and_given_back(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podsessions, "MAX_SESSIONS", 3)
    async with connected(cluster) as one, connected(cluster) as two, connected(cluster) as three:
        for client in (one, two, three):  # half open: no stream ever comes
            assert (await ask(cluster, client, SPDY))[0] == 101
        async with connected(cluster) as late:
            assert (await ask(cluster, late, SPDY))[0] == 429
        one.writer.transport.abort()

        async def has_room() -> bool:
            async with connected(cluster) as another:
                return (await ask(cluster, another, SPDY))[0] == 101

        await cluster.wait_until("there is room for another session", has_room)


async def test_a_client_that_does_not_read_holds_little(cluster: Cluster) -> None:
    async with connected(cluster) as client:
        assert (await ask(cluster, client, SPDY, "echo $$; exec cat /dev/zero"))[0] == 101
        await client.opened()
        pid = int((await client.output()).split(b"\n")[0])
        # Nothing is read any more: asyncio stops at a few hundred KiB.
        written = [await asyncio.to_thread(_written, pid)]

        async def stands_still() -> bool:
            written.append(await asyncio.to_thread(_written, pid))
            return written[-1] == written[-2]

        await cluster.wait_until("the command waits for its client", stands_still)
        client.writer.transport.abort()
        await ended(pid)


def _written(pid: int) -> int:
    with open(f"/proc/{pid}/io", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
        return next(int(line.split()[1]) for line in file if line.startswith("wchar"))
