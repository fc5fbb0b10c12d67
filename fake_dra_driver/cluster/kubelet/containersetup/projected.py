"""The files of a projected volume: parts of ConfigMaps and Secrets, facts about the pod, and its account's token.

Follows k8s.io/kubernetes/pkg/volume/projected. A token is written once, when the volume is set up, and not renewed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.kinds import ConfigMap, ServiceAccount
from fake_dra_driver.cluster.kubelet.containersetup.objectdata import ObjectReader, contents
from fake_dra_driver.cluster.kubelet.pod import Pod, Secret

__all__ = ["ProjectionClient", "projected_files", "request_token"]


class ProjectionClient(ObjectReader, Protocol):
    """What is needed of a ``Client``."""

    async def create_subresource(
        self, kind: type[KubeObject], key: NamespacedName, subresource: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Posts to a subresource, and returns the answer."""
        ...


async def projected_files(client: ProjectionClient, pod: Pod, volume: Mapping[str, Any]) -> Mapping[str, bytes]:
    """The files of all sources of a volume, by their paths in it.

    Raises:
        OSError: an object, or a part of one, is not there.
        ValueError: a source is not supported here.
        RuntimeLayerError: an object cannot be read, or there is no token.
    """
    files: dict[str, bytes] = {}
    for source in volume.get("sources") or ():
        files |= await _files(client, pod, source)
    return files


async def _files(client: ProjectionClient, pod: Pod, source: Mapping[str, Any]) -> Mapping[str, bytes]:
    for field, kind in (("configMap", ConfigMap), ("secret", Secret)):
        if field in source:
            return await contents(client, kind, pod, source[field], "name")
    if "downwardAPI" in source:
        return {item["path"]: _fact(pod, item).encode() for item in source["downwardAPI"].get("items") or ()}
    if "serviceAccountToken" in source:
        wanted = source["serviceAccountToken"]
        audiences = [wanted["audience"]] if wanted.get("audience") else []
        token = await request_token(client, pod, int(wanted["expirationSeconds"]), audiences)
        return {wanted["path"]: token.encode()}
    raise ValueError(f"{', '.join(source) or 'nothing'} cannot be projected in this cluster")


def _fact(pod: Pod, item: Mapping[str, Any]) -> str:
    path = str((item.get("fieldRef") or {}).get("fieldPath", ""))
    found = pod.metadata_field(path)
    if found is None:
        raise ValueError(f"unsupported fieldPath: {path}" if path else f"{item['path']} refers to no field of the pod")
    return found


async def request_token(client: ProjectionClient, pod: Pod, seconds: int, audiences: Sequence[str] = ()) -> str:
    """A token of the pod's service account, good as long as the pod is there. Raises RuntimeLayerError."""
    account = NamespacedName(pod.metadata.namespace, pod.spec.service_account_name or "default")
    spec: dict[str, Any] = {"expirationSeconds": seconds, "audiences": list(audiences)}
    # A pod that was admitted without an account can have no token bound to it.
    if pod.spec.service_account_name:
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.uid}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await client.create_subresource(ServiceAccount, account, "token", body)
    return str(answer["status"]["token"])
