"""Validation of what a pod's volumes are made of, and of the paths in them.

Follows validateVolumeSource in k8s.io/kubernetes/pkg/apis/core/validation for the sources whose paths end up on a node:
none of them may lead out of its volume. A real server checks no more than that either: what links on the node do is
for the kubelet.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["descending_path", "validate_volume_source"]

_MAX_MODE = 0o777
_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)


def validate_volume_source(volume: Object, path: str) -> list[Problem]:
    """What is wrong with a volume, but for its name."""
    sources = [name for name, value in volume.items() if name != "name" and isinstance(value, dict)]
    if not sources:
        return [required(path, "must specify a volume type")]
    problems = [forbidden(f"{path}.{name}", "may not specify more than 1 volume type") for name in sources[1:]]
    check = _CHECKS.get(sources[0])
    return problems + (list(check(volume[sources[0]], f"{path}.{sources[0]}")) if check is not None else [])


def descending_path(value: str, path: str) -> list[Problem]:
    """A path inside a volume (validateLocalDescendingPath)."""
    if value.startswith("/"):
        return [invalid_value(path, go_value(value), "must be a relative path")]
    return _no_backsteps(value, path)


def _no_backsteps(value: str, path: str) -> list[Problem]:
    return [invalid_value(path, go_value(value), "must not contain '..'")] if ".." in value.split("/") else []


def _file_path(value: str, path: str) -> list[Problem]:
    """A path at which a kubelet writes a file, beside folders of its own (validateLocalNonReservedPath)."""
    problems = descending_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        problems.append(invalid_value(path, go_value(value), "must not start with '..'"))
    return problems


def _host_path(source: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if not source.get("path"):
        yield required(f"{path}.path")
        return
    yield from _no_backsteps(source["path"], f"{path}.path")
    if (kind := source.get("type") or "") not in _HOST_PATH_TYPES:
        yield unsupported_value(f"{path}.type", kind, _HOST_PATH_TYPES)


def _config_map(source: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _keys_of(source, path, "name")


def _secret(source: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _keys_of(source, path, "secretName")


def _downward_api(source: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _mode(source.get("defaultMode"), f"{path}.defaultMode")
    yield from _downward_files(source, path)


def _projected(source: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _mode(source.get("defaultMode"), f"{path}.defaultMode")
    for at, each in enumerate(source.get("sources") or ()):
        inner = f"{path}.sources[{at}]"
        for name in ("secret", "configMap"):
            if isinstance(each.get(name), dict):
                yield from _keys_of(each[name], f"{inner}.{name}", "name")
        if isinstance(each.get("downwardAPI"), dict):
            yield from _downward_files(each["downwardAPI"], f"{inner}.downwardAPI")
        if isinstance(token := each.get("serviceAccountToken"), dict):
            # At this field, not at that of the source: a real server has it so.
            yield from _file(token.get("path"), f"{path}.path")


def _keys_of(source: Mapping[str, Any], path: str, name_field: str) -> Iterator[Problem]:
    if not source.get(name_field):
        yield required(f"{path}.{name_field}")
    yield from _mode(source.get("defaultMode"), f"{path}.defaultMode")
    for at, item in enumerate(source.get("items") or ()):
        inner = f"{path}.items[{at}]"
        if not item.get("key"):
            yield required(f"{inner}.key")
        yield from _file(item.get("path"), f"{inner}.path")
        yield from _mode(item.get("mode"), f"{inner}.mode")


def _downward_files(source: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for item in source.get("items") or ():
        yield from _file(item.get("path"), f"{path}.path")


def _file(value: str | None, path: str) -> list[Problem]:
    return _file_path(value, path) if value else [required(path)]


def _mode(mode: int | None, path: str) -> list[Problem]:
    if mode is None or 0 <= mode <= _MAX_MODE:
        return []
    return [invalid_value(path, go_value(mode), "must be a number between 0 and 0777 (octal), both inclusive")]


_CHECKS = {
    "configMap": _config_map,
    "downwardAPI": _downward_api,
    "hostPath": _host_path,
    "projected": _projected,
    "secret": _secret,
}
