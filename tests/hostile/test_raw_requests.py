"""Requests that no client library would send: the servers answer, never with a failure of their own, and go on.

``SOAK=1`` (``make soak``) tries many more, and other ones each time.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.metrics import Metrics
from tests.conformance.target import EmbeddedTarget
from tests.crash.bounds import examples

NAMESPACE: Final = "/api/v1/namespaces/default"
TOKEN: Final = "admin-token"
PATIENCE_SECONDS: Final = 20
INCOMPLETE_SECONDS: Final = 0.1
"""How long an answer is waited for: when a request lacks its end, none comes."""

METHODS = st.sampled_from(
    [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI", b"get", b"X-Y"]
)
BYTES = st.binary(max_size=12)
TEXTS = st.one_of(
    st.sampled_from(
        [
            *(
                b"",
                b"%00",
                b"%2F",
                b"..",
                b"%2e%2e",
                b"%ff",
                b"%zz",
                b"%",
                b"\xff",
                b"*",
                b"%e2%80%ae",
                b"%0d%0a",
                b"a" * 300,
            ),
            *(
                b"1",
                b"-1",
                b"0",
                b"true",
                b"9" * 20,
                b"9" * 5000,
                b"%D9%A1",
                b"1e3",
                b"All",
                b"Exact",
                b"a=b",
                b"a in (",
                b"e30=",
            ),
        ]
    ),
    BYTES.map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b" ", b"")),
)
PARTS = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            *(b"api", b"apis", b"v1", b"namespaces", b"default", b"pods", b"nodes", b"apps", b"deployments", b"status"),
            *(
                b"log",
                b"exec",
                b"token",
                b"binding",
                b"eviction",
                b"scale",
                b"openapi",
                b"v2",
                b"v3",
                b"version",
                b"healthz",
            ),
            *(b"serviceaccounts", b"apiextensions.k8s.io", b"customresourcedefinitions", b"watch", b"events"),
        ]
    ),
)
PATHS = st.one_of(
    st.lists(PARTS, max_size=6).map(lambda parts: b"/" + b"/".join(parts)),
    st.lists(PARTS, max_size=4).map(lambda parts: NAMESPACE.encode() + b"/" + b"/".join(parts)),
    TEXTS,
)
PARAMETERS = st.tuples(
    st.one_of(
        TEXTS,
        st.sampled_from(
            [
                *(
                    b"limit",
                    b"continue",
                    b"resourceVersion",
                    b"resourceVersionMatch",
                    b"labelSelector",
                    b"fieldSelector",
                ),
                *(b"timeoutSeconds", b"dryRun", b"fieldManager", b"fieldValidation", b"force", b"gracePeriodSeconds"),
                *(b"propagationPolicy", b"tailLines", b"limitBytes", b"sinceSeconds", b"sinceTime", b"includeObject"),
                *(b"sendInitialEvents", b"container", b"pretty", b"exclude", b"verbose", b"orphanDependents"),
            ]
        ),
    ),
    TEXTS,
).map(b"=".join)
HEADER_VALUES = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            *(
                b"Bearer \xff",
                b"Bearer \xc3\xa9.\xc3\xa9.\xc3\xa9",
                b"Bearer a.b.c",
                b"Basic !!!",
                b"Bearer",
                b"bearer " + b"x" * 8000,
            ),
            *(
                b"application/json;as=Table;v=v1;g=meta.k8s.io",
                b"application/yaml;;q=",
                b"application/apply-patch+yaml",
            ),
            *(b"application/json-patch+json", b"application/vnd.kubernetes.protobuf", b"gzip", b"chunked", b"identity"),
            *(
                b"websocket",
                b"h2c",
                b"Upgrade",
                b"close",
                b"keep-alive",
                b"100-continue",
                b"bytes=0-1",
                b'W/""',
                b"text/html",
            ),
        ]
    ),
)
HEADERS = st.tuples(
    st.one_of(
        st.sampled_from(
            [
                *(
                    b"Authorization",
                    b"Accept",
                    b"Content-Type",
                    b"Content-Encoding",
                    b"User-Agent",
                    b"Host",
                    b"Upgrade",
                ),
                *(b"Connection", b"Expect", b"Transfer-Encoding", b"Content-Length", b"Impersonate-User", b"Cookie"),
                *(b"Impersonate-Extra-%zz", b"Accept-Encoding", b"Range", b"If-None-Match", b"X-Forwarded-For"),
            ]
        ),
        BYTES,
    ),
    HEADER_VALUES,
)
BODIES = st.one_of(st.just(b""), st.just(b"{}"), BYTES)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, more or less."""
    target = draw(PATHS)
    if parameters := draw(st.lists(PARAMETERS, max_size=3)):
        target += b"?" + b"&".join(parameters)
    headers = draw(st.lists(HEADERS, max_size=4))
    if draw(st.integers(0, 3)):
        headers.append((b"Host", b"localhost"))
    if draw(st.integers(0, 3)):
        headers.insert(0, (b"Authorization", f"Bearer {TOKEN}".encode()))
    body = draw(BODIES)
    if draw(st.booleans()):
        headers.append((b"Content-Length", str(len(body)).encode()))
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b""]))
    lines = [draw(METHODS) + b" " + target + b" " + version, *(name + b": " + value for name, value in headers)]
    return b"\r\n".join([*lines, b"", body])


def answers(port: int, raw: bytes, tls: ssl.SSLContext | None, seconds: float = INCOMPLETE_SECONDS) -> bytes:
    """The first that is answered to these bytes within that time, or nothing."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    with tls.wrap_socket(connection) if tls is not None else connection as stream:
        try:
            stream.sendall(raw)
            stream.settimeout(seconds)
            return stream.recv(65536)
        except OSError:  # closed in the middle, or there is more to say
            return b""


def check(port: int, raw: bytes, good: bytes, tls: ssl.SSLContext | None = None) -> None:
    """Sends a request, and a good one."""
    answer = answers(port, raw, tls)
    status = answer.split(b" ", 2)[1:2]
    # A real API server answers a resourceVersion that is none with 500, and so does the embedded one.
    assert not status or status[0] < b"500" or b"resourceVersion: Invalid value" in answer, answer
    assert answers(port, good, tls, PATIENCE_SECONDS).startswith(b"HTTP/1.1 200 ")


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTarget]:
    with EmbeddedTarget(tmp_path_factory.mktemp("embedded"), token=TOKEN) as target:
        yield target


def test_the_embedded_api_server_answers_any_request(
    api_server: EmbeddedTarget, caplog: pytest.LogCaptureFixture
) -> None:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    port = int(api_server.url.rpartition(":")[2])
    good = f"GET {NAMESPACE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()

    @examples(150, 2_000)
    @given(requests())
    def try_out(raw: bytes) -> None:
        check(port, raw, good, tls)

    try_out()
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


@contextmanager
def health_server() -> Iterator[int]:
    """The port of one that runs in a thread."""
    loop, server = asyncio.new_event_loop(), HealthServer("127.0.0.1:0", metrics=Metrics())
    thread = threading.Thread(target=loop.run_forever, name="health server")
    thread.start()
    asyncio.run_coroutine_threadsafe(server.listen(), loop).result(PATIENCE_SECONDS)
    running = asyncio.run_coroutine_threadsafe(server.run(), loop)
    try:
        yield server.port
    finally:
        running.cancel()
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(PATIENCE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_server_of_probes_answers_any_request(caplog: pytest.LogCaptureFixture) -> None:
    with health_server() as port:

        @examples(150, 2_000)
        @given(st.one_of(requests(), st.binary()))
        def try_out(raw: bytes) -> None:
            check(port, raw, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

        try_out()
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
