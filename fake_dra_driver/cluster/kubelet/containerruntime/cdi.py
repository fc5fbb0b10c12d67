"""CDI as a container runtime does it: from device names, through the files on disk, to what a container gets.

Follows tags.cncf.io/container-device-interface (SPEC.md, pkg/cdi/cache.go) as containerd uses it:

- the folders are read again for each container, in their order; a later folder wins over an earlier one;
- two files of one folder that define one device are in conflict, and the device is in neither;
- a file that is not a valid specification is ignored, with a line in the log: it may be any vendor's;
- a name that no file defines fails the container.

Only ``containerEdits.env`` can be given to a process of this machine, and programs that are mounted, which it finds in
its PATH. Device nodes, hooks and other mounts are valid in a file, and have no effect: they are only noted, for tests
to look at.
"""

import asyncio
import errno
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from fake_dra_driver import regularfile

__all__ = ["CdiRegistry", "DeviceEdits", "UnresolvedDevicesError"]

log = logger.bind(component="cdi")

_SUFFIXES = (".json", ".yaml")
_VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
"""Released versions of the specification."""
_MAX_FILE_BYTES = 4 * 1024**2
"""Far above what any driver writes."""
_VENDOR = re.compile(r"[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_CLASS = re.compile(r"[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_DEVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnresolvedDevicesError(Exception):
    """Some of the names are of no device; the message says which, and why."""


class _Model(BaseModel):
    # An unknown field makes a file invalid, as in Go's strict decoding.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class _Edits(_Model):
    env: tuple[str, ...] = ()
    device_nodes: tuple[dict[str, Any], ...] = ()
    net_devices: tuple[dict[str, Any], ...] = ()
    hooks: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()
    intel_rdt: dict[str, Any] | None = None
    additional_gids: tuple[int, ...] = Field(default=(), alias="additionalGids")


class _Device(_Model):
    name: str
    annotations: dict[str, str] = Field(default_factory=dict)
    container_edits: _Edits


class _Spec(_Model):
    cdi_version: str
    kind: str
    annotations: dict[str, str] = Field(default_factory=dict)
    container_edits: _Edits = Field(default_factory=_Edits)
    devices: tuple[_Device, ...]


@dataclass(frozen=True, slots=True)
class DeviceEdits:
    """What all devices of a container add to it; but for the variables as the files have it."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Of two with one name the later wins."""
    device_nodes: tuple[Mapping[str, Any], ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()
    hooks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells whether a file has changed."""

    inode: int
    size_bytes: int
    changed_ns: int


@dataclass(slots=True)
class _Devices:
    """The devices of all files together."""

    found: dict[str, tuple[_Spec, _Device]] = field(default_factory=dict)
    conflicts: dict[str, tuple[Path, ...]] = field(default_factory=dict)


class CdiRegistry:
    """The CDI files of one node.

    Args:
        folders: where to look, the one that wins last: ``/etc/cdi``, ``/var/run/cdi``. None has to exist.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._read: dict[Path, tuple[_Stamp, _Spec | None]] = {}
        # Files as they were when last read; None: broken.
        self._lock = asyncio.Lock()

    async def edits(self, names: Sequence[str]) -> DeviceEdits:
        """What a container with these devices gets.

        A specification's own edits come once, before those of its first device.

        Raises:
            UnresolvedDevicesError: there is no device of a name.
        """
        if not names:
            return DeviceEdits()
        async with self._lock:
            devices = await asyncio.to_thread(self._load)
        if missing := [name for name in names if name not in devices.found]:
            raise UnresolvedDevicesError(self._explain(missing, devices))
        edits: list[_Edits] = []
        seen: list[_Spec] = []
        for name in names:
            spec, device = devices.found[name]
            if not any(spec is each for each in seen):
                seen.append(spec)
                edits.append(spec.container_edits)
            edits.append(device.container_edits)
        return DeviceEdits(
            env={name: value for each in edits for name, value in _variables(each).items()},
            device_nodes=tuple(node for each in edits for node in each.device_nodes),
            mounts=tuple(mount for each in edits for mount in each.mounts),
            hooks=tuple(hook for each in edits for hook in each.hooks),
        )

    def _explain(self, missing: Sequence[str], devices: _Devices) -> str:
        folders = " or ".join(str(folder) for folder in self._folders)
        parts = [f"unresolvable CDI devices {', '.join(missing)}: "]
        undefined = [name for name in missing if name not in devices.conflicts]
        if undefined:
            parts.append(f"no valid file in {folders} defines {'them' if len(undefined) > 1 else 'it'}")
        for name in missing:
            if name in devices.conflicts:
                parts.append("; " if len(parts) > 1 else "")
                parts.append(f"{name} is in conflict: {' and '.join(map(str, devices.conflicts[name]))} define it")
        return "".join(parts)

    # --- Files, in a thread --------------------------------------------------------------------------------------

    def _load(self) -> _Devices:
        result = _Devices()
        read = dict(self._files())
        self._read = read
        for folder in self._folders:
            here: dict[str, list[tuple[Path, _Spec, _Device]]] = {}
            for path, (_, spec) in read.items():
                if path.parent == folder and spec is not None:
                    for device in spec.devices:
                        here.setdefault(f"{spec.kind}={device.name}", []).append((path, spec, device))
            for name, definitions in here.items():
                result.found.pop(name, None)
                result.conflicts.pop(name, None)
                if len(definitions) == 1:
                    result.found[name] = definitions[0][1:]
                else:
                    result.conflicts[name] = tuple(path for path, _, _ in definitions)
        return result

    def _files(self) -> Iterator[tuple[Path, tuple[_Stamp, _Spec | None]]]:
        """Each specification file, by name; read only if it has changed."""
        for folder in self._folders:
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.suffix not in _SUFFIXES:
                    continue
                try:
                    status = path.stat()
                except OSError as error:
                    if error.errno in (errno.ENOENT, errno.ELOOP):  # removed meanwhile, or a link that leads nowhere
                        continue
                    raise
                stamp = _Stamp(status.st_ino, status.st_size, status.st_mtime_ns)
                known = self._read.get(path)
                yield path, known if known is not None and known[0] == stamp else (stamp, _read(path))


def _read(path: Path) -> _Spec | None:
    """The specification in a file; None, and a line in the log, when there is none."""
    try:
        text = regularfile.read_bytes(path, limit_bytes=_MAX_FILE_BYTES, follow_link=True).decode()
        raw = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)  # noqa: S506 - it is the safe one
        spec = _Spec.model_validate(raw)
        problem = next(_problems(spec), None)
    except ValidationError as error:
        first = error.errors()[0]
        spec, problem = None, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (OSError, ValueError, yaml.YAMLError) as error:
        spec, problem = None, " ".join(str(error).split())
    if problem is not None:
        log.warning("Broken CDI file ignored", path=str(path), problem=problem)
        return None
    return spec


def _problems(spec: _Spec) -> Iterator[str]:
    """What CDI's Go library finds wrong with a specification."""
    if spec.cdi_version not in _VERSIONS:
        yield f"cdiVersion {spec.cdi_version!r} is not a version of the specification"
        return
    vendor, slash, device_class = spec.kind.partition("/")
    if not slash or not _VENDOR.fullmatch(vendor) or not _CLASS.fullmatch(device_class):
        yield f"kind {spec.kind!r} is not <vendor>/<class>"
    names = [device.name for device in spec.devices]
    for device in spec.devices:
        if not _DEVICE.fullmatch(device.name):
            yield f"{device.name!r} is not a name of a device"
        if names.count(device.name) > 1:
            yield f"the device {device.name} is defined twice"
        if device.container_edits == _Edits():
            yield f"the device {device.name} has no edits"
    for edits in (spec.container_edits, *(device.container_edits for device in spec.devices)):
        for variable in edits.env:
            if "=" not in variable:
                yield f"{variable!r} is not an environment variable"
    needed = _minimum_version(spec)
    if _VERSIONS.index(spec.cdi_version) < _VERSIONS.index(needed):
        yield f"it has what came with version {needed}, and says that it is {spec.cdi_version}"


def _minimum_version(spec: _Spec) -> str:
    """The lowest CDI version that has every feature in use here (pkg/cdi/version.go)."""
    everything = (spec.container_edits, *(device.container_edits for device in spec.devices))
    if any(edits.net_devices for edits in everything):
        return "1.1.0"
    if any(edits.intel_rdt is not None or edits.additional_gids for edits in everything):
        return "0.7.0"
    has_annotations = spec.annotations or any(device.annotations for device in spec.devices)
    if has_annotations or "." in spec.kind.partition("/")[2]:
        return "0.6.0"
    has_host_paths = any("hostPath" in node for edits in everything for node in edits.device_nodes)
    if has_host_paths or any(device.name[:1].isdigit() for device in spec.devices):
        return "0.5.0"
    if any("type" in mount for edits in everything for mount in edits.mounts):
        return "0.4.0"
    return "0.3.0"


def _variables(edits: _Edits) -> Mapping[str, str]:
    return {name: value for name, _, value in (variable.partition("=") for variable in edits.env)}
