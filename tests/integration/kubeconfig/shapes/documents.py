"""How the file is written."""

import json
from typing import Final

from tests.integration.kubeconfig.lab import KUBECONFIG
from tests.integration.kubeconfig.shapes.shape import (
    DEFAULT_ADDRESS,
    filled_in,
    of_cluster,
    of_files,
    of_text,
    of_user,
    part,
    simple,
)

__all__ = ["DOCUMENTS"]


_PARTS: Final = """\
clusters: [{name: here, cluster: {server: SERVER, certificate-authority-data: AUTHORITY}}]
users: [{name: here, user: {token: mine}}]
contexts: [{name: here, context: {cluster: here, user: here}}]
"""


DOCUMENTS: Final = {
    "YAML": of_text("current-context: here\n" + _PARTS),
    "YAML with comments, anchors and several keys of no meaning": of_text(
        "# mine\nextra: &x {a: 1}\nmore: *x\npreferences: {colors: true}\ncurrent-context: here\n" + _PARTS
    ),
    "no apiVersion and kind": of_files(
        lambda lab: {
            KUBECONFIG: {key: value for key, value in simple(lab).items() if key not in ("apiVersion", "kind")}
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "another apiVersion": of_text("apiVersion: v2\ncurrent-context: here\n" + _PARTS, f"ROOT/{KUBECONFIG}", "v2"),
    "another kind": of_text("apiVersion: v1\nkind: Pod\ncurrent-context: here\n" + _PARTS, f"ROOT/{KUBECONFIG}", "Pod"),
    "an unknown field of a cluster": of_cluster(lambda lab: lab.trusted(lab.tls, colour="blue")),
    "an unknown field of a user": of_user(lambda _: {"token": "mine", "colour": "blue"}),
    "a field in other letters": of_cluster(lambda lab: {"Server": lab.http.url}, DEFAULT_ADDRESS),
    "a field of the wrong type": of_cluster(
        lambda _: {"server": ["https://127.0.0.1"]}, f"ROOT/{KUBECONFIG}", "server"
    ),
    "a number for a token": of_user(lambda _: {"token": 12345}, f"ROOT/{KUBECONFIG}", "token"),
    "nothing for a field": of_user(lambda _: {"token": "mine", "username": None, "as-groups": None}),
    "a list that is none": of_text("current-context: here\nclusters: {a: 1}\n", f"ROOT/{KUBECONFIG}", "clusters"),
    "broken YAML": of_text("current-context: here\nclusters: [\n", f"ROOT/{KUBECONFIG}", "line"),
    "a tab in YAML": of_text("current-context: here\nclusters:\n\t- name: a\n", f"ROOT/{KUBECONFIG}", "line"),
    "a text that is no mapping": of_text("hello\n", f"ROOT/{KUBECONFIG}"),
    "a duplicate key": of_text("current-context: there\ncurrent-context: here\n" + _PARTS),
    "not UTF-8": of_files(
        lambda _: {KUBECONFIG: b"\xff\xfe\x00"}, f"ROOT/{KUBECONFIG}", KUBECONFIG=f"ROOT/{KUBECONFIG}"
    ),
    "a byte order mark": of_files(
        lambda lab: {KUBECONFIG: b"\xef\xbb\xbf" + filled_in("current-context: here\n" + _PARTS, lab).encode()},
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "line ends of Windows": of_files(
        lambda lab: {KUBECONFIG: filled_in("current-context: here\n" + _PARTS, lab).replace("\n", "\r\n").encode()},
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "UTF-16": of_files(
        lambda lab: {KUBECONFIG: filled_in("current-context: here\n" + _PARTS, lab).encode("utf-16")},
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a name beyond the basic plane": of_text(
        "current-context: \U0001f600\n" + _PARTS.replace("contexts: [{name: here", "contexts: [{name: \U0001f600")
    ),
    "JSON indented by tabs": of_files(
        lambda lab: {KUBECONFIG: json.dumps(simple(lab), indent="\t")}, KUBECONFIG=f"ROOT/{KUBECONFIG}"
    ),
    "JSON with a comma at the end": of_files(
        lambda lab: {KUBECONFIG: json.dumps(simple(lab))[:-1] + ",}"}, KUBECONFIG=f"ROOT/{KUBECONFIG}"
    ),
    "a key merged from another": of_text(
        "current-context: here\n" + _PARTS.replace("user: {token: mine}", "user: {<<: {token: merged}}")
    ),
    "a number for a key": of_text("1: 2\ncurrent-context: here\n" + _PARTS),
    "a list for a key": of_text("? [a]\n: 2\ncurrent-context: here\n" + _PARTS, f"ROOT/{KUBECONFIG}"),
    "a number for a name": of_text(
        "current-context: here\n" + _PARTS.replace("name: here", "name: 1"), f"ROOT/{KUBECONFIG}"
    ),
    "nothing for an entry": of_text("current-context: here\n" + _PARTS.replace("clusters: [", "clusters: [null, ")),
    "nothing for a list": of_text(
        "current-context: here\n" + _PARTS.replace("users: [", "x: [") + "users:\n", "EOF", ours=["here"]
    ),
    "nothing at all": of_text("null\n", DEFAULT_ADDRESS),
    "a list": of_text("[]\n", f"ROOT/{KUBECONFIG}"),
    "a comment alone": of_text("# nothing\n", DEFAULT_ADDRESS),
    "two documents": of_text("current-context: here\n" + _PARTS + "---\ncurrent-context: there\n"),
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
