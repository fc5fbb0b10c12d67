"""What stands for the server's address."""

from typing import Final

from tests.integration.kubeconfig.shapes.shape import DEFAULT_ADDRESS, of_cluster

__all__ = ["SERVERS"]

SERVERS: Final = {
    "plain HTTP, which no token is sent to": of_cluster(lambda lab: {"server": lab.http.url}),
    "an IPv6 address": of_cluster(lambda lab: lab.trusted(lab.tls6)),
    "an IPv6 address, plain HTTP": of_cluster(lambda lab: {"server": lab.http6.url}),
    "a name": of_cluster(lambda lab: lab.trusted(f"https://localhost:{lab.tls.port}")),
    "no scheme": of_cluster(lambda lab: {"server": lab.http.authority}),
    "no scheme, which is HTTP in spite of an authority": of_cluster(lambda lab: lab.trusted(lab.http.authority)),
    "no scheme, and a name": of_cluster(lambda lab: {"server": f"localhost:{lab.http.port}"}),
    "no scheme, which is HTTP also where insecure": of_cluster(
        lambda lab: {"server": lab.http.authority, "insecure-skip-tls-verify": True}
    ),
    "no scheme, but a path": of_cluster(lambda lab: {"server": f"{lab.http.authority}/prefix"}, "/prefix"),
    "no scheme, IPv6": of_cluster(lambda lab: {"server": lab.http6.authority}),
    "a path": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/k8s/clusters/c-1")),
    "a path with a slash at its end": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/k8s/")),
    "a slash": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/")),
    "two slashes in the path": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/a//b")),
    "a path with escapes": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/a%2Fb/c%20d")),
    "a query": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/path?query=1")),
    "a query without a path": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}?query=1")),
    "user and password": of_cluster(lambda lab: {"server": f"http://alice:secret@{lab.http.authority}"}),
    "user and password, and a token": of_cluster(lambda lab: lab.trusted(f"https://alice:secret@{lab.tls.authority}")),
    "capitals": of_cluster(lambda lab: lab.trusted(f"HTTPS://LOCALHOST:{lab.tls.port}")),
    "user and password with escapes": of_cluster(lambda lab: {"server": f"http://a%40b:c%2Fd@{lab.http.authority}"}),
    "a user without a password": of_cluster(lambda lab: {"server": f"http://alice@{lab.http.authority}"}),
    "a path with dots": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/a/../b/./c")),
    "a path with other signs": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/a;b/c+d/e=f/@g/h:i/~j/ü")),
    "a path with a fragment": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/a#b")),
    "a path with an escape that is none": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}/%zz"), "%zz"),
    "a fragment without a path": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}#b")),
    "a space before it": of_cluster(lambda lab: lab.trusted(f" {lab.tls.url}"), " ", ours=["127.0.0.1"]),
    "a space after it": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url} "), " ", ours=["127.0.0.1"]),
    "a line's end after it": of_cluster(lambda lab: lab.trusted(f"{lab.tls.url}\n"), "URL", ours=["127.0.0.1"]),
    "an IPv6 address in full": of_cluster(lambda lab: lab.trusted(f"https://[0:0:0:0:0:0:0:1]:{lab.tls6.port}")),
    "a path alone": of_cluster(lambda _: {"server": "/a/b"}, "/a/b"),
    "no scheme, but two slashes": of_cluster(lambda _: {"server": "//127.0.0.1:1"}, "//127.0.0.1:1"),
    "another scheme": of_cluster(lambda lab: {"server": f"ftp://{lab.http.authority}"}, "ftp"),
    "a port that is none": of_cluster(lambda _: {"server": "https://127.0.0.1:port"}, "127.0.0.1:port"),
    "a port too high": of_cluster(lambda _: {"server": "https://127.0.0.1:99999"}, "99999"),
    "no host": of_cluster(lambda _: {"server": "https://"}, "https://"),
    "no server": of_cluster(lambda _: {"insecure-skip-tls-verify": True}, DEFAULT_ADDRESS),
    "an empty server": of_cluster(lambda _: {"server": "", "insecure-skip-tls-verify": True}, DEFAULT_ADDRESS),
    "an empty cluster": of_cluster(lambda _: {}, DEFAULT_ADDRESS),
    "nothing there": of_cluster(lambda _: {"server": "https://127.0.0.1:1"}, "127.0.0.1:1", "refused"),
    "a name that no resolver knows": of_cluster(lambda _: {"server": "https://no.invalid:1"}, "no.invalid"),
    "compression disabled": of_cluster(lambda lab: lab.trusted(lab.tls, **{"disable-compression": True})),
}
