"""How the file is written."""

from typing import Final

from tests.integration.kubeconfig.lab import KUBECONFIG, Lab, encoded
from tests.integration.kubeconfig.shapes.shape import (
    DEFAULT_ADDRESS,
    Shape,
    of_cluster,
    of_files,
    of_user,
    part,
    simple,
)

__all__ = ["DOCUMENTS"]


def _yaml(text: str, *refusal: str) -> Shape:
    return of_files(lambda lab: {KUBECONFIG: _written(text, lab)}, *refusal, KUBECONFIG=f"ROOT/{KUBECONFIG}")


def _written(text: str, lab: Lab) -> str:
    return text.replace("SERVER", lab.tls.url).replace("AUTHORITY", encoded(lab.authority.certificate))


_PARTS: Final = """\
clusters: [{name: here, cluster: {server: SERVER, certificate-authority-data: AUTHORITY}}]
users: [{name: here, user: {token: mine}}]
contexts: [{name: here, context: {cluster: here, user: here}}]
"""


DOCUMENTS: Final = {
    "YAML": _yaml("current-context: here\n" + _PARTS),
    "YAML with comments, anchors and several keys of no meaning": _yaml(
        "# mine\nextra: &x {a: 1}\nmore: *x\npreferences: {colors: true}\ncurrent-context: here\n" + _PARTS
    ),
    "no apiVersion and kind": of_files(
        lambda lab: {
            KUBECONFIG: {key: value for key, value in simple(lab).items() if key not in ("apiVersion", "kind")}
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "another apiVersion": _yaml("apiVersion: v2\ncurrent-context: here\n" + _PARTS, f"ROOT/{KUBECONFIG}", "v2"),
    "another kind": _yaml("apiVersion: v1\nkind: Pod\ncurrent-context: here\n" + _PARTS, f"ROOT/{KUBECONFIG}", "Pod"),
    "an unknown field of a cluster": of_cluster(lambda lab: lab.trusted(lab.tls, colour="blue")),
    "an unknown field of a user": of_user(lambda _: {"token": "mine", "colour": "blue"}),
    "a field in other letters": of_cluster(lambda lab: {"Server": lab.http.url}, DEFAULT_ADDRESS),
    "a field of the wrong type": of_cluster(
        lambda _: {"server": ["https://127.0.0.1"]}, f"ROOT/{KUBECONFIG}", "server"
    ),
    "a number for a token": of_user(lambda _: {"token": 12345}, f"ROOT/{KUBECONFIG}", "token"),
    "nothing for a field": of_user(lambda _: {"token": "mine", "username": None, "as-groups": None}),
    "a list that is none": _yaml("current-context: here\nclusters: {a: 1}\n", f"ROOT/{KUBECONFIG}", "clusters"),
    "broken YAML": _yaml("current-context: here\nclusters: [\n", f"ROOT/{KUBECONFIG}", "line"),
    "a tab in YAML": _yaml("current-context: here\nclusters:\n\t- name: a\n", f"ROOT/{KUBECONFIG}", "line"),
    "a text that is no mapping": _yaml("hello\n", f"ROOT/{KUBECONFIG}"),
    "a duplicate key": _yaml("current-context: there\ncurrent-context: here\n" + _PARTS),
    "not UTF-8": of_files(
        lambda _: {KUBECONFIG: b"\xff\xfe\x00"}, f"ROOT/{KUBECONFIG}", KUBECONFIG=f"ROOT/{KUBECONFIG}"
    ),
    "a byte order mark": of_files(
        lambda lab: {KUBECONFIG: b"\xef\xbb\xbf" + _written("current-context: here\n" + _PARTS, lab).encode()},
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "two documents": _yaml("current-context: here\n" + _PARTS + "---\ncurrent-context: there\n"),
    "an entry twice": of_files(
        lambda lab: {
            KUBECONFIG: part(
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
    "an entry without a name": of_files(
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
