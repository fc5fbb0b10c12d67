"""Which object it is that a server has sent, and in which state: its type, and the ``metadata`` that caches go by.

An API server gives each object a name, a UID and a resourceVersion, and a namespace where its kind has one. What comes
without is no object, whoever sent it, and must not be taken for one: an object without a UID would be mistaken for the
successor of another, and what that one holds for free.
"""

from collections.abc import Mapping
from typing import Any, Final

from fake_dra_driver.api.kube.meta import UID, NamespacedName, ResourceKind
from fake_dra_driver.untrustedtext import MAX_NAME, one_line

__all__ = ["METADATA_ALONE", "check_type", "identity_of", "type_of", "version_number"]

METADATA_ALONE: Final = ("meta.k8s.io/v1", "PartialObjectMetadata")
"""apiVersion and kind of what a server sends of an object when it is asked for the metadata alone."""
_MAX_VERSION_DIGITS: Final = 19
"""A resourceVersion is a revision of etcd, a positive number of 64 bits."""


def check_type(raw: object, api_version: str, kind: str) -> None:
    """Raises ValueError where something is no object of that type, in words for a person.

    What does not say of which type it is may be of any: built-in kinds do not say so in the items of a list.
    """
    if not isinstance(raw, dict) or raw.get("kind", kind) != kind or raw.get("apiVersion", api_version) != api_version:
        raise ValueError(f"not a {kind} of {api_version}: {type_of(raw)}")


def type_of(raw: object) -> str:
    """Of which type something says that it is, in words for a person."""
    if not isinstance(raw, dict):
        return f"a {type(raw).__name__}"
    kind, api_version = (one_line(str(raw.get(name)), MAX_NAME) for name in ("kind", "apiVersion"))
    return f"a {kind} of {api_version}"


def identity_of(raw: Mapping[str, Any], kind: ResourceKind) -> tuple[NamespacedName, UID, int]:
    """Key, UID and resourceVersion of an object as sent.

    Raises:
        ValueError: it has none, or not those of an object of this kind; the text says what is missing.
    """
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        raise ValueError("an object without metadata")
    name, uid, namespace = metadata.get("name"), metadata.get("uid"), metadata.get("namespace") or ""
    if not isinstance(name, str) or not name:
        raise ValueError("an object without a name")
    if not isinstance(uid, str) or not uid:
        raise ValueError("an object without a UID")
    if not isinstance(namespace, str) or (namespace != "") is not kind.namespaced:
        raise ValueError("an object without a namespace" if kind.namespaced else "an object in a namespace")
    return NamespacedName(namespace, name), UID(uid), version_number(metadata.get("resourceVersion"))


def version_number(version: object) -> int:
    """A resourceVersion as a number. Raises ValueError: it is none."""
    if not isinstance(version, str) or not version.isdecimal() or len(version) > _MAX_VERSION_DIGITS:
        raise ValueError("its resourceVersion is not a number in a text")
    return int(version)
