"""A shape, and what several groups of them are made with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.integration.kubeconfig.lab import KUBECONFIG, Document, Lab, Scene, encoded, kubeconfig

__all__ = [
    "DEFAULT_ADDRESS",
    "Shape",
    "certificate",
    "certificate_files",
    "filled_in",
    "of_cluster",
    "of_files",
    "of_text",
    "of_user",
    "part",
    "simple",
]

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


def of_cluster(fields: Callable[[Lab], Document], *refusal: str, **more: Any) -> Shape:
    """One cluster with these fields, and a user with a token."""
    return of_user(lambda _: {"token": "mine"}, *refusal, cluster=fields, **more)


def of_user(
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


def of_files(
    files: Callable[[Lab], Mapping[str, Any]],
    *refusal: str,
    arguments: Sequence[str] = (),
    ours: Sequence[str] | None = None,
    **environment: str,
) -> Shape:
    """These files, and these variables of the environment."""
    return Shape(lambda lab: Scene(files(lab), environment, arguments), refusal or None, ours)


def of_text(text: str, *refusal: str, ours: Sequence[str] | None = None) -> Shape:
    """A kubeconfig of this text, see ``filled_in``."""
    return of_files(
        lambda lab: {KUBECONFIG: filled_in(text, lab)}, *refusal, ours=ours, KUBECONFIG=f"ROOT/{KUBECONFIG}"
    )


def filled_in(text: str, lab: Lab) -> str:
    """The text with ``SERVER`` and ``AUTHORITY`` replaced by the address and, inline, the authority of ``tls``."""
    return text.replace("SERVER", lab.tls.url).replace("AUTHORITY", encoded(lab.authority.certificate))


def simple(lab: Lab, token: str = "mine") -> Document:
    """A kubeconfig that leads to the server ``tls`` with a token."""
    return kubeconfig(lab.trusted(lab.tls), {"token": token})


def part(**lists: Sequence[tuple[str, Document]] | str) -> Document:
    """A kubeconfig of some of the lists; ``current`` is the current context."""
    singular = {"clusters": "cluster", "users": "user", "contexts": "context"}
    found: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    for name, entries in lists.items():
        if isinstance(entries, str):
            found["current-context"] = entries
        else:
            found[name] = [{"name": entry, singular[name]: fields} for entry, fields in entries]
    return found


def certificate(lab: Lab) -> Document:
    """Fields of a user with the certificate of Alice, inline."""
    return {"client-certificate-data": encoded(lab.alice.certificate), "client-key-data": encoded(lab.alice.key)}


def certificate_files(folder: str) -> Callable[[Lab], Mapping[str, Any]]:
    """``alice.crt`` and ``alice.key`` in that folder."""
    return lambda lab: {f"{folder}/alice.crt": lab.alice.certificate, f"{folder}/alice.key": lab.alice.key}
