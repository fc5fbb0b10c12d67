"""Where the API server is, how it is known, and the proxy before it."""

import ssl
from base64 import b64encode

import pytest

from fake_dra_driver.runtime.errors import CredentialsError
from fake_dra_driver.runtime.proxy import environment_proxy
from fake_dra_driver.runtime.transport import HttpRequest, HttpTransport
from tests.integration.kubeconfig.authority import Authority
from tests.unit.runtime.kubeconfig.home import PLAIN, TLS, Home, row
from tests.unit.runtime.kubeconfig.server import serving


@row("`server`")
@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("https://api.example", "https://api.example"),
        ("https://api.example:6443/", "https://api.example:6443"),
        ("https://[::1]:6443", "https://[::1]:6443"),
        ("https://[fd00::1]/k8s/clusters/c-1/", "https://[fd00::1]/k8s/clusters/c-1"),
        ("https://api.example//k8s//c%201?x=1#y", "https://api.example/k8s/c%201"),
        ("https://api.example/a;b+c#d", "https://api.example/a;b+c%23d"),
        ("https://äpi.example", "https://xn--pi-uia.example"),
        ("HTTP://api.example", "http://api.example"),
        ("api.example:8080", "http://api.example:8080"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
async def test_addresses(home: Home, server: str, url: str) -> None:
    home.config(cluster={"server": server})
    assert (await home.load()).server == url


@row("`server`")
@pytest.mark.parametrize(
    "server",
    [
        "ftp://api.example",
        "api.example:8080/path",
        "https://api.example:99999",
        "https://api.example:x",
        "https://",
        " x",
        "https://::1:6443",
        "https://[::1",
        "https://api example",
        "https://api.example/%zz",
        "https://api.example\n",
    ],
)
async def test_what_is_no_address_is_refused(home: Home, server: str) -> None:
    home.config(cluster={"server": server})
    with pytest.raises(CredentialsError) as caught:
        await home.load()
    assert str(caught.value).startswith(f"The server {server.strip()} ")
    assert "Port could not be cast" not in str(caught.value), "the words of Python's library"
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(f"(context here of {home.folder}/.kube/config)")


@row("`server`")
async def test_a_password_in_the_address_is_sent_and_not_shown(home: Home) -> None:
    home.config(cluster={"server": "https://me:p%40ss@api.example"})
    assert (await home.load()).server == "https://api.example"
    home.config(cluster={"server": "https://me:secret@api.example:x"})
    with pytest.raises(CredentialsError) as caught:
        await home.load()
    assert "secret" not in str(caught.value)
    home.config(cluster={"server": "https://me:p%40ss@api.example"})
    assert await home.headers() == {"Authorization": ["Basic " + b64encode(b"me:p@ss").decode()]}


@row("A server without TLS")
async def test_nothing_secret_goes_to_a_server_without_tls(home: Home) -> None:
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    for user in ({"token": "mine"}, {"username": "me", "password": "secret"}, {"exec": program}):
        home.config(cluster=PLAIN, user={**user, "as": "jane"})
        assert await home.headers() == {"Impersonate-User": ["jane"]}


@row("`certificate-authority`, `certificate-authority-data`")
async def test_the_authority_is_trusted_alone(home: Home) -> None:
    authority = Authority("mine").certificate
    broken = b"-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n"
    home.write(".kube/ca.crt", b"Subject: \xc3\xa4\n" + broken + authority)
    for entry in (
        {"certificate-authority": "ca.crt"},
        {"certificate-authority-data": b64encode(authority).decode()},
    ):
        home.config(cluster={**TLS, **entry})
        context = (await home.load()).ssl_context
        assert isinstance(context, ssl.SSLContext)
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert len(context.get_ca_certs()) == 1


@row("`certificate-authority`, `certificate-authority-data`")
async def test_authorities_of_no_use_are_refused(home: Home) -> None:
    home.write(".kube/ca.crt", "")
    for entry, problem in (
        ({"certificate-authority": "ca.crt", "certificate-authority-data": "eA=="}, "there are both"),
        ({"certificate-authority": "missing"}, "missing cannot be read: No such file or directory"),
        ({"certificate-authority": "a\0b"}, "cannot be read: embedded null byte"),
        ({"certificate-authority-data": "eA=="}, "holds no certificate in PEM"),
    ):
        home.config(cluster={**TLS, **entry})
        with pytest.raises(CredentialsError, match=problem):
            await home.load()


@row("`insecure-skip-tls-verify`")
async def test_any_server_may_be_trusted(home: Home) -> None:
    home.config(cluster={**TLS, "insecure-skip-tls-verify": True})
    context = (await home.load()).ssl_context
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode == ssl.CERT_NONE
    home.config(cluster={**TLS, "insecure-skip-tls-verify": True, "certificate-authority-data": "eA=="})
    with pytest.raises(CredentialsError, match="insecure-skip-tls-verify says not to use it: remove one"):
        await home.load()


@row("`tls-server-name`")
async def test_the_server_may_have_another_name(home: Home) -> None:
    home.config(cluster={**TLS, "tls-server-name": "kubernetes"})
    assert (await home.load()).tls_server_name == "kubernetes"
    home.config(cluster={"server": "https://[::ffff:10.0.0.1]:6443"})
    assert (await home.load()).tls_server_name == "10.0.0.1"


@row("`proxy-url`")
async def test_the_proxy_of_the_cluster_wins_over_the_environment(home: Home) -> None:
    home.environment |= {"HTTPS_PROXY": "http://other.example", "NO_PROXY": "*"}
    home.config(cluster={**TLS, "proxy-url": "socks5://me:secret@proxy.example:1080"})
    assert (await home.load()).proxy == "socks5://me:secret@proxy.example:1080"
    for url, problem in (
        ("ftp://a", "the scheme ftp: only http, https"),
        ("me:secret@a:1", "The proxy a:1 of proxy-url"),
    ):
        home.config(cluster={**TLS, "proxy-url": url})
        with pytest.raises(CredentialsError, match=problem) as caught:
            await home.load()
        assert "secret" not in str(caught.value)


@row("`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`")
@pytest.mark.parametrize(
    ("server", "environment", "proxy"),
    [
        ("https://a.example", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://a.example", {"https_proxy": "p:3128"}, "http://p:3128"),
        ("https://a.example", {"HTTPS_PROXY": "socks5://p", "https_proxy": "http://q"}, "socks5://p"),
        ("https://a.example", {"HTTP_PROXY": "http://p", "ALL_PROXY": "http://p"}, None),
        ("http://a.example", {"HTTP_PROXY": "http://p"}, "http://p"),
        ("https://localhost", {"HTTPS_PROXY": "http://p"}, None),
        ("https://127.1.2.3", {"HTTPS_PROXY": "http://p"}, None),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://a.example", {"HTTPS_PROXY": "http://p", "REQUEST_METHOD": "GET"}, "http://p"),
    ],
)
def test_the_proxy_of_the_environment(server: str, environment: dict[str, str], proxy: str | None) -> None:
    assert environment_proxy(environment, server) == proxy


@row("`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`")
@pytest.mark.parametrize(
    ("exceptions", "server", "is_direct"),
    [
        ("example", "https://a.example", True),
        ("a.example", "https://a.example", True),
        ("a.example", "https://ba.example", False),
        (".example", "https://a.example", True),
        (".a.example", "https://a.example", False),
        ("*.example", "https://a.example", True),
        ("b, A.EXAMPLE ,", "https://a.example", True),
        ("a.example:443", "https://a.example", True),
        ("a.example:443", "https://a.example:6443", False),
        ("*", "https://a.example", True),
        ("10.0.0.0/8", "https://10.96.0.1", True),
        ("10.0.0.0/8", "https://a.example", False),
        ("10.96.0.1:6443", "https://10.96.0.1:6443", True),
        ("fd00::/8", "https://[fd00::1]:6443", True),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", True),
        ("[fd00::1]", "https://[fd00::1]:6443", False),
        (".0.0.1", "https://10.0.0.1", False),
        ("10.0.0.0/99", "https://10.0.0.1", False),
    ],
)
def test_exceptions_from_the_proxy(exceptions: str, server: str, is_direct: bool) -> None:
    found = environment_proxy({"HTTPS_PROXY": "http://p", "NO_PROXY": exceptions}, server)
    assert found == (None if is_direct else "http://p")


@row("`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`")
def test_a_proxy_that_a_web_server_may_have_set_is_refused() -> None:
    with pytest.raises(CredentialsError, match="REQUEST_METHOD"):
        environment_proxy({"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}, "http://a.example")


@row("`disable-compression`")
@pytest.mark.parametrize("disabled", [True, False])
async def test_compression_is_never_asked_for(home: Home, disabled: bool) -> None:
    heard: list[bytes] = []
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", heard=heard) as address:
        home.config(cluster={"server": f"http://{address}", "disable-compression": disabled})
        transport = HttpTransport(await home.load())
        await transport.send(HttpRequest("GET", "/version", {}, {}), None)
        await transport.close()
    assert b"accept-encoding" not in heard[0].lower()
