"""What the contexts name."""

from typing import Final

from tests.integration.kubeconfig.lab import KUBECONFIG, kubeconfig
from tests.integration.kubeconfig.shapes.shape import DEFAULT_ADDRESS, of_files, part, simple

__all__ = ["CONTEXTS"]

CONTEXTS: Final = {
    "no current context, and one to choose from": of_files(
        lambda lab: {KUBECONFIG: {**simple(lab), "current-context": ""}},
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "an unknown current context": of_files(
        lambda lab: {KUBECONFIG: {**simple(lab), "current-context": "gone"}}, "gone", KUBECONFIG=f"ROOT/{KUBECONFIG}"
    ),
    "a context without a user": of_files(
        lambda lab: {
            KUBECONFIG: part(
                clusters=[("a", {"server": lab.http.url})], contexts=[("here", {"cluster": "a"})], current="here"
            )
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context with an unknown user": of_files(
        lambda lab: {
            KUBECONFIG: part(
                clusters=[("a", lab.trusted(lab.tls))],
                contexts=[("here", {"cluster": "a", "user": "gone"})],
                current="here",
            )
        },
        "EOF",
        ours=["gone"],
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context with an unknown user, for plain HTTP": of_files(
        lambda lab: {
            KUBECONFIG: part(
                clusters=[("a", {"server": lab.http.url})],
                contexts=[("here", {"cluster": "a", "user": "gone"})],
                current="here",
            )
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context without a cluster": of_files(
        lambda lab: {
            KUBECONFIG: part(users=[("a", {"token": "mine"})], contexts=[("here", {"user": "a"})], current="here")
        },
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a context with an unknown cluster": of_files(
        lambda lab: {
            KUBECONFIG: part(
                users=[("a", {"token": "mine"})],
                contexts=[("here", {"cluster": "gone", "user": "a"})],
                current="here",
            )
        },
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "a namespace that is none": of_files(
        lambda lab: {KUBECONFIG: kubeconfig(lab.trusted(lab.tls), {"token": "mine"}, namespace="Bad Name!")},
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "entries with empty names": of_files(
        lambda lab: {KUBECONFIG: kubeconfig(lab.trusted(lab.tls), {"token": "mine"}, "")},
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "an empty context": of_files(
        lambda _: {KUBECONFIG: part(contexts=[("here", {})], current="here")},
        DEFAULT_ADDRESS,
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
    "entries that are not used and cannot be": of_files(
        lambda lab: {
            KUBECONFIG: part(
                clusters=[("here", lab.trusted(lab.tls)), ("bad", {"certificate-authority": "/gone"})],
                users=[("here", {"token": "mine"}), ("bad", {"token": "a", "username": "b"})],
                contexts=[("here", {"cluster": "here", "user": "here"}), ("bad", {"cluster": "x", "user": "y"})],
                current="here",
            )
        },
        KUBECONFIG=f"ROOT/{KUBECONFIG}",
    ),
}
