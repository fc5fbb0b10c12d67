"""What a user does with a cluster, as typed functions: the seam between the tests and the way to the cluster.

``Kubectl`` does it with the real program; ``tests.scenarios.http.HttpClient`` with plain HTTP where there is none. The
same test gets the same objects and the same refusals from both.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject
from tests.e2e.objects import RunningPod

__all__ = ["Client", "ClientError", "Manifest"]

K = TypeVar("K", bound=KubeObject)

Manifest = Mapping[str, Any]
"""An object as a person writes it, before the API server has seen it."""


class ClientError(Exception):
    """The cluster refused something, or did not answer; the text is what a user gets to read."""

    @property
    def not_found(self) -> bool:
        """Whether the object, or its kind, is not there."""
        return "(NotFound)" in str(self)


class Client(Protocol):
    """Every method raises ClientError when the cluster refuses, or does not answer."""

    def list(self, kind: type[K], namespace: str | None = None) -> Sequence[K]:
        """Every object of a kind, in one namespace or in all."""
        ...

    def read(self, kind: type[KubeObject], name: str, namespace: str = "default") -> Manifest:
        """One object exactly as the API server has it."""
        ...

    def get(self, kind: type[K], name: str, namespace: str = "default") -> K:
        """One object."""
        ...

    def create(self, *manifests: Manifest, validate: bool = True) -> None:
        """Creates objects; unknown fields are refused, unless ``validate`` is off, as it is with other clients."""
        ...

    def delete(
        self, kind: type[KubeObject], name: str, namespace: str = "default", *, wait: bool = False, now: bool = False
    ) -> None:
        """Deletes one object; it is no error that there is none.

        Args:
            kind: its kind.
            name: its name.
            namespace: its namespace.
            wait: until it is gone.
            now: without grace, for a pod that no kubelet will ever end.
        """
        ...

    def delete_all(self, kind: type[KubeObject], namespace: str, *, now: bool = False) -> None:
        """Deletes every object of a kind in a namespace, without waiting."""
        ...

    def patch(self, kind: type[KubeObject], name: str, change: Manifest, namespace: str = "default") -> None:
        """Merge-patches one object."""
        ...

    def logs(
        self, pod: RunningPod, container: str = "", *, since: datetime | None = None, previous: bool = False
    ) -> str:
        """What a container has written, or all of a pod; ``previous``: before the last restart."""
        ...
