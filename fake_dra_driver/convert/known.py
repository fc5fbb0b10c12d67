"""The ResourceClasses and parameters that the files have, wherever they are: claims name them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME, DeviceClassParameters, FakeClaimParameters
from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import ResourceClass
from fake_dra_driver.convert.outcome import CannotConvertError, Manifest

__all__ = ["DEFAULT_NAMESPACE", "Known", "is_of", "key_of", "parameters_of"]

DEFAULT_NAMESPACE = "default"
"""Where objects without a namespace are taken to be, so that those with and without find each other."""


@dataclass(slots=True)
class Known:
    """What the files have of the kinds that others refer to."""

    drivers: dict[str, str] = field(default_factory=lambda: {RESOURCE_CLASS_NAME: DRIVER_NAME})
    """By the name of a class: its driver. The chart's class is known without a file."""
    _claim_parameters: dict[NamespacedName, list[Any]] = field(default_factory=dict)
    _class_parameters: dict[NamespacedName, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> "Known":
        """All that is to be known of these objects."""
        known = cls()
        for manifest in manifests:
            known._add(manifest)
        return known

    def claim_parameters(self, key: NamespacedName) -> Any:
        """``spec`` of FakeClaimParameters. Raises CannotConvertError when there are none, or several that differ."""
        return _only(self._claim_parameters, key, FakeClaimParameters.resource)

    def class_parameters(self, name: str) -> Any:
        """``spec`` of DeviceClassParameters. Raises CannotConvertError when there are none, or several that differ."""
        return _only(self._class_parameters, NamespacedName("", name), DeviceClassParameters.resource)

    def _add(self, manifest: Manifest) -> None:
        if is_of(manifest, ResourceClass.resource):
            self.drivers[key_of(manifest, namespaced=False).name] = str(manifest.get("driverName"))
        elif is_of(manifest, FakeClaimParameters.resource):
            self._claim_parameters.setdefault(key_of(manifest), []).append(manifest.get("spec"))
        elif is_of(manifest, DeviceClassParameters.resource):
            key = key_of(manifest, namespaced=False)
            self._class_parameters.setdefault(key, []).append(manifest.get("spec"))


def is_of(manifest: Manifest, resource: ResourceKind) -> bool:
    """Whether an object is of this kind, in this version."""
    return manifest.get("apiVersion") == resource.api_version and manifest.get("kind") == resource.kind


def key_of(manifest: Manifest, *, namespaced: bool = True) -> NamespacedName:
    """The name of an object, and its namespace if its kind has any."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    name = str(metadata.get("name") or "")
    return NamespacedName(str(metadata.get("namespace") or DEFAULT_NAMESPACE) if namespaced else "", name)


def parameters_of(manifest: Manifest) -> NamespacedName | None:
    """The FakeClaimParameters or DeviceClassParameters that a classic claim, template or class names."""
    if manifest.get("apiVersion") != ResourceClass.resource.api_version:
        return None
    holder, is_class = manifest, manifest.get("kind") == ResourceClass.resource.kind
    for _ in range({"ResourceClaim": 1, "ResourceClaimTemplate": 2}.get(str(manifest.get("kind")), 0)):
        inner = holder.get("spec")
        holder = inner if isinstance(inner, Mapping) else {}
    reference = holder.get("parametersRef")
    if not isinstance(reference, Mapping) or reference.get("apiGroup") != DRIVER_NAME:
        return None
    return NamespacedName("" if is_class else key_of(manifest).namespace, str(reference.get("name")))


def _only(found: Mapping[NamespacedName, list[Any]], key: NamespacedName, resource: ResourceKind) -> Any:
    specs = found.get(key, [])
    if not specs:
        raise CannotConvertError(f"{resource.kind} {key} are in none of the files: add the file that has them with -f")
    if any(spec != specs[0] for spec in specs[1:]):
        raise CannotConvertError(f"{resource.kind} {key} are in the files {len(specs)} times, and differ: leave one")
    return specs[0]
