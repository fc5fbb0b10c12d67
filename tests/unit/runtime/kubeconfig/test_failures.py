"""What fails below HTTP is a ConnectionError with a sentence: server, where its address is from, and the reason."""

import re
import socket
import ssl
from base64 import b64encode
from typing import Any

import pytest

from fake_dra_driver.runtime.connectionfailure import reason_of, without_password
from fake_dra_driver.runtime.transport import HttpRequest, HttpTransport
from tests.integration.kubeconfig.authority import Authority
from tests.unit.runtime.kubeconfig.home import Home, row
from tests.unit.runtime.kubeconfig.server import serving, tls_context

GET = HttpRequest("GET", "/version", {}, {})
ROW = "Failures below HTTP"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("mine")


async def failure(home: Home, **cluster: Any) -> str:
    """What a request ends with, after the server's name."""
    home.config(cluster=cluster)
    transport = HttpTransport(await home.load())
    try:
        with pytest.raises(ConnectionError) as caught:
            await transport.send(GET, "mine")
    finally:
        await transport.close()
    place = re.escape(f"{cluster['server']} (context here of {home.folder}/.kube/config)")
    found = re.fullmatch(rf"(?:cannot connect to|the connection to) {place}(?: broke)?: (.+)", str(caught.value))
    assert found is not None, str(caught.value)
    return found[1]


@row("`server`")
@row(ROW)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_of_either_version_is_reached(home: Home, authority: Authority, host: str) -> None:
    tls = await tls_context(home.folder, authority.server(host))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with serving(answer, host, tls) as address:
        trusted = b64encode(authority.certificate).decode()
        home.config(cluster={"server": f"https://{address}/below", "certificate-authority-data": trusted})
        transport = HttpTransport(await home.load())
        assert (await transport.send(GET, "mine")).body == b"{}"
        assert transport.host == address
        await transport.close()


@row(ROW)
async def test_nothing_listens(home: Home) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        assert await failure(home, server=f"https://{address}") == "connection refused"
        through = await failure(home, server="https://api.example", **{"proxy-url": f"http://me:secret@{address}"})
        assert through == f"the proxy {address} cannot be reached: connection refused"
        through = await failure(home, server="https://api.example", **{"proxy-url": f"socks5://me:secret@{address}"})
        assert through == f"the proxy socks5://{address} opens no tunnel: connection refused"


@row(ROW)
@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Proxy Authentication Required", b"HTTP/1.1 502 Bad Gateway"])
async def test_a_proxy_refuses(home: Home, answer: bytes) -> None:
    async with serving(answer + b"\r\nContent-Length: 0\r\n\r\n") as address:
        through = await failure(home, server="https://api.example", **{"proxy-url": f"http://{address}"})
    assert through == f"the proxy answers {answer.decode().partition(' ')[2]}"


@row(ROW)
async def test_a_server_without_tls(home: Home) -> None:
    async with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        found = await failure(home, server=f"https://{address}")
    assert found == "it does not speak TLS: is its address one with http:// ?"


@row(ROW)
async def test_certificates_that_do_not_fit(home: Home, authority: Authority) -> None:
    trusted = {"certificate-authority-data": b64encode(authority.certificate).decode()}
    for issued, cluster, reason in (
        (
            Authority("other").server("127.0.0.1"),
            trusted,
            "its certificate is not signed by an authority that is trusted",
        ),
        (authority.server("127.0.0.1"), {}, "its certificate is not signed by an authority that is trusted"),
        (authority.server("other.example"), trusted, "its certificate is for another name: IP address mismatch, cert"),
        (authority.server("127.0.0.1", expired=True), trusted, "its certificate has expired"),
        (
            authority.server("127.0.0.1"),
            {**trusted, "tls-server-name": "a.example"},
            "its certificate is for another name",
        ),
    ):
        async with serving(b"", tls=await tls_context(home.folder, issued)) as address:
            assert (await failure(home, server=f"https://{address}", **cluster)).startswith(reason)


@row(ROW)
@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "it wants a client certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "it does not accept the client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "it does not accept the client certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLS failed: sslv3 alert handshake failure"),
    ],
)
def test_a_server_that_does_not_take_the_client_s_certificate(alert: str, reason: str) -> None:
    error = ssl.SSLError(1, f"[SSL: {alert}]")
    error.reason = alert
    assert reason_of(error) == reason


@row(ROW)
async def test_a_server_that_hangs_up(home: Home) -> None:
    async with serving(b"") as address:
        assert await failure(home, server=f"http://{address}") == "the server closed it without an answer"


@row(ROW)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "there is no such host"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "its name cannot be looked up now"),
        (UnicodeError("label too long"), "its name is no name of a host"),
        (OSError(113, "Connect call failed"), "no route to host"),
        (OSError("Multiple exceptions: a, b"), "Multiple exceptions: a, b"),
        (ConnectionError(), "the connection was closed"),
    ],
)
def test_reasons(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


@row(ROW)
@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@p:1",
        "me:secret@p:1",
        "http://me:se/secret@p:1",
        "http://me:se@secret@p:1",
        "socks5+x://me:secret@p:1",
        "https://me:secret\n@p:1",
    ],
)
def test_a_password_is_not_shown(url: str) -> None:
    assert without_password(url).endswith("p:1")
    assert "secret" not in without_password(url)
