"""The shapes of kubeconfigs: for each what a program finds, and whether it is to ask a server or to refuse.

A refusal is compared by what it names: a file, a field, an entry. Both programs' messages have to have these words, and
those of ``status`` other words where kubectl does not say what is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.integration.kubeconfig.lab import FOLDER, HOME, KUBECONFIG, Document, Lab, Scene, encoded, kubeconfig

__all__ = ["DEFAULT_ADDRESS", "SHAPES", "Shape"]

DEFAULT_ADDRESS: Final = "localhost:8080"
"""Where client-go goes when no kubeconfig names a server."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which kubeconfigs can be."""

    scene: Callable[[Lab], Scene]
    refusal: Sequence[str] | None = None
    """Words that kubectl's message has; None: a server is asked. ``ROOT`` stands for the scene's folder."""
    ours: Sequence[str] | None = None
    """Words that the message of ``status`` has; None: the same."""


def _cluster(fields: Callable[[Lab], Document], *refusal: str, **more: Any) -> Shape:
    """One cluster with these fields, and a user with a token."""
    return _user(lambda _: {"token": "mine"}, *refusal, cluster=fields, **more)


def _user(
    fields: Callable[[Lab], Document],
    *refusal: str,
    cluster: Callable[[Lab], Document] = lambda lab: lab.trusted(lab.tls),
    files: Callable[[Lab], Mapping[str, Any]] = lambda _: {},
    environment: Callable[[Lab], Mapping[str, str]] = lambda _: {},
    ours: Sequence[str] | None = None,
) -> Shape:
    """One user with these fields, at the server ``tls`` where no other cluster is given."""

    def scene(lab: Lab) -> Scene:
        found = Scene({KUBECONFIG: kubeconfig(cluster(lab), fields(lab)), **files(lab)})
        return replace(found, environment={**found.environment, **environment(lab)})

    return Shape(scene, refusal or None, ours)


def _files(
    files: Callable[[Lab], Mapping[str, Any]],
    *refusal: str,
    arguments: Sequence[str] = (),
    ours: Sequence[str] | None = None,
    **environment: str,
) -> Shape:
    """These files, and these variables of the environment."""
    return Shape(lambda lab: Scene(files(lab), environment, arguments), refusal or None, ours)


def _simple(lab: Lab, token: str = "mine") -> Document:
    return kubeconfig(lab.trusted(lab.tls), {"token": token})


def _part(**lists: Sequence[tuple[str, Document]] | str) -> Document:
    """A kubeconfig of some of the lists; ``current`` is the current context."""
    singular = {"clusters": "cluster", "users": "user", "contexts": "context"}
    found: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    for name, entries in lists.items():
        if isinstance(entries, str):
            found["current-context"] = entries
        else:
            found[name] = [{"name": entry, singular[name]: fields} for entry, fields in entries]
    return found


def _certificate(lab: Lab, name: str = "alice") -> Document:
    issued = lab.alice if name == "alice" else lab.bob
    return {"client-certificate-data": encoded(issued.certificate), "client-key-data": encoded(issued.key)}


def _certificate_files(folder: str) -> Callable[[Lab], Mapping[str, Any]]:
    return lambda lab: {f"{folder}/alice.crt": lab.alice.certificate, f"{folder}/alice.key": lab.alice.key}


def _yaml(text: str, *refusal: str) -> Shape:
    return _files(lambda lab: {KUBECONFIG: _written(text, lab)}, *refusal, KUBECONFIG=f"ROOT/{KUBECONFIG}")


def _written(text: str, lab: Lab) -> str:
    return text.replace("SERVER", lab.tls.url).replace("AUTHORITY", encoded(lab.authority.certificate))


_PARTS: Final = """\
clusters: [{name: here, cluster: {server: SERVER, certificate-authority-data: AUTHORITY}}]
users: [{name: here, user: {token: mine}}]
contexts: [{name: here, context: {cluster: here, user: here}}]
"""

_SERVERS: Final = {
    "plain HTTP, which no token is sent to": _cluster(lambda lab: {"server": lab.http.url}),
    "an IPv6 address": _cluster(lambda lab: lab.trusted(lab.tls6)),
    "an IPv6 address, plain HTTP": _cluster(lambda lab: {"server": lab.http6.url}),
    "a name": _cluster(lambda lab: lab.trusted(f"https://localhost:{lab.tls.port}")),
    "no scheme": _cluster(lambda lab: {"server": lab.http.authority}),
    "no scheme, which is HTTP in spite of an authority": _cluster(lambda lab: lab.trusted(lab.http.authority)),
    "no scheme, and a name": _cluster(lambda lab: {"server": f"localhost:{lab.http.port}"}),
    "no scheme, which is HTTP also where insecure": _cluster(
        lambda lab: {"server": lab.http.authority, "insecure-skip-tls-verify": True}
    ),
    "no scheme, but a path": _cluster(lambda lab: {"server": f"{lab.http.authority}/prefix"}, "/prefix"),
    "no scheme, IPv6": _cluster(lambda lab: {"server": lab.http6.authority}),
    "a path": _cluster(lambda lab: lab.trusted(f"{lab.tls.url}/k8s/clusters/c-1")),
    "a path with a slash at its end": _cluster(lambda lab: lab.trusted(f"{lab.tls.url}/k8s/")),
    "a slash": _cluster(lambda lab: lab.trusted(f"{lab.tls.url}/")),
    "two slashes in the path": _cluster(lambda lab: lab.trusted(f"{lab.tls.url}/a//b")),
    "a path with escapes": _cluster(lambda lab: lab.trusted(f"{lab.tls.url}/a%2Fb/c%20d")),
    "a query": _cluster(lambda lab: lab.trusted(f"{lab.tls.url}/path?query=1")),
    "a query without a path": _cluster(lambda lab: lab.trusted(f"{lab.tls.url}?query=1")),
    "user and password": _cluster(lambda lab: {"server": f"http://alice:secret@{lab.http.authority}"}),
    "user and password, and a token": _cluster(lambda lab: lab.trusted(f"https://alice:secret@{lab.tls.authority}")),
    "capitals": _cluster(lambda lab: lab.trusted(f"HTTPS://LOCALHOST:{lab.tls.port}")),
    "another scheme": _cluster(lambda lab: {"server": f"ftp://{lab.http.authority}"}, "ftp"),
    "a port that is none": _cluster(lambda _: {"server": "https://127.0.0.1:port"}, "127.0.0.1:port"),
    "a port too high": _cluster(lambda _: {"server": "https://127.0.0.1:99999"}, "99999"),
    "no host": _cluster(lambda _: {"server": "https://"}, "https://"),
    "no server": _cluster(lambda _: {"insecure-skip-tls-verify": True}, DEFAULT_ADDRESS),
    "an empty server": _cluster(lambda _: {"server": "", "insecure-skip-tls-verify": True}, DEFAULT_ADDRESS),
    "an empty cluster": _cluster(lambda _: {}, DEFAULT_ADDRESS),
    "nothing there": _cluster(lambda _: {"server": "https://127.0.0.1:1"}, "127.0.0.1:1", "refused"),
    "a name that no resolver knows": _cluster(lambda _: {"server": "https://no.invalid:1"}, "no.invalid"),
    "compression disabled": _cluster(lambda lab: lab.trusted(lab.tls, **{"disable-compression": True})),
}

_TRUST: Final = {
    "the authority in a file": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": f"ROOT/{FOLDER}/ca.crt"},
        files=lambda lab: {f"{FOLDER}/ca.crt": lab.authority.certificate},
    ),
    "the authority in a file beside the kubeconfig, and another in the working directory": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        files=lambda lab: {
            f"{HOME}/ca.crt": lab.authority.certificate,
            f"{FOLDER}/ca.crt": lab.other_authority.certificate,
        },
    ),
    "the authority's file in the working directory alone": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        "certificate-authority",
        f"ROOT/{HOME}/ca.crt",
        files=lambda lab: {f"{FOLDER}/ca.crt": lab.authority.certificate},
    ),
    "the authority in a file above the kubeconfig": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "../keys/ca.crt"},
        files=lambda lab: {"keys/ca.crt": lab.authority.certificate},
    ),
    "the authority's file with ~, which is a name like any other": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "~/ca.crt"},
        "certificate-authority",
        f"ROOT/{HOME}/~/ca.crt",
        files=lambda lab: {f"{HOME}/ca.crt": lab.authority.certificate},
    ),
    "the authority inline and in a file": _cluster(
        lambda lab: lab.trusted(lab.tls, **{"certificate-authority": "ca.crt"}),
        "certificate-authority-data",
        "certificate-authority",
        files=lambda lab: {f"{HOME}/ca.crt": lab.authority.certificate},
    ),
    "the authority inline that is not base64": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority-data": "!"}, f"ROOT/{KUBECONFIG}"
    ),
    "the authority inline that is no certificate": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority-data": encoded("none")}, "certificate"
    ),
    "the authority in a file that is no certificate": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        "certificate",
        files=lambda _: {f"{HOME}/ca.crt": "none"},
    ),
    "the authority in a folder": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca"},
        f"ROOT/{HOME}/ca",
        files=lambda _: {f"{HOME}/ca": None},
    ),
    "two authorities in one file": _cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        files=lambda lab: {f"{HOME}/ca.crt": lab.other_authority.certificate + lab.authority.certificate},
    ),
    "no authority": _cluster(lambda lab: {"server": lab.tls.url}, "certificate"),
    "the authorities of the system": _cluster(
        lambda lab: {"server": lab.tls.url},
        files=lambda lab: {"system.crt": lab.authority.certificate},
        environment=lambda _: {"SSL_CERT_FILE": "ROOT/system.crt"},
    ),
    "an authority beside those of the system": _cluster(
        lambda lab: lab.trusted(lab.stranger),
        "certificate",
        files=lambda lab: {"system.crt": lab.other_authority.certificate},
        environment=lambda _: {"SSL_CERT_FILE": "ROOT/system.crt"},
    ),
    "a server of another authority": _cluster(lambda lab: lab.trusted(lab.stranger), "certificate"),
    "a server of another name": _cluster(lambda lab: lab.trusted(lab.misnamed), "127.0.0.1"),
    "a server whose certificate has expired": _cluster(lambda lab: lab.trusted(lab.expired), "expired"),
    "a server without TLS": _cluster(lambda lab: lab.trusted(f"https://{lab.http.authority}"), "HTTP"),
    "insecure": _cluster(lambda lab: {"server": lab.stranger.url, "insecure-skip-tls-verify": True}),
    "insecure, and a server of another name": _cluster(
        lambda lab: {"server": lab.misnamed.url, "insecure-skip-tls-verify": True}
    ),
    "insecure with an authority": _cluster(
        lambda lab: lab.trusted(lab.tls, **{"insecure-skip-tls-verify": True}), "insecure"
    ),
    "insecure in words": _cluster(
        lambda lab: {"server": lab.tls.url, "insecure-skip-tls-verify": "true"}, f"ROOT/{KUBECONFIG}"
    ),
    "not insecure, with an authority": _cluster(
        lambda lab: lab.trusted(lab.tls, **{"insecure-skip-tls-verify": False})
    ),
    "the server's name": _cluster(lambda lab: lab.trusted(lab.misnamed, **{"tls-server-name": "kube.test"})),
    "the server's name, which it does not have": _cluster(
        lambda lab: lab.trusted(lab.tls, **{"tls-server-name": "other.test"}), "other.test"
    ),
    "the server's name, insecure": _cluster(
        lambda lab: {"server": lab.tls.url, "tls-server-name": "other.test", "insecure-skip-tls-verify": True}
    ),
    "the server's name, an address": _cluster(lambda lab: lab.trusted(lab.tls, **{"tls-server-name": "127.0.0.1"})),
    "the server's name, and a path": _cluster(
        lambda lab: lab.trusted(f"{lab.misnamed.url}/path", **{"tls-server-name": "kube.test"})
    ),
}

_IDENTITIES: Final = {
    "a token": _user(lambda _: {"token": "mine"}),
    "a token with a space before it": _user(lambda _: {"token": " mine"}),
    "a token with a line's end": _user(lambda _: {"token": "mine\n"}, "Authorization", ours=["token"]),
    "a token of several lines": _user(lambda _: {"token": "mine\nyours"}, "Authorization", ours=["token"]),
    "an empty token": _user(lambda lab: {"token": "", **_certificate(lab)}),
    "a token in a file": _user(
        lambda _: {"tokenFile": f"ROOT/{FOLDER}/token"}, files=lambda _: {f"{FOLDER}/token": "from a file\n"}
    ),
    "a token in a file beside the kubeconfig": _user(
        lambda _: {"tokenFile": "token"},
        files=lambda _: {f"{HOME}/token": "from a file\n", f"{FOLDER}/token": "from another\n"},
    ),
    "a token in a file that is missing": _user(lambda _: {"tokenFile": "token"}, f"ROOT/{HOME}/token"),
    "a token in an empty file": _user(
        lambda lab: {"tokenFile": "token", **_certificate(lab)},
        f"ROOT/{HOME}/token",
        files=lambda _: {f"{HOME}/token": ""},
    ),
    "a token, and one in a file": _user(
        lambda _: {"token": "mine", "tokenFile": "token"}, files=lambda _: {f"{HOME}/token": "from a file\n"}
    ),
    "a token, and a file that is missing": _user(lambda _: {"token": "mine", "tokenFile": "token"}),
    "user name and password": _user(lambda _: {"username": "alice", "password": "pass word"}),
    "user name and password not of ASCII": _user(lambda _: {"username": "älice", "password": "pässword"}),
    "a user name without a password": _user(lambda _: {"username": "alice"}),
    "a password without a user name, which kubectl asks for": _user(
        lambda _: {"password": "secret"}, "EOF", ours=["here", "username"]
    ),
    "nothing to identify a user, whom kubectl asks for": _user(lambda _: {}, "EOF", ours=["here"]),
    "nothing to identify a user, for plain HTTP": _user(lambda _: {}, cluster=lambda lab: {"server": lab.http.url}),
    "user name and token": _user(
        lambda _: {"username": "alice", "password": "secret", "token": "mine"}, "here", "token", "basicAuth"
    ),
    "a user name, and a token in a file": _user(
        lambda _: {"username": "alice", "password": "secret", "tokenFile": "token"},
        "username",
        "token",
        files=lambda _: {f"{HOME}/token": "from a file\n"},
    ),
    "a certificate": _user(_certificate),
    "a certificate in files": _user(
        lambda _: {"client-certificate": f"ROOT/{FOLDER}/alice.crt", "client-key": f"ROOT/{FOLDER}/alice.key"},
        files=_certificate_files(FOLDER),
    ),
    "a certificate in files beside the kubeconfig": _user(
        lambda _: {"client-certificate": "alice.crt", "client-key": "keys/alice.key"},
        files=lambda lab: {f"{HOME}/alice.crt": lab.alice.certificate, f"{HOME}/keys/alice.key": lab.alice.key},
    ),
    "a certificate inline with its key in a file": _user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate), "client-key": "alice.key"},
        files=lambda lab: {f"{HOME}/alice.key": lab.alice.key},
    ),
    "a certificate in a file with its key inline": _user(
        lambda lab: {"client-certificate": "alice.crt", "client-key-data": encoded(lab.alice.key)},
        files=lambda lab: {f"{HOME}/alice.crt": lab.alice.certificate},
    ),
    "a certificate inline and in a file": _user(
        lambda lab: {**_certificate(lab), "client-certificate": "alice.crt", "client-key": "alice.key"},
        "client-cert",
        "here",
        files=_certificate_files(HOME),
    ),
    "a certificate whose key is inline and in a file": _user(
        lambda lab: {**_certificate(lab), "client-key": "alice.key"},
        "client-key-data",
        "client-key",
        files=_certificate_files(HOME),
    ),
    "a certificate without a key": _user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate)}, "client-key"
    ),
    "a key without a certificate": _user(
        lambda lab: {"token": "mine", "client-key-data": encoded(lab.alice.key)},
    ),
    "a certificate with the key of another": _user(
        lambda lab: {
            "client-certificate-data": encoded(lab.alice.certificate),
            "client-key-data": encoded(lab.bob.key),
        },
        "private key",
    ),
    "a certificate that is none": _user(
        lambda lab: {"client-certificate-data": encoded("none"), "client-key-data": encoded(lab.alice.key)},
        "certificate",
    ),
    "a certificate and its key in one text": _user(
        lambda lab: {
            "client-certificate-data": encoded(lab.alice.key + lab.alice.certificate),
            "client-key-data": encoded(lab.alice.certificate + lab.alice.key),
        }
    ),
    "a certificate's file that is missing": _user(
        lambda lab: {"client-certificate": "alice.crt", "client-key-data": encoded(lab.alice.key)},
        f"ROOT/{HOME}/alice.crt",
    ),
    "a key's file that is missing": _user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate), "client-key": "alice.key"},
        f"ROOT/{HOME}/alice.key",
    ),
    "a certificate and a token": _user(lambda lab: {**_certificate(lab), "token": "mine"}),
    "a certificate and a user name": _user(
        lambda lab: {**_certificate(lab), "username": "alice", "password": "secret"}
    ),
    "a certificate, for plain HTTP": _user(_certificate, cluster=lambda lab: {"server": lab.http.url}),
    "a certificate, for a server without scheme": _user(
        _certificate, cluster=lambda lab: {"server": lab.http.authority}
    ),
    "another user": _user(lambda _: {"token": "mine", "as": "bob"}),
    "another user, for plain HTTP": _user(
        lambda _: {"token": "mine", "as": "bob"}, cluster=lambda lab: {"server": lab.http.url}
    ),
    "another user with everything": _user(
        lambda _: {
            "token": "mine",
            "as": "bob",
            "as-uid": "1234",
            "as-groups": ["one", "two", "system:masters"],
            "as-user-extra": {"plain": ["a", "b"], "acme.com/Project": ["x y"], "ümlaut%": ["z"]},
        }
    ),
    "another user not of ASCII": _user(lambda _: {"token": "mine", "as": "jürgen"}),
    "groups without another user": _user(lambda _: {"token": "mine", "as-groups": ["one"]}, "here", "impersonating"),
    "a UID without another user": _user(lambda _: {"token": "mine", "as-uid": "1"}, "here", "impersonating"),
    "extra fields without another user": _user(
        lambda _: {"token": "mine", "as-user-extra": {"a": ["b"]}}, "here", "impersonating"
    ),
    "an auth provider of old": _user(lambda _: {"auth-provider": {"name": "gcp", "config": {}}}, "gcp"),
    "an auth provider that there never was": _user(lambda _: {"auth-provider": {"name": "acme", "config": {}}}, "acme"),
}

_DOCUMENTS: Final = {
    "YAML": _yaml("current-context: here\n" + _PARTS),
    "YAML with comments, anchors and several keys of no meaning": _yaml(
        "# mine\nextra: &x {a: 1}\nmore: *x\npreferences: {colors: true}\ncurrent-context: here\n" + _PARTS
    ),
    "no apiVersion and kind": _files(
        lambda lab: {
            KUBECONFIG: {key: value for key, value in _simple(lab).items() if key not in ("apiVersion", "kind")}
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "another apiVersion": _yaml("apiVersion: v2\ncurrent-context: here\n" + _PARTS, f"ROOT/{KUBECONFIG}", "v2"),
    "another kind": _yaml("apiVersion: v1\nkind: Pod\ncurrent-context: here\n" + _PARTS, f"ROOT/{KUBECONFIG}", "Pod"),
    "an unknown field of a cluster": _cluster(lambda lab: lab.trusted(lab.tls, colour="blue")),
    "an unknown field of a user": _user(lambda _: {"token": "mine", "colour": "blue"}),
    "a field in other letters": _cluster(lambda lab: {"Server": lab.http.url}, DEFAULT_ADDRESS),
    "a field of the wrong type": _cluster(lambda _: {"server": ["https://127.0.0.1"]}, f"ROOT/{KUBECONFIG}", "server"),
    "a number for a token": _user(lambda _: {"token": 12345}, f"ROOT/{KUBECONFIG}", "token"),
    "nothing for a field": _user(lambda _: {"token": "mine", "username": None, "as-groups": None}),
    "a list that is none": _yaml("current-context: here\nclusters: {a: 1}\n", f"ROOT/{KUBECONFIG}", "clusters"),
    "broken YAML": _yaml("current-context: here\nclusters: [\n", f"ROOT/{KUBECONFIG}", "line 2"),
    "a tab in YAML": _yaml("current-context: here\nclusters:\n\t- name: a\n", f"ROOT/{KUBECONFIG}", "line 3"),
    "a text that is no mapping": _yaml("hello\n", f"ROOT/{KUBECONFIG}"),
    "a duplicate key": _yaml("current-context: there\ncurrent-context: here\n" + _PARTS),
    "not UTF-8": _files(lambda _: {KUBECONFIG: b"\xff\xfe\x00"}, f"ROOT/{KUBECONFIG}", KUBECONFIG=f"ROOT/{KUBECONFIG}"),
    "a byte order mark": _files(
        lambda lab: {KUBECONFIG: b"\xef\xbb\xbf" + _written("current-context: here\n" + _PARTS, lab).encode()},
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "two documents": _yaml("current-context: here\n" + _PARTS + "---\ncurrent-context: there\n"),
    "an entry twice": _files(
        lambda lab: {
            KUBECONFIG: _part(
                clusters=[("here", lab.trusted(lab.tls)), ("here", lab.trusted(lab.second))],
                users=[("here", {"token": "first"}), ("here", {"token": "second"})],
                contexts=[("here", {"cluster": "here", "user": "here"})],
                current="here",
            )
        },
        f"ROOT/{KUBECONFIG}",
        "here",
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "an entry without a name": _files(
        lambda lab: {
            KUBECONFIG: {
                "clusters": [{"cluster": lab.trusted(lab.tls)}],
                "contexts": [{"name": "here", "context": {"cluster": "", "user": "here"}}],
                "users": [{"name": "here", "user": {"token": "mine"}}],
                "current-context": "here",
            }
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
}

_CONTEXTS: Final = {
    "no current context, and one to choose from": _files(
        lambda lab: {KUBECONFIG: {**_simple(lab), "current-context": ""}},
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "an unknown current context": _files(
        lambda lab: {KUBECONFIG: {**_simple(lab), "current-context": "gone"}}, "gone", KUBECONFIG=f"ROOT/{KUBECONFIG}"
    ),
    "a context without a user": _files(
        lambda lab: {
            KUBECONFIG: _part(
                clusters=[("a", {"server": lab.http.url})], contexts=[("here", {"cluster": "a"})], current="here"
            )
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context with an unknown user": _files(
        lambda lab: {
            KUBECONFIG: _part(
                clusters=[("a", lab.trusted(lab.tls))],
                contexts=[("here", {"cluster": "a", "user": "gone"})],
                current="here",
            )
        },
        "EOF",
        ours=["gone"],
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context with an unknown user, for plain HTTP": _files(
        lambda lab: {
            KUBECONFIG: _part(
                clusters=[("a", {"server": lab.http.url})],
                contexts=[("here", {"cluster": "a", "user": "gone"})],
                current="here",
            )
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context without a cluster": _files(
        lambda lab: {
            KUBECONFIG: _part(users=[("a", {"token": "mine"})], contexts=[("here", {"user": "a"})], current="here")
        },
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context with an unknown cluster": _files(
        lambda lab: {
            KUBECONFIG: _part(
                users=[("a", {"token": "mine"})],
                contexts=[("here", {"cluster": "gone", "user": "a"})],
                current="here",
            )
        },
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "an empty context": _files(
        lambda _: {KUBECONFIG: _part(contexts=[("here", {})], current="here")},
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "entries that are not used and cannot be": _files(
        lambda lab: {
            KUBECONFIG: _part(
                clusters=[("here", lab.trusted(lab.tls)), ("bad", {"certificate-authority": "/gone"})],
                users=[("here", {"token": "mine"}), ("bad", {"token": "a", "username": "b"})],
                contexts=[("here", {"cluster": "here", "user": "here"}), ("bad", {"cluster": "x", "user": "y"})],
                current="here",
            )
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
}

_FILES: Final = {
    "~/.kube/config": _files(lambda lab: {f"{HOME}/.kube/config": _simple(lab)}),
    "~/.kube/config, and an empty KUBECONFIG": _files(
        lambda lab: {f"{HOME}/.kube/config": _simple(lab)}, KUBECONFIG=""
    ),
    "KUBECONFIG before ~/.kube/config": _files(
        lambda lab: {f"{HOME}/.kube/config": _simple(lab, "home"), "a": _simple(lab, "a")}, KUBECONFIG="ROOT/a"
    ),
    "--kubeconfig before KUBECONFIG": _files(
        lambda lab: {"a": _simple(lab, "a"), "b": _simple(lab, "b")},
        arguments=["--kubeconfig=ROOT/b"],
        KUBECONFIG="ROOT/a",
    ),
    "--kubeconfig that is missing": _files(
        lambda lab: {"a": _simple(lab)}, "ROOT/gone", arguments=["--kubeconfig=ROOT/gone"], KUBECONFIG="ROOT/a"
    ),
    "--kubeconfig with a relative path": _files(
        lambda lab: {f"{FOLDER}/a": _simple(lab)}, arguments=["--kubeconfig=a"]
    ),
    "--kubeconfig with a colon in its path": _files(
        lambda lab: {"a:b": _simple(lab)}, arguments=["--kubeconfig=ROOT/a:b"]
    ),
    "no file": _files(lambda _: {}, DEFAULT_ADDRESS),
    "no file, but KUBERNETES_MASTER": Shape(lambda lab: Scene({}, {"KUBERNETES_MASTER": lab.http.url})),
    "KUBERNETES_MASTER beside a kubeconfig": Shape(
        lambda lab: Scene({"a": _simple(lab)}, {"KUBERNETES_MASTER": lab.http.url, "KUBECONFIG": "ROOT/a"})
    ),
    "KUBECONFIG that is missing": _files(lambda _: {}, DEFAULT_ADDRESS, KUBECONFIG="ROOT/gone"),
    "KUBECONFIG that is missing, and ~/.kube/config": _files(
        lambda lab: {f"{HOME}/.kube/config": _simple(lab)}, DEFAULT_ADDRESS, KUBECONFIG="ROOT/gone"
    ),
    "KUBECONFIG with a relative path": _files(lambda lab: {f"{FOLDER}/a": _simple(lab)}, KUBECONFIG="a"),
    "KUBECONFIG with ~, which only a shell knows": _files(
        lambda lab: {f"{HOME}/a": _simple(lab)}, DEFAULT_ADDRESS, KUBECONFIG="~/a"
    ),
    "the second is missing": _files(lambda lab: {"a": _simple(lab)}, KUBECONFIG="ROOT/a:ROOT/gone"),
    "the first is missing": _files(lambda lab: {"a": _simple(lab)}, KUBECONFIG="ROOT/gone:ROOT/a"),
    "empty names": _files(lambda lab: {"a": _simple(lab)}, KUBECONFIG=":ROOT/a::"),
    "an empty file": _files(lambda lab: {"a": "", "b": _simple(lab)}, KUBECONFIG="ROOT/a:ROOT/b"),
    "an empty file alone": _files(lambda _: {"a": ""}, DEFAULT_ADDRESS, KUBECONFIG="ROOT/a"),
    "a file of white space": _files(lambda lab: {"a": "\n\n", "b": _simple(lab)}, KUBECONFIG="ROOT/a:ROOT/b"),
    "a folder": _files(lambda lab: {"a": None, "b": _simple(lab)}, "ROOT/a", KUBECONFIG="ROOT/a:ROOT/b"),
    "a folder alone": _files(lambda _: {"a": None}, "ROOT/a", KUBECONFIG="ROOT/a"),
    "a file within a file": _files(lambda lab: {"a": _simple(lab)}, "ROOT/a/b", KUBECONFIG="ROOT/a/b:ROOT/a"),
    "a broken file after a good one": _files(
        lambda lab: {"a": _simple(lab), "b": "clusters: ["}, "ROOT/b", KUBECONFIG="ROOT/a:ROOT/b"
    ),
    "two broken files": _files(
        lambda _: {"a": "clusters: [", "b": "users: ["}, "ROOT/a", "ROOT/b", KUBECONFIG="ROOT/a:ROOT/b"
    ),
    "one file twice": _files(lambda lab: {"a": _simple(lab)}, KUBECONFIG="ROOT/a:ROOT/a"),
    "the same entries in two files": _files(
        lambda lab: {
            "a": _simple(lab, "first"),
            "b": kubeconfig(lab.trusted(lab.second), {"token": "second"}),
        },
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "an entry whose fields are in two files": _files(
        lambda lab: {
            "a": _part(clusters=[("here", {"server": lab.tls.url})], current="here"),
            "b": kubeconfig({"certificate-authority-data": encoded(lab.authority.certificate)}, {"token": "mine"}),
        },
        "certificate",
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "the current context of the second file": _files(
        lambda lab: {"a": {**_simple(lab, "first"), "current-context": ""}, "b": {"current-context": "here"}},
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "the current context of the first file, an entry of the second": _files(
        lambda lab: {
            "a": {**_simple(lab, "first"), "current-context": "there"},
            "b": kubeconfig(lab.trusted(lab.second), {"token": "second"}, "there"),
        },
        KUBECONFIG="ROOT/a:ROOT/b",
    ),
    "cluster, user and context in three files": _files(
        lambda lab: {
            "one/a": _part(clusters=[("c", {"server": lab.tls.url, "certificate-authority": "ca.crt"})]),
            "one/ca.crt": lab.authority.certificate,
            "two/b": _part(users=[("u", {"tokenFile": "token"})]),
            "two/token": "from a file",
            "three/c": _part(contexts=[("x", {"cluster": "c", "user": "u"})], current="x"),
        },
        KUBECONFIG="ROOT/one/a:ROOT/two/b:ROOT/three/c",
    ),
    "a link to a kubeconfig elsewhere": Shape(
        lambda lab: Scene(
            {
                "real/config": kubeconfig(
                    {"server": lab.tls.url, "certificate-authority": "ca.crt"}, {"token": "mine"}
                ),
                "real/ca.crt": lab.other_authority.certificate,
                f"{HOME}/ca.crt": lab.authority.certificate,
            },
            links={KUBECONFIG: "real/config"},
        )
    ),
}


def _variables(
    variables: Callable[[Lab], Mapping[str, str]],
    *refusal: str,
    server: Callable[[Lab], str] = lambda lab: lab.far,
    ours: Sequence[str] | None = None,
) -> Shape:
    """These variables, and a server that only a proxy knows, or another."""
    return _cluster(lambda lab: lab.trusted(server(lab)), *refusal, environment=variables, ours=ours)


def _excepted(no_proxy: str, *, server: Callable[[Lab], str] = lambda lab: lab.near) -> Shape:
    """NO_PROXY, in which ``PORT`` is the server's, for a server that can be reached with and without the proxy."""
    return _variables(
        lambda lab: {
            "HTTPS_PROXY": lab.proxy.url,
            "NO_PROXY": no_proxy.replace("PORT", server(lab).rpartition(":")[2]),
        },
        server=server,
    )


def _excepted_name(no_proxy: str, *refusal: str) -> Shape:
    """NO_PROXY for a server that only the proxy knows: it is asked, or no resolver knows the name."""
    return _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "NO_PROXY": no_proxy.replace("PORT", str(lab.tls.port))}, *refusal
    )


_ENVIRONMENT: Final = {
    "HTTPS_PROXY": _variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url}),
    "https_proxy": _variables(lambda lab: {"https_proxy": lab.proxy.url}),
    "HTTPS_PROXY before https_proxy": _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "https_proxy": lab.second_proxy.url}
    ),
    "an empty HTTPS_PROXY": _variables(lambda lab: {"HTTPS_PROXY": "", "https_proxy": lab.proxy.url}),
    "HTTPS_PROXY, for plain HTTP": _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: f"http://0.0.0.0:{lab.http.port}"
    ),
    "HTTP_PROXY": _variables(lambda lab: {"HTTP_PROXY": lab.proxy.url}, server=lambda lab: lab.far_http),
    "http_proxy": _variables(lambda lab: {"http_proxy": lab.proxy.url}, server=lambda lab: lab.far_http),
    "HTTP_PROXY, for TLS": _variables(lambda lab: {"HTTP_PROXY": lab.proxy.url}, server=lambda lab: lab.near),
    "HTTP_PROXY in a CGI program": _variables(
        lambda lab: {"HTTP_PROXY": lab.proxy.url, "REQUEST_METHOD": "GET"},
        "HTTP_PROXY",
        server=lambda lab: lab.far_http,
    ),
    "http_proxy in a CGI program": _variables(
        lambda lab: {"http_proxy": lab.proxy.url, "REQUEST_METHOD": "GET"},
        "HTTP_PROXY",
        server=lambda lab: lab.far_http,
    ),
    "HTTPS_PROXY in a CGI program": _variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url, "REQUEST_METHOD": "GET"}),
    "ALL_PROXY, which Go does not know": _variables(
        lambda lab: {"ALL_PROXY": lab.proxy.url, "all_proxy": lab.proxy.url}, server=lambda lab: lab.near
    ),
    "a proxy without a scheme": _variables(lambda lab: {"HTTPS_PROXY": lab.proxy.authority}),
    "a proxy without a scheme, by name": _variables(lambda lab: {"HTTPS_PROXY": f"localhost:{lab.proxy.port}"}),
    "a proxy with a path": _variables(lambda lab: {"HTTPS_PROXY": f"{lab.proxy.url}/path"}),
    "a proxy with a login": _variables(
        lambda lab: {"HTTPS_PROXY": f"http://alice:pass%20word@{lab.locked_proxy.authority}"}
    ),
    "a proxy with a login, for plain HTTP": _variables(
        lambda lab: {"HTTP_PROXY": f"http://alice:pass%20word@{lab.locked_proxy.authority}"},
        server=lambda lab: lab.far_http,
    ),
    "a proxy with TLS": _variables(lambda lab: {"HTTPS_PROXY": lab.tls_proxy.url}),
    "a proxy of SOCKS5": _variables(lambda lab: {"HTTPS_PROXY": lab.socks.url}),
    "a proxy that is no URL, which Go passes over": _variables(
        lambda _: {"HTTPS_PROXY": "http://%zz"}, "api.cluster.invalid", ours=[]
    ),
    "a proxy with spaces around it, which Go passes over": _variables(
        lambda lab: {"HTTPS_PROXY": f" {lab.proxy.url} "}, "api.cluster.invalid", ours=[]
    ),
    "localhost": _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: f"https://localhost:{lab.tls.port}"
    ),
    "127.0.0.1": _variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: lab.tls.url),
    "::1": _variables(lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: lab.tls6.url),
    "::ffff:127.0.0.1": _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: f"https://[::ffff:127.0.0.1]:{lab.tls.port}"
    ),
    "an address that is none of loopback": _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url}, server=lambda lab: lab.near
    ),
    "no_proxy": _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "no_proxy": "0.0.0.0"}, server=lambda lab: lab.near
    ),
    "NO_PROXY before no_proxy": _variables(
        lambda lab: {"HTTPS_PROXY": lab.proxy.url, "NO_PROXY": "10.1.1.1", "no_proxy": "*"},
        server=lambda lab: lab.near,
    ),
    **{
        f"NO_PROXY={no_proxy!r}, for 0.0.0.0": _excepted(no_proxy)
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
            "0.0.0",
            ".0.0.0",
            "*.0.0.0",
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

_PROXIES: Final = {
    "proxy-url": _cluster(lambda lab: lab.trusted(lab.tls, **{"proxy-url": lab.proxy.url})),
    "proxy-url, for a name": _cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url})),
    "proxy-url, for IPv6": _cluster(lambda lab: lab.trusted(lab.tls6, **{"proxy-url": lab.proxy.url})),
    "proxy-url, for plain HTTP": _cluster(lambda lab: {"server": lab.far_http, "proxy-url": lab.proxy.url}),
    "proxy-url, for plain HTTP with a path": _cluster(
        lambda lab: {"server": f"{lab.far_http}/path", "proxy-url": lab.proxy.url}
    ),
    "proxy-url with a slash": _cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": f"{lab.proxy.url}/"})),
    "proxy-url with a login": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"http://alice:pass%20word@{lab.locked_proxy.authority}"})
    ),
    "proxy-url with a login, for plain HTTP": _cluster(
        lambda lab: {
            "server": lab.far_http,
            "proxy-url": f"http://alice:pass%20word@{lab.locked_proxy.authority}",
        }
    ),
    "proxy-url without the login": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.locked_proxy.url}), "Proxy Authentication Required"
    ),
    "proxy-url of a proxy that knows no way": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.lost_proxy.url}), "Bad Gateway"
    ),
    "proxy-url where nothing is": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "http://127.0.0.1:1"}), "127.0.0.1:1", "refused"
    ),
    "proxy-url of a proxy with TLS": _cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.tls_proxy.url})),
    "proxy-url of SOCKS5": _cluster(lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.socks.url})),
    "proxy-url of SOCKS5, for an address": _cluster(lambda lab: lab.trusted(lab.tls, **{"proxy-url": lab.socks.url})),
    "proxy-url of SOCKS5, for IPv6": _cluster(lambda lab: lab.trusted(lab.tls6, **{"proxy-url": lab.socks.url})),
    "proxy-url of SOCKS5, for plain HTTP": _cluster(lambda lab: {"server": lab.far_http, "proxy-url": lab.socks.url}),
    "proxy-url of SOCKS5 with a login": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": f"socks5://alice:pass%20word@{lab.locked_socks.authority}"})
    ),
    "proxy-url without a scheme": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "127.0.0.1:1"}), "proxy-url", "127.0.0.1:1"
    ),
    "proxy-url of another scheme": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": "ftp://127.0.0.1:1"}), "ftp"
    ),
    "proxy-url before HTTPS_PROXY": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url}),
        environment=lambda _: {"HTTPS_PROXY": "http://127.0.0.1:1"},
    ),
    "proxy-url in spite of NO_PROXY": _cluster(
        lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url}), environment=lambda _: {"NO_PROXY": "*"}
    ),
    "proxy-url and a certificate": _user(
        _certificate, cluster=lambda lab: lab.trusted(lab.far, **{"proxy-url": lab.proxy.url})
    ),
    "proxy-url and the server's name": _cluster(
        lambda lab: lab.trusted(lab.misnamed, **{"proxy-url": lab.proxy.url, "tls-server-name": "kube.test"})
    ),
}

SHAPES: Final[Mapping[str, Shape]] = {
    f"{group}: {name}": shape
    for group, shapes in {
        "server": _SERVERS,
        "trust": _TRUST,
        "user": _IDENTITIES,
        "document": _DOCUMENTS,
        "context": _CONTEXTS,
        "files": _FILES,
        "proxy": _PROXIES,
        "environment": _ENVIRONMENT,
    }.items()
    for name, shape in shapes.items()
}
