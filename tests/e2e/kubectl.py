"""kubectl as a typed function: what a user types, read back as the driver's own wire types.

It refuses to know anything of the driver. Each call is one process with a deadline; a call that fails carries what
kubectl said.
"""

import json
import subprocess
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.meta import KubeObject
from tests.e2e.client import Client, ClientError, Manifest
from tests.e2e.objects import RunningPod

__all__ = ["Kubectl", "KubectlError"]

K = TypeVar("K", bound=KubeObject)


class KubectlError(ClientError):
    """A kubectl command ended with a status other than 0."""

    def __init__(self, command: Sequence[str], returncode: int, stderr: str) -> None:
        self.command, self.returncode, self.stderr = tuple(command), returncode, stderr
        super().__init__(f"{' '.join(command)} ended with status {returncode}: {stderr.strip()}")


class Kubectl(Client):
    """kubectl with the kubeconfig of the environment: a ``Client``, and a function of whatever else kubectl can do."""

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

    @override
    def list(self, kind: type[K], namespace: str | None = None) -> Sequence[K]:
        where = ("--all-namespaces",) if namespace is None else ("--namespace", namespace)
        raw = json.loads(self("get", _resource(kind), *where, "--output=json"))
        return [kind.from_wire(item) for item in raw["items"]]

    @override
    def read(self, kind: type[KubeObject], name: str, namespace: str = "default") -> Manifest:
        found: Manifest = json.loads(self("get", _resource(kind), name, "-n", namespace, "--output=json"))
        return found

    @override
    def get(self, kind: type[K], name: str, namespace: str = "default") -> K:
        return kind.from_wire(self.read(kind, name, namespace))

    def find(self, kind: type[K], name: str, namespace: str = "default") -> K | None:
        """One object, or None."""
        try:
            return self.get(kind, name, namespace)
        except KubectlError as error:
            if error.not_found:
                return None
            raise

    @override
    def create(self, *manifests: Manifest, validate: bool = True) -> None:
        self("create", f"--validate={'strict' if validate else 'ignore'}", "--filename=-", stdin=_stream(manifests))

    @override
    def delete(
        self, kind: type[KubeObject], name: str, namespace: str = "default", *, wait: bool = False, now: bool = False
    ) -> None:
        self("delete", _resource(kind), name, "-n", namespace, "--ignore-not-found", *_deletion(wait=wait, now=now))

    @override
    def delete_all(self, kind: type[KubeObject], namespace: str, *, now: bool = False) -> None:
        self("delete", _resource(kind), "--all", "-n", namespace, *_deletion(wait=False, now=now))

    @override
    def patch(self, kind: type[KubeObject], name: str, change: Manifest, namespace: str = "default") -> None:
        self("patch", _resource(kind), name, "-n", namespace, "--type=merge", f"--patch={json.dumps(change)}")

    @override
    def logs(
        self, pod: RunningPod, container: str = "", *, since: datetime | None = None, previous: bool = False
    ) -> str:
        flags = [f"--since-time={since.isoformat()}"] if since else []
        if previous:
            flags.append("--previous")
        flags += ["-c", container] if container else ["--all-containers"]
        return self("logs", pod.key.name, "-n", pod.key.namespace, *flags)


def _deletion(*, wait: bool, now: bool) -> Sequence[str]:
    return (f"--wait={str(wait).lower()}", *(("--grace-period=0", "--force") if now else ()))


def _resource(kind: type[KubeObject]) -> str:
    """``plural.version.group``, which kubectl takes for any kind without asking which group it is of."""
    resource = kind.resource
    return f"{resource.plural}.{resource.version}.{resource.group}" if resource.group else resource.plural


def _stream(manifests: Sequence[Manifest]) -> str:
    return "\n".join(json.dumps(manifest) for manifest in manifests)
