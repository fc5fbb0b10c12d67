"""HTTP to a server of the test's own, over real sockets and TLS: what arrives, and what becomes of connections."""

import asyncio
import contextlib
import json
import socket
import ssl
import tempfile
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fake_dra_driver.cluster.apiserver.http.tls import Identity, make_identity
from fake_dra_driver.runtime.credentials import Credentials, Resolved
from fake_dra_driver.runtime.httpxtransport import SessionTransport
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import MAX_CONNECTIONS, HttpRequest, HttpTransport
from tests.support.scripted import FoundOnce, ScriptedTransport

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


class Server:
    """An HTTPS server that does what the test says, and counts who is connected."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.url = ""
        self.handler: Handler = self.echo
        self.requests: list[web.BaseRequest] = []
        self.connections: set[asyncio.BaseTransport] = set()
        self.peers: list[Any] = []
        """Subject of each client's certificate, None without one."""
        self._ending = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def run(cls, name: str = HOST) -> AsyncIterator["Server"]:
        """Runs one with a certificate for that name."""
        server = cls(await asyncio.to_thread(make_identity, name))
        runner = web.ServerRunner(web.Server(server._handle), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0, ssl_context=server.identity.context).start()
        server.url = f"https://{HOST}:{runner.addresses[0][1]}"
        try:
            yield server
        finally:
            server._ending.set()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        self.requests.append(request)
        self.connections.add(request.transport)
        self.peers.append((request.transport.get_extra_info("peercert") or {}).get("subject"))
        return await self.handler(request)

    async def echo(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.text()
        heard = {"method": request.method, "path": request.raw_path, "headers": dict(request.headers), "body": body}
        return web.json_response(heard)

    async def hang(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._ending.wait()
        return web.Response()

    async def stream(self, request: web.BaseRequest) -> web.StreamResponse:
        """Sends one line and then nothing more."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await self._ending.wait()
        return response

    async def cut(self, request: web.BaseRequest) -> web.StreamResponse:
        """Closes the connection without an answer."""
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def cut_short(self, request: web.BaseRequest) -> web.StreamResponse:
        """Closes the connection in the middle of the body."""
        response = web.StreamResponse(headers={"Retry-After": "7"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    @property
    def open_connections(self) -> int:
        return sum(not connection.is_closing() for connection in self.connections)

    async def wait_open(self, count: int) -> None:
        """Waits until so many connections are open."""
        async with asyncio.timeout(10):
            while self.open_connections != count:  # noqa: ASYNC110 - only the loop knows when it is done
                await asyncio.sleep(0)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server.run() as server:
        yield server


@asynccontextmanager
async def connected(
    server: Server,
    *,
    user: Mapping[str, str] | None = None,
    cluster: Mapping[str, str] | None = None,
    max_connections: int = MAX_CONNECTIONS,
) -> AsyncIterator[tuple[HttpTransport, Credentials]]:
    """A transport with the credentials of a kubeconfig, to whose entries the test may add something."""
    trusted = {"server": server.url, "certificate-authority-data": b64encode(server.identity.certificate).decode()}
    config = {
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {**trusted, **(cluster or {})}}],
        "users": [{"name": "test", "user": {"token": "mine"} if user is None else dict(user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    with tempfile.NamedTemporaryFile("w") as kubeconfig:
        json.dump(config, kubeconfig)
        kubeconfig.flush()
        credentials = await Credentials.load(kubeconfig.name)
    transport = HttpTransport(credentials, max_connections=max_connections)
    try:
        yield transport, credentials
    finally:
        await transport.close()


@pytest.fixture
async def transport(server: Server) -> AsyncIterator[HttpTransport]:
    async with connected(server) as (transport, _):
        yield transport


def get(path: str = "/api", **params: str) -> HttpRequest:
    return HttpRequest("GET", path, params, {"Accept": "application/json", "User-Agent": "tests"})


async def test_many_requests_at_once_share_the_connections_that_there_may_be(server: Server) -> None:
    async with connected(server, max_connections=3) as (transport, _):
        answers = await asyncio.gather(*(transport.send(get(f"/{number}"), None) for number in range(20)))

    assert [json.loads(answer.body)["path"] for answer in answers] == [f"/{number}" for number in range(20)]
    assert len(server.connections) == 3


async def test_sends_what_it_was_given_and_nothing_of_its_own(transport: HttpTransport) -> None:
    request = HttpRequest(
        "PATCH",
        "/api/v1/nodes/a:b c/status",
        {"fieldManager": "me & you", "limit": "5"},
        {"Accept": "application/json", "Content-Type": "application/merge-patch+json", "User-Agent": "tests"},
        b'{"a": 1}',
    )

    response = await transport.send(request, "secret")

    heard = json.loads(response.body)
    assert (response.status, response.retry_after) == (200, None)
    assert heard["method"] == "PATCH"
    assert heard["path"] == "/api/v1/nodes/a:b%20c/status?fieldManager=me+%26+you&limit=5"
    assert heard["body"] == '{"a": 1}'
    assert {name: value for name, value in heard["headers"].items() if name != "Host"} == {
        "Accept": "application/json",
        "Content-Type": "application/merge-patch+json",
        "User-Agent": "tests",
        "Authorization": "Bearer secret",
        "Content-Length": "8",
    }


async def test_without_a_token_there_is_no_authorization(transport: HttpTransport) -> None:
    heard = json.loads((await transport.send(get(), None)).body)

    assert "Authorization" not in heard["headers"]


async def test_paths_are_below_that_of_the_server(server: Server) -> None:
    async with connected(server, cluster={"server": f"{server.url}/k8s/clusters/c-1/"}) as (transport, _):
        heard = json.loads((await transport.send(get("/api/v1/pods"), None)).body)

    assert heard["path"] == "/k8s/clusters/c-1/api/v1/pods"


async def test_a_path_that_is_given_as_it_goes_over_the_wire_stays_as_it_is(server: Server) -> None:
    async with connected(server, cluster={"server": f"{server.url}/below"}) as (transport, _):
        response = await transport.send(HttpRequest("GET", "/a/b c", {}, {}, raw_path="/a%2Fb%20c"), None)
    assert json.loads(response.body)["path"] == "/below/a%2Fb%20c"


async def test_errors_and_redirects_are_answers(server: Server, transport: HttpTransport) -> None:
    answers = iter([(429, {"Retry-After": "3"}), (302, {"Location": f"{server.url}/elsewhere"})])

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        status, headers = next(answers)
        return web.Response(status=status, headers=headers, text="why")

    server.handler = answer

    busy, elsewhere = await transport.send(get(), None), await transport.send(get(), None)

    assert (busy.status, busy.retry_after, busy.body) == (429, "3", b"why")
    assert elsewhere.status == 302
    assert len(server.requests) == 2


async def test_one_connection_serves_one_request_after_the_other(server: Server, transport: HttpTransport) -> None:
    for _ in range(5):
        await transport.send(get(), None)

    assert len(server.connections) == 1


async def test_no_server_listens(server: Server) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        async with connected(server, cluster={"server": f"https://{HOST}:{taken.getsockname()[1]}"}) as (transport, _):
            with pytest.raises(ConnectionError) as caught:
                await transport.send(get(), None)

    assert not isinstance(caught.value, ConnectionResetError)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "POST"])
async def test_a_lost_connection_is_told_apart_and_nothing_is_sent_twice(
    server: Server, transport: HttpTransport, method: str
) -> None:
    await transport.send(get(), None)
    server.handler = server.cut

    with pytest.raises(ConnectionResetError):
        await transport.send(HttpRequest(method, "/api", {}, {}, None if method == "GET" else b"{}"), None)

    assert [request.method for request in server.requests] == ["GET", method]


async def test_an_answer_that_breaks_off_is_a_lost_connection(server: Server, transport: HttpTransport) -> None:
    server.handler = server.cut_short

    with pytest.raises(ConnectionResetError):
        await transport.send(get(), None)
    async with transport.stream(get(), None) as stream:
        with pytest.raises(ConnectionResetError):
            [chunk async for chunk in stream.chunks()]


async def test_a_cancelled_request_ends_its_connection(server: Server, transport: HttpTransport) -> None:
    server.handler = server.hang
    task = asyncio.create_task(transport.send(get(), None))
    await server.wait_open(1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await server.wait_open(0)
    server.handler = server.echo
    assert (await transport.send(get(), None)).status == 200


async def test_a_stream_gives_what_comes_and_ends_its_connection(server: Server, transport: HttpTransport) -> None:
    server.handler = server.stream

    async with transport.stream(get(), None) as stream, aclosing(stream.chunks()) as chunks:
        assert (stream.status, await anext(chunks)) == (200, b"one\n")
        assert server.open_connections == 1

    await server.wait_open(0)


async def test_a_stream_that_is_an_error_can_be_read_at_once(server: Server, transport: HttpTransport) -> None:
    async def gone(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=410, text="too old")

    server.handler = gone
    async with transport.stream(get(), None) as stream:
        response = await stream.response()

    assert (response.status, response.body) == (410, b"too old")


async def test_no_request_waits_for_a_stream(server: Server, transport: HttpTransport) -> None:
    server.handler = server.stream
    async with AsyncExitStack() as stack:
        for _ in range(110):  # more than all requests together may have
            await stack.enter_async_context(transport.stream(get(), None))
        server.handler = server.echo

        async with asyncio.timeout(10):
            assert (await transport.send(get(), None)).status == 200


async def test_close_ends_every_connection(server: Server, transport: HttpTransport) -> None:
    server.handler = server.stream
    async with transport.stream(get(), None):
        server.handler = server.echo
        await transport.send(get(), None)
        assert server.open_connections == 2

        await transport.close()

        await server.wait_open(0)


@pytest.mark.parametrize("abandoned", ["a stream", "a request"])
async def test_close_does_not_wait_for_the_last_word_of_a_server_that_hangs(abandoned: str) -> None:
    identity = await asyncio.to_thread(make_identity, HOST)
    with socket.create_server((HOST, 0)) as listener:
        server = Server(identity)
        server.url = f"https://{HOST}:{listener.getsockname()[1]}"
        async with connected(server) as (transport, _):
            if abandoned == "a stream":
                left = asyncio.create_task(_leave_stream(transport))
                peer = await asyncio.to_thread(_accept, listener, identity, b"HTTP/1.1 200 OK\r\n\r\n")
                await left
            else:
                asking = asyncio.create_task(transport.send(get(), None))
                peer = await asyncio.to_thread(_accept, listener, identity, b"")
                asking.cancel()
                await asyncio.wait((asking,))
            with peer:
                await transport.close()
                assert await asyncio.to_thread(_is_at_end, peer)


async def _leave_stream(transport: HttpTransport) -> None:
    async with transport.stream(get(), None):
        pass


def _accept(listener: socket.socket, identity: Identity, answer: bytes) -> ssl.SSLSocket:
    """Reads one request and sends an answer."""
    listener.settimeout(10)
    peer, _ = listener.accept()
    peer.settimeout(10)
    secure = identity.context.wrap_socket(peer, server_side=True)
    secure.recv(65536)
    secure.send(answer)
    return secure


def _is_at_end(peer: ssl.SSLSocket) -> bool:
    """Whether the other side has closed the connection, below TLS."""
    try:
        while socket.socket.recv(peer, 65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


async def test_new_certificates_are_for_new_connections(server: Server) -> None:
    server.handler = server.stream
    async with connected(server) as (transport, credentials), transport.stream(get(), None) as stream:
        server.handler = server.echo
        await transport.send(get(), None)

        credentials.ssl_context = ssl.create_default_context(cadata=server.identity.certificate.decode())
        await transport.send(get(), None)

        assert len(server.connections) == 3
        assert server.open_connections == 3, "the stream goes on with what it began with"
        async with aclosing(stream.chunks()) as chunks:
            assert await anext(chunks) == b"one\n"


async def test_a_server_of_another_name_is_refused_unless_the_kubeconfig_names_it() -> None:
    async with Server.run("other.example") as server:
        async with connected(server) as (transport, _):
            with pytest.raises(ConnectionError, match="certificate"):
                await transport.send(get(), None)
        async with connected(server, cluster={"tls-server-name": "other.example"}) as (transport, _):
            assert (await transport.send(get(), None)).status == 200


async def test_a_websocket_is_opened_to_the_name_that_the_kubeconfig_gives_a_server() -> None:
    async with (
        Server.run("other.example") as server,
        connected(server, cluster={"tls-server-name": "other.example"}) as (transport, credentials),
        httpx.AsyncClient(
            transport=SessionTransport(Session(transport, credentials, user_agent="test"), "", credentials)
        ) as http,
    ):
        answer = await http.get(server.url, headers=UPGRADE)
    assert answer.status_code == 200


async def test_a_websocket_that_nothing_listens_for_is_told_as_any_request(server: Server) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        url = f"https://{HOST}:{taken.getsockname()[1]}"
        async with (
            connected(server, cluster={"server": url}) as (transport, credentials),
            httpx.AsyncClient(
                transport=SessionTransport(Session(transport, credentials, user_agent="test"), "", credentials)
            ) as http,
        ):
            with pytest.raises(httpx.ConnectError) as caught:
                await http.get(url, headers=UPGRADE)
    assert str(caught.value) == f"cannot connect to {url} ({credentials.origin}): connection refused"


async def test_a_websocket_that_waits_for_a_token_has_a_deadline(server: Server) -> None:
    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=401)

    server.handler = refuse
    tls = ssl.create_default_context(cadata=server.identity.certificate.decode())
    credentials = await Credentials.of(FoundOnce(Resolved(server.url, tls, token="old")))
    session = Session(ScriptedTransport(), credentials, user_agent="test")
    async with httpx.AsyncClient(transport=SessionTransport(session, "", credentials)) as http, asyncio.timeout(10):
        with pytest.raises(httpx.ReadTimeout):
            await http.get(server.url, headers=UPGRADE, timeout=httpx.Timeout(None, read=0.5))


async def test_shows_its_client_certificate(server: Server) -> None:
    certificate, key = make_client_certificate("client")
    server.identity.context.verify_mode = ssl.CERT_REQUIRED
    server.identity.context.load_verify_locations(cadata=certificate)
    user = {
        "client-certificate-data": b64encode(certificate.encode()).decode(),
        "client-key-data": b64encode(key.encode()).decode(),
    }

    async with connected(server, user=user) as (transport, _):
        await transport.send(get(), None)

    assert server.peers == [((("commonName", "client"),),)]


async def test_goes_through_the_proxy_of_the_kubeconfig(server: Server) -> None:
    async with (
        proxy() as (port, heads),
        connected(server, cluster={"proxy-url": f"http://me:pass@{HOST}:{port}"}) as (transport, _),
    ):
        response = await transport.send(get("/api/v1/nodes"), None)

    assert json.loads(response.body)["path"] == "/api/v1/nodes"
    address = server.url.removeprefix("https://")
    assert heads[0].startswith(f"CONNECT {address} HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {b64encode(b'me:pass').decode()}" in heads[0]


def make_client_certificate(name: str) -> tuple[str, str]:
    """A certificate that signs itself, and its key, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), private.decode()


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[int, list[str]]]:
    """An HTTP proxy that opens tunnels: its port, and the heads of the requests that it has got."""
    heads: list[str] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        host, _, port = heads[-1].split()[1].rpartition(":")
        upstream = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer), return_exceptions=True)

    listener = await asyncio.start_server(serve, HOST, 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1], heads


async def test_close_ends_connections_whose_requests_were_cancelled_in_any_turn_of_the_handshake() -> None:
    identity = await asyncio.to_thread(make_identity, HOST)
    with socket.create_server((HOST, 0)) as listener, _accepting(listener, identity):
        server = Server(identity)
        server.url = f"https://{HOST}:{listener.getsockname()[1]}"
        for turns in range(40):
            async with connected(server) as (transport, _):
                asking = asyncio.create_task(transport.send(get(), None))
                for _ in range(turns):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.wait((asking,))

            assert not _connections_to(listener.getsockname()), f"cancelled after {turns} turns"


@contextmanager
def _accepting(listener: socket.socket, identity: Identity) -> Iterator[None]:
    """A thread that accepts connections and does nothing more than their TLS handshake."""

    def accept() -> None:
        # OSError is how accept ends when the listener is shut down.
        with ExitStack() as stack, contextlib.suppress(OSError):
            while True:
                peer = stack.enter_context(listener.accept()[0])
                with contextlib.suppress(OSError):  # the other side has gone
                    stack.enter_context(identity.context.wrap_socket(peer, server_side=True))

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _connections_to(address: object) -> list[asyncio.BaseTransport]:
    loop: Any = asyncio.get_running_loop()
    # asyncio lists the open ones nowhere else.
    known: list[Any] = [transport for transport in loop._transports.values() if transport._sock is not None]
    return [transport for transport in known if transport.get_extra_info("peername") == address]
