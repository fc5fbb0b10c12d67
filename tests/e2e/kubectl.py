"""kubectl as a typed function: what a user types, read back as the driver's own wire types.

It refuses to know anything of the driver. Each call is one process with a deadline; a call that fails carries what
kubectl said.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fake_dra_driver.api.meta import KubeObject

__all__ = ["Kubectl", "KubectlError", "Manifest"]

K = TypeVar("K", bound=KubeObject)

Manifest = Mapping[str, Any]
"""An object as a person writes it, before the API server has seen it."""


class KubectlError(Exception):
    """A kubectl command ended with a status other than 0."""

    def __init__(self, command: Sequence[str], returncode: int, stderr: str) -> None:
        self.command, self.returncode, self.stderr = tuple(command), returncode, stderr
        super().__init__(f"{' '.join(command)} ended with status {returncode}: {stderr.strip()}")

    @property
    def not_found(self) -> bool:
        """Whether the object, or its kind, is not there."""
        return "(NotFound)" in self.stderr


class Kubectl:
    """kubectl with the kubeconfig of the environment."""

    def __call__(self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Runs ``kubectl arguments`` and returns its standard output. Raises KubectlError when it fails."""
        command = ("kubectl", *arguments)
        result = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
        if result.returncode != 0:
            raise KubectlError(command, result.returncode, result.stderr)
        return result.stdout

    def said(self, *arguments: str) -> str:
        """Runs ``kubectl arguments`` for a person to read: its output, or why there is none."""
        try:
            return self(*arguments)
        except (KubectlError, subprocess.TimeoutExpired) as error:
            return str(error)

    def list(self, kind: type[K], namespace: str | None = None, *selection: str) -> Sequence[K]:
        """Every object of a kind, in one namespace or in all; ``selection`` are more flags, such as ``-l app=x``."""
        where = ("--all-namespaces",) if namespace is None else ("--namespace", namespace)
        raw = json.loads(self("get", _resource(kind), *where, *selection, "--output=json"))
        return [kind.from_wire(item) for item in raw["items"]]

    def get(self, kind: type[K], name: str, namespace: str = "default") -> K:
        """One object. Raises KubectlError, with ``not_found`` set when there is none."""
        return kind.from_wire(json.loads(self("get", _resource(kind), name, "-n", namespace, "--output=json")))

    def find(self, kind: type[K], name: str, namespace: str = "default") -> K | None:
        """One object, or None."""
        try:
            return self.get(kind, name, namespace)
        except KubectlError as error:
            if error.not_found:
                return None
            raise

    def create(self, *manifests: Manifest) -> None:
        """Creates objects; unknown fields are refused, as for a user."""
        self("create", "--filename=-", stdin=_stream(manifests))

    def delete(self, kind: type[KubeObject], name: str, namespace: str = "default", *flags: str) -> None:
        """Deletes one object, without waiting for it to be gone; it is no error that there is none."""
        self("delete", _resource(kind), name, "-n", namespace, "--ignore-not-found", "--wait=false", *flags)

    def delete_pod_now(self, name: str, namespace: str) -> None:
        """Deletes a pod that no kubelet will ever end: at once, without grace."""
        self(
            "delete", "pod", name, "-n", namespace, "--ignore-not-found", "--wait=false", "--grace-period=0", "--force"
        )

    def patch(
        self, kind: type[KubeObject], name: str, change: Manifest, namespace: str = "default", *flags: str
    ) -> None:
        """Merge-patches one object."""
        self("patch", _resource(kind), name, "-n", namespace, "--type=merge", f"--patch={json.dumps(change)}", *flags)


def _resource(kind: type[KubeObject]) -> str:
    """``plural.version.group``, which kubectl takes for any kind without asking which group it is of."""
    resource = kind.resource
    return f"{resource.plural}.{resource.version}.{resource.group}" if resource.group else resource.plural


def _stream(manifests: Sequence[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
