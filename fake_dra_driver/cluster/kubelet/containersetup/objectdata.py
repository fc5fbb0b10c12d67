"""What ConfigMaps and Secrets hold, as volumes and environment variables of a pod see it."""

import base64
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.kinds import ConfigMap
from fake_dra_driver.cluster.kubelet.pod import Pod, Secret
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["ObjectReader", "contents"]

K = TypeVar("K", bound=KubeObject)


class ObjectReader(Protocol):
    """What is needed of a ``Client``."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads an object."""
        ...


async def contents(
    client: ObjectReader, kind: type[ConfigMap] | type[Secret], pod: Pod, source: Mapping[str, Any], name_field: str
) -> Mapping[str, bytes]:
    """The files of a config map or a secret, as a volume selects them; none if it is optional and missing.

    Raises:
        OSError: it, or one of its keys, is not there.
        RuntimeLayerError: it cannot be read.
    """
    key = NamespacedName(pod.metadata.namespace, str(source.get(name_field, "")))
    optional = bool(source.get("optional"))
    what = kind.resource.kind.lower()
    try:
        found = await client.get(kind, key)
    except NotFoundError as error:
        if optional:
            return {}
        raise FileNotFoundError(f'{what} "{key.name}" not found') from error
    if isinstance(found, ConfigMap):
        files = {name: text.encode() for name, text in found.data.items()}
        files |= {name: base64.b64decode(text) for name, text in found.binary_data.items()}
    else:
        files = {name: base64.b64decode(text) for name, text in found.data.items()}
    if not source.get("items"):
        return files
    missing = [item["key"] for item in source["items"] if item["key"] not in files]
    if missing and not optional:
        raise FileNotFoundError(f"{what} references non-existent config key: {missing[0]}")
    return {item["path"]: files[item["key"]] for item in source["items"] if item["key"] in files}
