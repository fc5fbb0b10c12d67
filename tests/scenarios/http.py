"""A ``Client`` over plain HTTP, for machines without kubectl: the requests that kubectl would send, and its words."""

import base64
import json
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from typing_extensions import override

from fake_dra_driver.api.kube.meta import KubeObject
from tests.e2e.client import Client, ClientError, Manifest
from tests.e2e.objects import RunningPod
from tests.e2e.waiting import wait_until

__all__ = ["HttpClient"]

K = TypeVar("K", bound=KubeObject)

_TIMEOUT_SECONDS = 60
_DELETION_SECONDS = 60


class HttpClient(Client):
    """The API server of a kubeconfig with a token, as that of an embedded cluster. ``close`` it in the end."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        (cluster,), (user,) = config["clusters"], config["users"]
        certificate = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
        self._http = httpx.Client(
            base_url=cluster["cluster"]["server"],
            headers={"Authorization": f"Bearer {user['user']['token']}", "User-Agent": "scenarios/1"},
            verify=ssl.create_default_context(cadata=certificate),
            timeout=_TIMEOUT_SECONDS,
        )
        self._served: dict[str, Mapping[str, Any]] = {}
        """What discovery says of a group and version, by its path."""

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    @override
    def list(self, kind: type[K], namespace: str | None = None) -> Sequence[K]:
        items = self._json("GET", kind.resource.path(namespace))["items"]
        return [kind.from_wire(item) for item in items]

    @override
    def read(self, kind: type[KubeObject], name: str, namespace: str = "default") -> Manifest:
        return self._json("GET", kind.resource.path(namespace, name))

    @override
    def get(self, kind: type[K], name: str, namespace: str = "default") -> K:
        return kind.from_wire(self.read(kind, name, namespace))

    @override
    def create(self, *manifests: Manifest, validate: bool = True) -> None:
        params = {"fieldManager": "kubectl-create", "fieldValidation": "Strict" if validate else "Ignore"}
        for manifest in manifests:
            self._request("POST", self._path_of(manifest), params=params, body=manifest)

    @override
    def delete(
        self, kind: type[KubeObject], name: str, namespace: str = "default", *, wait: bool = False, now: bool = False
    ) -> None:
        path = kind.resource.path(namespace, name)
        options = {"propagationPolicy": "Background", **({"gracePeriodSeconds": 0} if now else {})}
        try:
            self._request("DELETE", path, body=options)
            if wait:
                wait_until(f"{path} is gone", lambda: self._is_gone(path), _DELETION_SECONDS)
        except ClientError as error:
            if not error.not_found:
                raise

    @override
    def delete_all(self, kind: type[KubeObject], namespace: str, *, now: bool = False) -> None:
        for found in self.list(kind, namespace):
            self.delete(kind, found.key.name, namespace, now=now)

    @override
    def patch(self, kind: type[KubeObject], name: str, change: Manifest, namespace: str = "default") -> None:
        path = kind.resource.path(namespace, name)
        self._request("PATCH", path, body=change, content_type="application/merge-patch+json")

    @override
    def logs(
        self, pod: RunningPod, container: str = "", *, since: datetime | None = None, previous: bool = False
    ) -> str:
        params = {**({"sinceTime": since.isoformat()} if since else {}), **({"previous": "true"} if previous else {})}
        path = pod.resource.path(pod.key.namespace, pod.key.name, "log")
        containers = [container] if container else [each.name for each in pod.spec.containers]
        return "".join(self._request("GET", path, params={**params, "container": name}).text for name in containers)

    # --- requests

    def _is_gone(self, path: str) -> bool:
        try:
            self._request("GET", path)
        except ClientError as error:
            if error.not_found:
                return True
            raise
        return False

    def _path_of(self, manifest: Manifest) -> str:
        """The collection of an object."""
        version = manifest["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if base not in self._served:
            self._served[base] = {
                each["kind"]: each for each in self._json("GET", base)["resources"] if "/" not in each["name"]
            }
        resource = self._served[base][manifest["kind"]]
        if not resource["namespaced"]:
            return f"{base}/{resource['name']}"
        return f"{base}/namespaces/{manifest['metadata'].get('namespace', 'default')}/{resource['name']}"

    def _json(self, method: str, path: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._request(method, path).json()
        return found

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body)
        try:
            answer = self._http.request(
                method, path, params=params, content=content, headers={"Content-Type": content_type}
            )
        except httpx.TransportError as error:
            raise ClientError(f"{method} {path}: {type(error).__name__}: {error}") from error
        if answer.is_error:
            status = answer.json()
            raise ClientError(f"{method} {path}: Error from server ({status.get('reason')}): {status.get('message')}")
        return answer
