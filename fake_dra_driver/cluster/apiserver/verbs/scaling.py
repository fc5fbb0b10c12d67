"""The scale subresource: the number of replicas of a built-in or a custom kind, as an object of its own.

Follows k8s.io/kubernetes/pkg/registry/apps/*/storage (ScaleREST) and apiextensions' customresource scale. Server-side
apply of a Scale is not done here, and refused.
"""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import go_value, invalid, invalid_value, unsupported_media_type
from fake_dra_driver.cluster.apiserver.merge.patchformats import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    patched,
    unfit,
)
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Record
from fake_dra_driver.cluster.apiserver.types.decode import json_kind
from fake_dra_driver.cluster.apiserver.types.resource import Resource, ScalePaths
from fake_dra_driver.cluster.apiserver.types.selectors import label_selector_text
from fake_dra_driver.cluster.apiserver.verbs.options import WriteOptions
from fake_dra_driver.cluster.apiserver.verbs.reading import Reading
from fake_dra_driver.cluster.apiserver.verbs.writing import Writing

__all__ = ["Scaling"]

_NOWHERE = ScalePaths("", "")


class Scaling:
    """The verbs of scale, on one store."""

    def __init__(self, reading: Reading, writing: Writing) -> None:
        self._reading = reading
        self._writing = writing

    def get(self, resource: Resource, key: Key) -> Object:
        """The Scale of an object. Raises StatusError."""
        return _scale(resource, self._reading.get(resource, key))

    def write(self, resource: Resource, key: Key, scale: Object, options: WriteOptions) -> Object:
        """Sets the number of replicas. Raises StatusError."""
        replicas = (scale.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or not 0 <= replicas < 1 << 31:
            problem = invalid_value("spec.replicas", go_value(replicas), "must be greater than or equal to 0")
            raise invalid("autoscaling", "Scale", key.name, [problem])
        version = (scale.get("metadata") or {}).get("resourceVersion")
        *parents, last = (resource.scale or _NOWHERE).spec.split(".")

        def transform(obj: Object) -> Object:
            if version:
                obj["metadata"]["resourceVersion"] = version
            node = obj
            for name in parents:
                node = node.setdefault(name, {})
            node[last] = replicas
            return obj

        return _scale(resource, self._writing.change(resource, key, "scale", transform, options))

    def patch(self, resource: Resource, key: Key, content_type: str, patch: Any, options: WriteOptions) -> Object:
        """Sets the number of replicas by a patch of the Scale. Raises StatusError."""
        if content_type == APPLY_PATCH:
            raise unsupported_media_type((JSON_PATCH, MERGE_PATCH))
        present = _scale(resource, self._reading.get(resource, key))
        result = patched(present, content_type, patch, None)
        for name in ("metadata", "spec"):
            if not isinstance(result.get(name), dict | None):
                raise unfit(
                    result, f"json: cannot unmarshal {json_kind(result[name])} into Go struct field Scale.{name}"
                )
        return self.write(resource, key, result, options)


def _scale(resource: Resource, record: Record) -> Object:
    paths = resource.scale or _NOWHERE
    obj, metadata = record.value, record.value["metadata"]
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas, current = _at(obj, paths.spec), _at(obj, paths.status)
    status: Object = {"replicas": current or 0}
    selector = _at(obj, paths.selector) if paths.selector else None
    if selector:
        status["selector"] = selector if isinstance(selector, str) else label_selector_text(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in names if name in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
