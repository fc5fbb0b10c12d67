"""Pods, and what makes pods: from Kubernetes 1.31 on, ``resourceClaims`` name their claims without ``source``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fake_dra_driver.convert.outcome import CannotConvertError, Manifest, substitute

__all__ = ["convert_pods", "makes_pods", "names_claims_by_source"]

_TEMPLATE: Final = ("spec", "template", "spec")
_POD_SPECS: Final[Mapping[tuple[str, str], Sequence[str]]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
    ("batch", "Job"): _TEMPLATE,
}
"""By API group and kind: where the spec of its pods is."""
_SOURCES: Final = frozenset({"resourceClaimName", "resourceClaimTemplateName"})


def makes_pods(manifest: Manifest) -> bool:
    """Whether an object is a pod, or has a template of pods."""
    return _group_and_kind(manifest) in _POD_SPECS


def names_claims_by_source(manifest: Manifest) -> bool:
    """Whether there are pods of classic DRA anywhere in an object: also in one whose kind is not known here."""
    return any(_has_source(entry) for spec in _mappings_in(manifest) for entry in _entries_of(spec))


def _mappings_in(value: Any) -> Iterator[Manifest]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from _mappings_in(member)


def _entries_of(spec: Manifest) -> Sequence[Any]:
    entries = spec.get("resourceClaims")
    return entries if isinstance(entries, list) else ()


def _has_source(entry: Any) -> bool:
    source = entry.get("source") if isinstance(entry, dict) else None
    return isinstance(source, dict) and bool(_SOURCES & source.keys())


def convert_pods(manifest: Manifest) -> Manifest:
    """The object with the claims of its pods as structured DRA has them: the same object when nothing changes.

    Raises:
        CannotConvertError: an entry has a ``source`` that names no claim.
    """
    path = _POD_SPECS[_group_and_kind(manifest)]
    return _at(manifest, path, ".".join(path))


def _group_and_kind(manifest: Manifest) -> tuple[str, str]:
    group, _, version = str(manifest.get("apiVersion")).rpartition("/")
    del version
    return group, str(manifest.get("kind"))


def _at(manifest: Manifest, path: Sequence[str], whole: str) -> Manifest:
    if not path:
        return _pod_spec(manifest, whole)
    inner = manifest.get(path[0])
    changed = _at(inner, path[1:], whole) if isinstance(inner, dict) else inner
    return manifest if changed is inner else {**manifest, path[0]: changed}


def _pod_spec(spec: Manifest, path: str) -> Manifest:
    entries = list(_entries_of(spec))
    changed = [_entry(entry, f"{path}.resourceClaims[{place}]") for place, entry in enumerate(entries)]
    return {**spec, "resourceClaims": changed} if changed != entries else spec


def _entry(entry: Any, path: str) -> Any:
    if not isinstance(entry, dict) or "source" not in entry:
        return entry
    source = entry["source"]
    named = [name for name in source if name in _SOURCES] if isinstance(source, dict) else []
    if len(named) != 1 or len(source) != 1 or named[0] in entry:
        raise CannotConvertError(f"{path}.source: must have exactly one of {' and '.join(sorted(_SOURCES))}")
    return substitute(entry, {"source": (named[0], source[named[0]])})
