"""HTTP as no server speaks it, over real sockets: an answer is read within bounds, or is an error of the connection."""

import asyncio
import contextlib
import gzip
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.transport import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TooLargeBodyError,
)
from tests.crash.bounds import examples
from tests.support.untrusted import assert_harmless

HOST = "127.0.0.1"
OBJECT = b'{"kind": "Node", "apiVersion": "v1"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(OBJECT) + OBJECT
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKED = CHUNKS + b"%x\r\n" % len(OBJECT) + OBJECT + b"\r\n0\r\n\r\n"


class RawServer:
    """Answers each connection with the bytes that a test has written down, and then closes it."""

    def __init__(self) -> None:
        self.url = ""
        self.answer = WHOLE
        self.endless = b""
        """Is sent after the answer for as long as it is read."""
        self.sent_bytes = 0
        self.connections = 0

    @classmethod
    @asynccontextmanager
    async def run(cls) -> AsyncIterator["RawServer"]:
        raw = cls()
        server = await asyncio.start_server(raw._handle, HOST, 0)
        raw.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        try:
            yield raw
        finally:
            server.close()
            await server.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
            while self.endless:
                writer.write(self.endless)
                self.sent_bytes += len(self.endless)
                await writer.drain()
        except ConnectionError:
            self.endless = b""  # the client has had enough
        finally:
            writer.close()


@asynccontextmanager
async def connected(server: RawServer) -> AsyncIterator[HttpTransport]:
    config = {
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server.url}}],
        "users": [],
        "contexts": [{"name": "test", "context": {"cluster": "test"}}],
    }
    with tempfile.NamedTemporaryFile("w") as kubeconfig:
        json.dump(config, kubeconfig)
        kubeconfig.flush()
        credentials = await Credentials.load(kubeconfig.name)
    transport = HttpTransport(credentials)
    try:
        yield transport
    finally:
        await transport.close()


GET = HttpRequest("GET", "/api/v1/nodes/a", {}, {}, max_body_bytes=100_000)


async def sent(transport: HttpTransport) -> HttpResponse:
    async with asyncio.timeout(10):
        return await transport.send(GET, None)


async def streamed(transport: HttpTransport) -> HttpResponse:
    async with asyncio.timeout(10), transport.stream(GET, None) as stream:
        return HttpResponse(stream.status, stream.headers, b"".join([chunk async for chunk in stream.chunks()]))


NOT_HTTP = {
    "nothing": b"",
    "garbage": b"\x00\xff nonsense\r\n\r\n",
    "a page without a head": b"<html></html>\r\n\r\n",
    "a status of five digits": b"HTTP/1.1 99999 OK\r\n\r\n",
    "a negative status": b"HTTP/1.1 -1 OK\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "another HTTP": b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "nothing but interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    "a body where there is none": b"HTTP/1.1 204 No Content\r\n\r\n{}",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "a length in letters": HEAD + b"Content-Length: abc\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length of 400 digits": HEAD + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}",
    "less than the length": HEAD + b"Content-Length: 2000\r\n\r\n{}",
    "more than the length": HEAD + b"Content-Length: 1\r\n\r\n{}",
    "a negative chunk": CHUNKS + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk in letters": CHUNKS + b"zz\r\nhello\r\n0\r\n\r\n",
    "a chunk of 400 digits": CHUNKS + b"f" * 400 + b"\r\nhello\r\n0\r\n\r\n",
    "no last chunk": CHUNKS + b"2\r\n{}\r\n",
    "10,000 trailers": CHUNKS + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 10_000 + b"\r\n",
    "a header of 64 KiB": HEAD + b"X: " + b"a" * 65_536 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "5,000 headers": HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(5_000)) + b"\r\n{}",
    "a reason of 64 KiB": b"HTTP/1.1 200 " + b"a" * 65_536 + b"\r\n\r\n",
    "a header without a colon": HEAD + b"nocolon\r\nContent-Length: 2\r\n\r\n{}",
    "a header with a NUL": HEAD + b"A: b\x00c\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("ask", [sent, streamed])
@pytest.mark.parametrize("answer", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_what_is_not_http_is_an_error_of_the_connection(
    ask: Callable[[HttpTransport], Awaitable[HttpResponse]], answer: bytes
) -> None:
    async with RawServer.run() as server, connected(server) as transport:
        server.answer = answer
        with pytest.raises(ConnectionError) as raised:
            await ask(transport)
        assert str(raised.value).startswith(f"the connection to {server.url}")
        assert_harmless(str(raised.value), longest=300)
        server.answer = WHOLE
        assert (await ask(transport)).body == OBJECT, "and the next one is as good as ever"


COMPRESSED = gzip.compress(b"a" * 10_000_000)
HARMLESS = {
    "an interim answer first": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + WHOLE, OBJECT),
    "newlines alone": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", b"{}"),
    "a content type that is none": (b"HTTP/1.1 200 OK\r\nContent-Type: ;;charset=\xff\r\n\r\n{}", b"{}"),
    "a cookie that is none": (HEAD + b'Set-Cookie: \xff=;;;"\\\r\n\r\n{}', b"{}"),
    "compression that was not asked for": (HEAD + b"Content-Encoding: gzip\r\n\r\n" + COMPRESSED, COMPRESSED),
}


@pytest.mark.parametrize("ask", [sent, streamed])
@pytest.mark.parametrize(("answer", "body"), HARMLESS.values(), ids=HARMLESS)
async def test_what_is_only_odd_is_read_as_it_is(
    ask: Callable[[HttpTransport], Awaitable[HttpResponse]], answer: bytes, body: bytes
) -> None:
    async with RawServer.run() as server, connected(server) as transport:
        server.answer = answer
        assert (await ask(transport)).body == body


@pytest.mark.parametrize("head", [HEAD + b"\r\n", HEAD + b"Content-Length: 99999999999\r\n\r\n"], ids=["", "length"])
async def test_a_body_without_end_is_read_as_far_as_it_may_go(head: bytes) -> None:
    async with RawServer.run() as server, connected(server) as transport:
        server.answer, server.endless = head, b"x" * 10_000
        with pytest.raises(TooLargeBodyError, match="larger than 100000 bytes"):
            await sent(transport)
        assert server.connections == 1, "it is not asked for again"
        async with asyncio.timeout(10):
            while server.endless:  # noqa: ASYNC110 - the server notices when it sends
                await asyncio.sleep(0)
        assert server.sent_bytes < 10_000_000, "what was sent beyond that is in the buffers of the kernel"


@pytest.mark.parametrize("length", [99_999, 100_000])
async def test_a_body_that_is_just_not_too_long_is_there(length: int) -> None:
    async with RawServer.run() as server, connected(server) as transport:
        server.answer = HEAD + b"\r\n" + b"x" * length
        assert len((await sent(transport)).body) == length


async def failed_stream(transport: HttpTransport) -> HttpResponse:
    async with asyncio.timeout(10), transport.stream(GET, None) as stream:
        return await stream.response()


@pytest.mark.parametrize("ask", [sent, failed_stream])
async def test_of_an_error_without_end_the_beginning_is_read(
    ask: Callable[[HttpTransport], Awaitable[HttpResponse]],
) -> None:
    async with RawServer.run() as server, connected(server) as transport:
        server.answer = b"HTTP/1.1 503 No\r\nRetry-After: 7\r\n\r\n<html>"
        server.endless = b"x" * 10_000
        answer = await ask(transport)
        assert (answer.status, answer.retry_after, answer.body[:7]) == (503, "7", b"<html>x")
        assert len(answer.body) == 1024 * 1024


PIECES = [
    b"HTTP/1.1 ",
    b"200 OK",
    b"\r\n",
    b"\n",
    b": ",
    b"chunked",
    b"Content-Length",
    b"Transfer-Encoding",
    b"0",
    b"ffff",
    b"\x00",
]


@examples(60, 5_000)
@given(
    good=st.sampled_from([WHOLE, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE]),
    cuts=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 30), st.sampled_from(PIECES) | st.binary(max_size=8)), max_size=4
    ),
)
async def test_an_answer_with_faults_is_an_answer_or_an_error_of_the_connection(
    good: bytes, cuts: list[tuple[int, int, bytes]]
) -> None:
    answer = good
    for at, length, instead in cuts:
        answer = answer[:at] + instead + answer[at + length :]
    async with RawServer.run() as server, connected(server) as transport:
        server.answer = answer
        for ask in (sent, streamed):
            with contextlib.suppress(ConnectionError):
                assert len((await ask(transport)).body) <= len(answer)
