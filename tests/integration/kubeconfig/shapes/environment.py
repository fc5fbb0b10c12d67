"""Proxies of the environment, as golang.org/x/net/http/httpproxy chooses them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.integration.kubeconfig.lab import Lab
from tests.integration.kubeconfig.shapes.shape import (
    Shape,
    of_cluster,
)

__all__ = ["ENVIRONMENT"]


def of_variables(
    variables: Callable[[Lab], Mapping[str, str]],
    *refusal: str,
    server: Callable[[Lab], str] = lambda lab: lab.far,
    ours: Sequence[str] | None = None,
) -> Shape:
    """These variables, and a server that only a proxy knows, or another."""
    return of_cluster(lambda lab: lab.trusted(server(lab)), *refusal, environment=variables, ours=ours)


def _excepted(no_proxy: str, *, server: Callable[[Lab], str] = lambda lab: lab.near) -> Shape:
    """NO_PROXY, in which ``PORT`` is the server's, for a server that can be reached with and without the proxy."""
    return of_variables(
        lambda lab: {
            "HTTPS_PROXY": lab.proxy.url,
            "NO_PROXY": no_proxy.replace("PORT", server(lab).rpartition(":")[2]),
        },
        server=server,
    )


def _excepted_name(no_proxy: str, *refusal: str) -> Shape:
    """NO_PROXY for a server that only the proxy knows: it is asked, or no resolver knows the name."""
    return of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "NO_PROXY": no_proxy.replace("PORT", str(lab.tls.port))}, *refusal
    )


ENVIRONMENT: Final = {
    "HTTPS_PROXY": of_variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url}),
    "https_proxy": of_variables(lambda lab: {"https_proxy": lab.proxy.url}),
    "HTTPS_PROXY before https_proxy": of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "https_proxy": lab.second_proxy.url}
    ),
    "an empty HTTPS_PROXY": of_variables(lambda lab: {"HTTPS_PROXY": "", "https_proxy": lab.proxy.url}),
    "HTTPS_PROXY, for plain HTTP": of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: f"http://0.0.0.0:{lab.http.port}"
    ),
    "HTTP_PROXY": of_variables(lambda lab: {"HTTP_PROXY": lab.proxy.url}, server=lambda lab: lab.far_http),
    "http_proxy": of_variables(lambda lab: {"http_proxy": lab.proxy.url}, server=lambda lab: lab.far_http),
    "HTTP_PROXY, for TLS": of_variables(lambda lab: {"HTTP_PROXY": lab.proxy.url}, server=lambda lab: lab.near),
    "HTTP_PROXY in a CGI program": of_variables(
        lambda lab: {"HTTP_PROXY": lab.proxy.url, "REQUEST_METHOD": "GET"},
        "HTTP_PROXY",
        server=lambda lab: lab.far_http,
    ),
    "http_proxy in a CGI program": of_variables(
        lambda lab: {"http_proxy": lab.proxy.url, "REQUEST_METHOD": "GET"},
        "HTTP_PROXY",
        server=lambda lab: lab.far_http,
    ),
    "HTTPS_PROXY in a CGI program": of_variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url, "REQUEST_METHOD": "GET"}),
    "ALL_PROXY, which Go does not know": of_variables(
        lambda lab: {"ALL_PROXY": lab.proxy.url, "all_proxy": lab.proxy.url}, server=lambda lab: lab.near
    ),
    "a proxy without a scheme": of_variables(lambda lab: {"HTTPS_PROXY": lab.proxy.authority}),
    "a proxy without a scheme, by name": of_variables(lambda lab: {"HTTPS_PROXY": f"localhost:{lab.proxy.port}"}),
    "a proxy with a path": of_variables(lambda lab: {"HTTPS_PROXY": f"{lab.proxy.url}/path"}),
    "a proxy with a login": of_variables(
        lambda lab: {"HTTPS_PROXY": f"http://alice:pass%20word@{lab.locked_proxy.authority}"}
    ),
    "a proxy with a login, for plain HTTP": of_variables(
        lambda lab: {"HTTP_PROXY": f"http://alice:pass%20word@{lab.locked_proxy.authority}"},
        server=lambda lab: lab.far_http,
    ),
    "a proxy with TLS": of_variables(lambda lab: {"HTTPS_PROXY": lab.tls_proxy.url}),
    "a proxy of SOCKS5": of_variables(lambda lab: {"HTTPS_PROXY": lab.socks.url}),
    "a proxy that is no URL, which Go passes over": of_variables(
        lambda _: {"HTTPS_PROXY": "http://%zz"}, "api.cluster.invalid", ours=[]
    ),
    "a proxy with spaces around it, which Go passes over": of_variables(
        lambda lab: {"HTTPS_PROXY": f" {lab.proxy.url} "}, "api.cluster.invalid", ours=[]
    ),
    "localhost": of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: f"https://localhost:{lab.tls.port}"
    ),
    "127.0.0.1": of_variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: lab.tls.url),
    "::1": of_variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: lab.tls6.url),
    "::ffff:127.0.0.1": of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: f"https://[::ffff:127.0.0.1]:{lab.tls.port}"
    ),
    "an address that is none of loopback": of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: lab.near
    ),
    "no_proxy": of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "no_proxy": "0.0.0.0"}, server=lambda lab: lab.near
    ),
    "NO_PROXY before no_proxy": of_variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "NO_PROXY": "10.1.1.1", "no_proxy": "*"},
        server=lambda lab: lab.near,
    ),
    **{
        f"NO_PROXY={no_proxy!r}, for 0.0.0.0": _excepted(no_proxy)
        # Ends of an address are left out: older kubectls take them for domains (CVE-2025-22870).
        for no_proxy in (
            "*",
            "10.1.1.1,*",
            "0.0.0.0",
            " 10.1.1.1 , 0.0.0.0 ",
            "10.1.1.1 0.0.0.0",
            "0.0.0.0:PORT",
            "0.0.0.0:1",
            "0.0.0.0/8",
            "0.0.0.0/33",
            "10.0.0.0/8",
            "::ffff:0.0.0.0",
        )
    },
    **{
        f"NO_PROXY={no_proxy!r}, for ::": _excepted(no_proxy, server=lambda lab: lab.near6)
        for no_proxy in ("::", "[::]", "[::]:PORT", "[::]:1", "::/8", "0:0:0:0:0:0:0:0", "0.0.0.0")
    },
    **{
        f"NO_PROXY={no_proxy!r}, for api.cluster.invalid": _excepted_name(no_proxy, "api.cluster.invalid")
        for no_proxy in (
            "api.cluster.invalid",
            "API.Cluster.Invalid",
            "cluster.invalid",
            ".cluster.invalid",
            "*.cluster.invalid",
            "invalid",
            "api.cluster.invalid:PORT",
            ".cluster.invalid:PORT",
        )
    },
    **{
        f"NO_PROXY={no_proxy!r}, which is not api.cluster.invalid": _excepted_name(no_proxy)
        for no_proxy in (
            "luster.invalid",
            "api",
            "api.*",
            "*.api.cluster.invalid",
            ".api.cluster.invalid",
            "api.cluster.invalid:1",
            "api.cluster.invalid.",
            "https://api.cluster.invalid",
            "",
        )
    },
}
