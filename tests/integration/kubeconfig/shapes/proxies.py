"""``proxy-url`` of a cluster."""

from typing import Final

from tests.integration.kubeconfig.shapes.shape import certificate, of_cluster, of_user

__all__ = ["PROXIES"]

PROXIES: Final = {
    "proxy-url": of_cluster(lambda lab: lab.trusted(lab.tls, **{"proxy-url": lab.proxy.url})),
    "proxy-url, for a name": of_cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url})),
    "proxy-url, for IPv6": of_cluster(lambda lab: lab.trusted(lab.tls6, **{"proxy-url": lab.proxy.url})),
    "proxy-url, for plain HTTP": of_cluster(lambda lab: {"server": lab.far_http, "proxy-url": lab.proxy.url}),
    "proxy-url, for plain HTTP with a path": of_cluster(
        lambda lab: {"server": f"{lab.far_http}/path", "proxy-url": lab.proxy.url}
    ),
    "proxy-url with a slash": of_cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": f"{lab.proxy.url}/"})),
    "proxy-url with a login": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"http://alice:pass%20word@{lab.locked_proxy.authority}"})
    ),
    "proxy-url with a login, for plain HTTP": of_cluster(
        lambda lab: {
            "server": lab.far_http,
            "proxy-url": f"http://alice:pass%20word@{lab.locked_proxy.authority}",
        }
    ),
    "proxy-url without the login": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.locked_proxy.url}), "Proxy Authentication Required"
    ),
    "proxy-url of a proxy that knows no way": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.lost_proxy.url}), "Bad Gateway"
    ),
    "proxy-url where nothing is": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "http://127.0.0.1:1"}), "127.0.0.1:1", "refused"
    ),
    "proxy-url of a proxy with TLS": of_cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.tls_proxy.url})),
    "proxy-url of SOCKS5": of_cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.socks.url})),
    "proxy-url of SOCKS5, for an address": of_cluster(lambda lab: lab.trusted(lab.tls, **{"proxy-url": lab.socks.url})),
    "proxy-url of SOCKS5, for IPv6": of_cluster(lambda lab: lab.trusted(lab.tls6, **{"proxy-url": lab.socks.url})),
    "proxy-url of SOCKS5, for plain HTTP": of_cluster(lambda lab: {"server": lab.far_http, "proxy-url": lab.socks.url}),
    "proxy-url of SOCKS5 with a login": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"socks5://alice:pass%20word@{lab.locked_socks.authority}"})
    ),
    "proxy-url without a scheme": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "127.0.0.1:1"}), "proxy-url", "127.0.0.1:1"
    ),
    "proxy-url that is empty": of_cluster(lambda lab: lab.trusted(lab.tls, **{"proxy-url": ""})),
    "proxy-url with a space before it": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f" {lab.proxy.url}"}), "proxy-url"
    ),
    "proxy-url with a path": of_cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": f"{lab.proxy.url}/a?b"})),
    "proxy-url in capitals": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"HTTP://{lab.proxy.authority}"})
    ),
    "proxy-url of socks5h": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"socks5h://{lab.socks.authority}"}), "socks5h"
    ),
    "proxy-url of SOCKS5 with a login that is wrong": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"socks5://a:b@{lab.locked_socks.authority}"}), "socks"
    ),
    "proxy-url of SOCKS5 without the login": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.locked_socks.url}), "socks"
    ),
    "proxy-url of SOCKS5 where nothing is": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "socks5://127.0.0.1:1"}), "127.0.0.1:1", "refused"
    ),
    "proxy-url of SOCKS5, and a server where nothing is": of_cluster(
        lambda lab: lab.trusted("https://127.0.0.1:1", **{"proxy-url": lab.socks.url}), "socks"
    ),
    "proxy-url of a proxy with TLS that is not trusted": of_cluster(
        lambda lab: {"server": lab.far, "proxy-url": lab.tls_proxy.url}, "certificate"
    ),
    "proxy-url of a proxy with TLS, insecure": of_cluster(
        lambda lab: {"server": lab.far, "proxy-url": lab.tls_proxy.url, "insecure-skip-tls-verify": True}
    ),
    "proxy-url, for a name not of ASCII": of_cluster(
        lambda lab: {"server": f"http://äpi.invalid:{lab.http.port}", "proxy-url": lab.proxy.url}
    ),
    "proxy-url, for a server without a port": of_cluster(
        lambda lab: {"server": "http://api.cluster.invalid", "proxy-url": lab.proxy.url}
    ),
    "proxy-url, for a server with TLS and without a port": of_cluster(
        lambda lab: lab.trusted("https://api.cluster.invalid", **{"proxy-url": lab.lost_proxy.url}), "Bad Gateway"
    ),
    "proxy-url, for a server in capitals": of_cluster(
        lambda lab: {"server": f"http://API.Cluster.INVALID:{lab.http.port}", "proxy-url": lab.proxy.url}
    ),
    "proxy-url of another scheme": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "ftp://127.0.0.1:1"}), "ftp"
    ),
    "proxy-url before HTTPS_PROXY": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url}),
        environment=lambda _: {"HTTPS_PROXY": "http://127.0.0.1:1"},
    ),
    "proxy-url in spite of NO_PROXY": of_cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url}), environment=lambda _: {"NO_PROXY": "*"}
    ),
    "proxy-url and a certificate": of_user(
        certificate, cluster=lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url})
    ),
    "proxy-url and the server's name": of_cluster(
        lambda lab: lab.trusted(lab.misnamed, **{"proxy-url": lab.proxy.url, "tls-server-name": "kube.test"})
    ),
}
