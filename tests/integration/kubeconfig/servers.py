"""Servers and proxies on loopback that note who comes. Each connection has a thread, since kubectl is another process.

They answer as an API server without any API would, which is enough for the first request of ``status`` and of
``kubectl api-versions``.
"""

import base64
import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, BaseServer, StreamRequestHandler, ThreadingTCPServer
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID
from typing_extensions import override

from tests.integration.kubeconfig.authority import Authority, Issued
from tests.integration.kubeconfig.records import Call, Hello, ProxyCall, Recorder, api_prefix

__all__ = ["HttpProxy", "Listener", "RecordingServer", "SilentServer", "SocksProxy"]

_ANSWERS: Final[dict[str, object]] = {
    "/api": {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
}
_VERSIONS: Final = ({"groupVersion": "resource.k8s.io/v0", "version": "v0"},)
_UNKNOWN_GROUP: Final = {"kind": "APIGroup", "apiVersion": "v1", "name": "resource.k8s.io", "versions": _VERSIONS}
_CHUNK_BYTES: Final = 65536


class Listener(ThreadingTCPServer):
    """A server at a free port of ``address``. Handlers find the recorder here, and their TLS in ``context``."""

    daemon_threads = False
    """Closing waits for every connection's end, so that none is left open."""

    def __init__(
        self,
        name: str,
        recorder: Recorder,
        handler: type[BaseRequestHandler],
        *,
        address: str = "127.0.0.1",
        identity: Issued | None = None,
        clients: Authority | None = None,
        folder: Path,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, 0), handler)
        self.name = name
        self.recorder = recorder
        self.address = address
        self.port: int = self.server_address[1]
        self.context = None if identity is None else self._tls(identity, clients, folder)

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        """Its address, with a scheme."""
        return f"http{'s' if self.context else ''}://{self.authority}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serves while the block runs."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name=self.name)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def _tls(self, identity: Issued, clients: Authority | None, folder: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain = folder / f"{self.name}.pem"
        chain.write_bytes(identity.certificate + identity.key)
        context.load_cert_chain(chain)
        if clients is not None:
            context.load_verify_locations(cadata=clients.certificate.decode())
            context.verify_mode = ssl.CERT_OPTIONAL

        # Noted before the server answers, and so before a client can end that does not like the answer.
        def note(_: object, sni: str | None, __: object) -> None:
            self.recorder.hellos.append(Hello(self.name, sni))

        context.sni_callback = note
        return context


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1, with TLS where the listener has it."""

    protocol_version = "HTTP/1.1"
    server: BaseServer
    common_name: str | None = None
    """Of the client's certificate."""

    @property
    def listener(self) -> Listener:
        assert isinstance(self.server, Listener)
        return self.server

    @override
    def setup(self) -> None:
        if self.listener.context is not None:
            self.request = self.listener.context.wrap_socket(
                self.request, server_side=True, do_handshake_on_connect=False
            )
        super().setup()

    @override
    def handle(self) -> None:
        # A client that does not trust the server, or is stopped, leaves in the middle.
        with contextlib.suppress(OSError):
            if isinstance(self.request, ssl.SSLSocket):
                self.request.do_handshake()
                self.common_name = _common_name(self.request.getpeercert(binary_form=True))
            super().handle()

    @override
    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        if isinstance(self.request, ssl.SSLSocket):
            self.request.close()  # the listener closes the socket that this one has replaced

    @override
    def log_message(self, *_: object) -> None:
        """Nothing: what matters is in the recorder."""

    def note_call(self, target: str) -> None:
        impersonating = [name.lower() for name in self.headers if name.lower().startswith("impersonate-")]
        self.listener.recorder.calls.append(
            Call(
                self.listener.name,
                api_prefix(target),
                self._header("Host"),
                self._header("Authorization"),
                tuple(
                    (name, value.strip())
                    for name in sorted({*impersonating})
                    for value in self.headers.get_all(name, [])
                ),
                self.common_name,
            )
        )

    def _header(self, name: str) -> str | None:
        """White space around a value is no part of it (RFC 9110, 5.5)."""
        value = self.headers.get(name)
        return None if value is None else value.strip()

    def answer(self, status: int, document: object, **headers: str) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_as_api(self, target: str) -> None:
        path = "/" + target.partition("?")[0].rpartition("/")[2]
        self.answer(200, _ANSWERS.get(path, _UNKNOWN_GROUP))


class _ApiHandler(_Handler):
    def do_GET(self) -> None:
        self.note_call(self.path)
        self.answer_as_api(self.path)


class RecordingServer(Listener):
    """Notes each request."""

    def __init__(self, name: str, recorder: Recorder, **options: Any) -> None:
        super().__init__(name, recorder, _ApiHandler, **options)


class _ProxyHandler(_Handler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if self._refused(f"{url.scheme}://{url.netloc}"):
            return
        target = self.path.removeprefix(f"{url.scheme}://{url.netloc}")
        self.note_call(target)
        self.answer_as_api(target)

    def do_CONNECT(self) -> None:
        if self._refused(self.path):
            return
        proxy = self.listener
        assert isinstance(proxy, HttpProxy)
        with _connected(proxy.way_to, self.path) as upstream:
            if upstream is None:
                self.answer(502, {})
                return
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            _tunnel(self.connection, upstream)

    def _refused(self, target: str) -> bool:
        proxy = self.listener
        assert isinstance(proxy, HttpProxy)
        given = self.headers.get("Proxy-Authorization")
        proxy.recorder.proxy_calls.append(ProxyCall(proxy.name, self.command, target, given))
        if proxy.login is not None and given != f"Basic {base64.b64encode(proxy.login.encode()).decode()}":
            self.answer(407, {}, Proxy_Authenticate='Basic realm="proxy"')
            return True
        return False


class _SilentHandler(_Handler):
    def do_GET(self) -> None:
        self.note_call(self.path)
        silent = self.listener
        assert isinstance(silent, SilentServer)
        silent.asked.set()
        self.close_connection = True
        while self.connection.recv(_CHUNK_BYTES):
            pass

    def do_PATCH(self) -> None:
        self.do_GET()


class SilentServer(Listener):
    """Notes a request and never answers it, until the client leaves."""

    def __init__(self, name: str, recorder: Recorder, **options: Any) -> None:
        super().__init__(name, recorder, _SilentHandler, **options)
        self.asked = threading.Event()
        """Set by a request."""


WayTo = Callable[[str], tuple[str, int] | None]
"""From host and port that a client names to the address that a proxy connects to; None: the proxy knows none."""


class HttpProxy(Listener):
    """Notes what it is asked for, answers plain requests itself, and connects tunnels.

    Args:
        way_to: where tunnels lead.
        login: user and password that it asks for, with a colon between them.
    """

    def __init__(self, name: str, recorder: Recorder, way_to: WayTo, login: str | None = None, **options: Any) -> None:
        super().__init__(name, recorder, _ProxyHandler, **options)
        self.way_to = way_to
        self.login = login


class _SocksHandler(StreamRequestHandler):
    """RFC 1928, and RFC 1929 where the proxy asks for a login."""

    @override
    def handle(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._serve()

    def _serve(self) -> None:
        proxy = self.server
        assert isinstance(proxy, SocksProxy)
        _, count = self._read(2)
        methods, login = self._read(count), None
        wanted = 0 if proxy.login is None else 2
        self.wfile.write(bytes([5, wanted if wanted in methods else 0xFF]))
        if wanted not in methods:
            proxy.recorder.proxy_calls.append(ProxyCall(proxy.name, "SOCKS5", ""))
            return
        if proxy.login is not None:
            self._read(1)
            login = f"{self._read(self._read(1)[0]).decode()}:{self._read(self._read(1)[0]).decode()}"
            self.wfile.write(bytes([1, 0 if login == proxy.login else 1]))
        target = self._target()
        proxy.recorder.proxy_calls.append(ProxyCall(proxy.name, "SOCKS5", target, login))
        with _connected(proxy.way_to, target) as upstream:
            self.wfile.write(bytes([5, 0 if upstream else 4, 0, 1, 0, 0, 0, 0, 0, 0]))
            if upstream is not None:
                _tunnel(self.connection, upstream)

    def _target(self) -> str:
        _, _, _, kind = self._read(4)
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, self._read(4))
        elif kind == 4:
            host = f"[{socket.inet_ntop(socket.AF_INET6, self._read(16))}]"
        else:
            host = self._read(self._read(1)[0]).decode()
        return f"{host}:{int.from_bytes(self._read(2), 'big')}"

    def _read(self, count: int) -> bytes:
        found = self.rfile.read(count)
        if len(found) < count:
            raise EOFError
        return found


class SocksProxy(Listener):
    """A SOCKS5 proxy that notes what it is asked for. Arguments as for ``HttpProxy``."""

    def __init__(self, name: str, recorder: Recorder, way_to: WayTo, login: str | None = None, **options: Any) -> None:
        super().__init__(name, recorder, _SocksHandler, **options)
        self.way_to = way_to
        self.login = login

    @property
    @override
    def url(self) -> str:
        return f"socks5://{self.authority}"


def _common_name(certificate: bytes | None) -> str | None:
    if certificate is None:
        return None
    (found,) = x509.load_der_x509_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found.value)


@contextmanager
def _connected(way_to: WayTo, target: str) -> Iterator[socket.socket | None]:
    address = way_to(target)
    with ExitStack() as stack:
        yield None if address is None else stack.enter_context(socket.create_connection(address))


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    """Copies both ways until either side ends."""
    while True:
        # What TLS has decrypted already is not seen by select.
        waiting = [one] if isinstance(one, ssl.SSLSocket) and one.pending() else select.select([one, other], [], [])[0]
        for source in waiting:
            chunk = source.recv(_CHUNK_BYTES)
            if not chunk:
                return
            (other if source is one else one).sendall(chunk)
