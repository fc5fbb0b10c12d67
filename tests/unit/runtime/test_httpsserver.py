"""The HTTPS server: what it answers, what it bounds, and the certificate that it presents."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from loguru import logger

from fake_dra_driver.runtime.httpsserver import HttpAnswer, HttpHandler, HttpsServer
from fake_dra_driver.runtime.listening import ListenError
from fake_dra_driver.runtime.servercertificate import CertificateError, ServerCertificate
from tests.support.certificate import CertificateFiles, write_certificate
from tests.support.strangers import heard, held

LIMIT = 1000
LOOK_SECONDS = 0.01


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return write_certificate(tmp_path)


def echo(body: bytes) -> HttpAnswer:
    return HttpAnswer(200, b"got " + body)


def make(files: CertificateFiles, handlers: Mapping[str, HttpHandler] | None = None) -> HttpsServer:
    certificate = ServerCertificate(*files, look_seconds=LOOK_SECONDS)
    return HttpsServer(
        "127.0.0.1:0", certificate, handlers or {"/echo": echo}, max_body_bytes=LIMIT, timeout_seconds=0.2
    )


@asynccontextmanager
async def serving(server: HttpsServer) -> AsyncIterator[HttpsServer]:
    await server.listen()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(), name="https")
        try:
            yield server
        finally:
            task.cancel()


@asynccontextmanager
async def told(message: str) -> AsyncIterator[None]:
    """Leaves once the message was logged."""
    logged = asyncio.Event()
    number = logger.add(lambda _: logged.set(), filter=lambda record: record["message"] == message)
    try:
        async with asyncio.timeout(10):
            yield
            await logged.wait()
    finally:
        logger.remove(number)


class Connection:
    """A client's connection, on which several requests may follow each other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def to(cls, server: HttpsServer) -> AsyncIterator["Connection"]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def post(self, path: str, body: bytes, method: str = "POST", length: int | None = None) -> tuple[int, bytes]:
        length = len(body) if length is None else length
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        self.writer.write(head.encode() + body)
        status = (await self.reader.readline()).split(b" ")[1]
        headers: dict[str, str] = {}
        while line := (await self.reader.readline()).decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return int(status), await self.reader.readexactly(int(headers["content-length"]))

    @property
    def serial(self) -> int:
        """Serial number of the server's certificate."""
        presented = self.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(presented).serial_number


async def test_requests_are_answered_one_after_the_other_on_a_connection(files: CertificateFiles) -> None:
    async with serving(make(files)) as server, Connection.to(server) as connection:
        assert await connection.post("/echo", b"one") == (200, b"got one")
        assert await connection.post("/echo", b"two") == (200, b"got two")


async def test_what_is_not_served(files: CertificateFiles) -> None:
    async with serving(make(files)) as server, Connection.to(server) as connection:
        assert (await connection.post("/other", b""))[0] == 404
        assert (await connection.post("/echo", b"", method="PUT"))[0] == 405


async def test_a_body_that_is_too_long_is_refused(files: CertificateFiles) -> None:
    async with serving(make(files)) as server:
        async with Connection.to(server) as connection:
            assert await connection.post("/echo", b"x" * LIMIT) == (200, b"got " + b"x" * LIMIT)
        async with Connection.to(server) as connection:
            status, text = await connection.post("/echo", b"x" * (LIMIT + 1))
            assert (status, text) == (413, b"the body is longer than 1000 bytes\n")


async def test_a_body_that_does_not_come_is_not_waited_for(files: CertificateFiles) -> None:
    async with serving(make(files)) as server, Connection.to(server) as connection:
        status, text = await connection.post("/echo", b"begun", length=100)
        assert (status, text) == (408, b"the body did not come within the time limit\n")
        assert await connection.reader.read() == b"", "the connection is closed"


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_review_gets_through_whatever_others_hold(files: CertificateFiles, said: bytes) -> None:
    async with serving(make(files)) as server, asyncio.timeout(20), Connection.to(server) as first:
        assert await first.post("/echo", b"one") == (200, b"got one")
        async with held(server.port, 200, said):
            assert await first.post("/echo", b"two") == (200, b"got two"), "what is in use is not dropped for the idle"
            async with Connection.to(server) as second:
                assert await second.post("/echo", b"three") == (200, b"got three")


async def test_the_number_of_connections_is_bounded(files: CertificateFiles) -> None:
    async with serving(make(files)) as server, asyncio.timeout(20), held(server.port, 300) as clients:
        ended = [await heard(client) for client in clients[:172]]
        assert set(ended) == {b""}, "the oldest were dropped"


async def test_a_request_that_was_asked_is_answered_when_the_server_stops(files: CertificateFiles) -> None:
    server = make(files)
    await server.listen()
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    async with asyncio.timeout(10), Connection.to(server) as connection, asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        connection.writer.write(head)
        assert await connection.reader.readline() == b"HTTP/1.1 100 Continue\r\n", "the request is being answered"
        running.cancel()
        connection.writer.write(b"two")
        assert b"got two" in await connection.reader.read()
    assert server.not_ready_reason() == "it does not listen"


async def test_it_goes_on_for_a_while_when_it_is_to_stop(files: CertificateFiles) -> None:
    server = HttpsServer(
        "127.0.0.1:0",
        ServerCertificate(*files),
        {"/echo": echo},
        max_body_bytes=LIMIT,
        timeout_seconds=1,
        linger_seconds=3600,
    )
    await server.listen()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.sleep(0)
        async with Connection.to(server) as late:
            assert await late.post("/echo", b"late") == (200, b"got late")
        running.cancel()


# --- The certificate


async def test_a_new_certificate_is_presented_to_new_connections(files: CertificateFiles) -> None:
    async with serving(make(files)) as server, Connection.to(server) as old:
        assert old.serial == 1
        async with told("Certificate loaded"):
            await asyncio.to_thread(write_certificate, files.certificate.parent, 2)
        async with Connection.to(server) as new:
            assert new.serial == 2
        assert await old.post("/echo", b"still") == (200, b"got still")


async def test_the_old_certificate_is_kept_while_the_new_one_cannot_be_used(files: CertificateFiles) -> None:
    async with serving(make(files)) as server:
        async with told("The new certificate cannot be used, presenting the old one"):
            await asyncio.to_thread(files.key.write_text, "nonsense")
        async with Connection.to(server) as connection:
            assert connection.serial == 1


@pytest.mark.parametrize("damaged", ["certificate", "key"])
async def test_without_a_certificate_it_does_not_start(files: CertificateFiles, damaged: str) -> None:
    getattr(files, damaged).unlink()
    with pytest.raises(CertificateError, match=f"cannot read {damaged} /.*: No such file or directory$"):
        await make(files).run()


async def test_a_certificate_that_would_be_read_for_ever_is_refused_at_once(files: CertificateFiles) -> None:
    files.certificate.unlink()
    os.mkfifo(files.certificate)
    with pytest.raises(CertificateError, match=r"cannot read certificate /.*: It is not a regular file$"):
        await make(files).run()


async def test_a_key_of_another_certificate(files: CertificateFiles, tmp_path: Path) -> None:
    other = write_certificate(tmp_path / "other")
    with pytest.raises(CertificateError, match="KEY_VALUES_MISMATCH"):
        await make(CertificateFiles(files.certificate, other.key)).run()


async def test_an_address_that_is_taken(files: CertificateFiles) -> None:
    async with serving(make(files)) as server:
        second = HttpsServer(
            f"127.0.0.1:{server.port}", ServerCertificate(*files), {}, max_body_bytes=LIMIT, timeout_seconds=1
        )
        with pytest.raises(ListenError, match=r"--listen 127\.0\.0\.1:.*another process listens there"):
            await second.run()
