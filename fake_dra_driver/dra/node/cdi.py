"""CDI specifications: what a container runtime adds to a container that uses a device (cdi.cncf.io).

What is in them a ``PreparedModel`` says. Only our own files, which their names tell apart, are ever looked at: another
vendor's broken file is no concern of ours. A specification has the least version that can say what is in it, since
older runtimes read no later one. It is rendered from a template, read back and checked before it is written.

Files that are made for a claim, and mounted into its containers, are written before its specification and removed after
it: what a specification names is there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final, Generic

import yaml

from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.files import Files, set_aside
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.preparedmodel import COMMON_DEVICE, PreparedModel, claim_file_path
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.regularfile import target_of
from fake_dra_driver.render import render

__all__ = ["CdiFolder", "CdiSpecError", "check_claim", "problems_of"]

_EXTENSION: Final = ".yaml"
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o750
_UID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DEVICE_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?")
"""What CDI allows as a device's name; neither it nor the kubelet limits the length."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[^\x00-\x1f\x7f]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PERMISSIONS: Final = frozenset("rwm")
_FIRST_VERSION: Final = "0.3.0"
_VERSION_OF_DIGITS: Final = "0.5.0"
"""The first in which the name of a device may begin with a digit, and a device node have another path on the node."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CdiSpecError(ValueError):
    """A specification that no container runtime would accept; nothing was written."""


class CdiFolder(Generic[PreparedT]):
    """Our files in the folder that container runtimes read. A claim's methods must not run concurrently.

    Args:
        files: where to read and write.
        root: the folder.
        model: what is in the files.
    """

    def __init__(self, files: Files, root: Path, model: PreparedModel[PreparedT]) -> None:
        self._files = files
        self._root = root
        self._model = model
        self._names = model.cdi
        self._claim_files = model.files_folder

    async def write_common(self) -> None:
        """Creates the folder, and the file that all claims share, if there is to be one. Raises OSError."""
        await in_thread(self._files.make_folder, self._root, _FOLDER_MODE)
        if self._model.common is not None:
            await in_thread(self._write, self._path(COMMON_DEVICE), {COMMON_DEVICE: self._model.common})

    async def write(self, claim: PreparedClaim[PreparedT]) -> bool:
        """Makes sure that the claim's file is there, and durable, with the files that it mounts.

        A file with the right contents is left alone.

        One that is no CDI file any more is set aside under another name first. For a claim that is not complete nothing
        is done: its file may still be there, and in use, where its record was lost.

        Returns:
            Whether the file was missing or wrong. One that the release before this one wrote is neither.

        Raises:
            CdiSpecError: the claim cannot be written as a CDI specification.
            OSError: the folder cannot be written to.
        """
        _check_uid(claim.uid)
        if not self._model.is_complete(claim):
            return False
        devices = self._model.cdi_devices(claim)
        if devices is None:
            await in_thread(self._remove, claim.uid)
            return False
        return await in_thread(self._write_claim, claim, devices)

    async def remove(self, uid: str) -> None:
        """Removes the claim's file, and what it mounts; no file is fine.

        Raises:
            CdiSpecError: there is no claim of such a UID.
            OSError: a file cannot be removed.
        """
        _check_uid(uid)
        await in_thread(self._remove, uid)

    async def uids(self) -> Sequence[str]:
        """The claims that have a file here, or a temporary file that a stop has left. Raises OSError."""
        return await in_thread(self._uids)

    def _path(self, suffix: str) -> Path:
        return self._root / f"{self._names.prefix}{suffix}{_EXTENSION}"

    # --- In a thread -----------------------------------------------------------------------------------------------

    def _write_claim(self, claim: PreparedClaim[PreparedT], devices: Mapping[str, ContainerEdits]) -> bool:
        is_repaired = self._write_mounted(claim)
        return self._write(self._path(claim.uid), devices, self._model.earlier(claim)) or is_repaired

    def _write_mounted(self, claim: PreparedClaim[PreparedT]) -> bool:
        """The files that the claim's specification mounts. Whether one was missing or wrong."""
        if self._claim_files is None or not (files := self._model.files(claim)):
            return False
        self._files.make_folder(self._claim_files, _FOLDER_MODE)
        is_repaired = False
        for number, file in enumerate(files):
            path = claim_file_path(self._claim_files, claim.uid, number)
            if self._files.read(path) != file.contents:
                self._files.write(path, file.contents, file.mode)
                is_repaired = True
        return is_repaired

    def _remove(self, uid: str) -> None:
        self._files.remove(self._path(uid))
        for owner, path in self._mounted():
            if owner == uid:
                self._files.remove(path)

    def _uids(self) -> Sequence[str]:
        ours = {
            name.removeprefix(self._names.prefix).removesuffix(_EXTENSION)
            for name in map(target_of, self._files.names(self._root))
            if name.startswith(self._names.prefix) and name.endswith(_EXTENSION)
        }
        ours.update(owner for owner, _ in self._mounted())
        return sorted(uid for uid in ours if uid != COMMON_DEVICE and _UID.fullmatch(uid))

    def _mounted(self) -> Iterator[tuple[str, Path]]:
        """The UID of its claim and the path of each file that specifications may mount."""
        if self._claim_files is None:
            return
        try:
            names = self._files.names(self._claim_files)
        except FileNotFoundError:
            return
        for name in map(target_of, names):
            owner, _, number = name.rpartition("_")
            if number.isdigit():
                yield owner, self._claim_files / name

    def _write(
        self,
        path: Path,
        devices: Mapping[str, ContainerEdits],
        earlier: Mapping[str, ContainerEdits] | None = None,
    ) -> bool:
        """See ``write``.

        Args:
            devices: what a container gets for each device, by its name.
            earlier: the devices that the release before this one has in the file; None for the same.
        """
        _check_devices(devices)
        meant = _specification(self._names.kind, devices)
        text = _render(meant)
        if yaml.load(text, Loader=_Loader) != meant:  # noqa: S506 - a safe loader
            raise CdiSpecError("the template rendered something other than what was meant")
        there = self._files.read(path)
        if there == text:
            return False
        is_fault = there is None or earlier is None or there != _render(_specification(self._names.kind, earlier))
        if there is not None and not _is_specification(there):
            set_aside(self._files, path)
        self._files.write(path, text, _MODE)
        return is_fault


def check_claim(model: PreparedModel[PreparedT], claim: PreparedClaim[PreparedT]) -> None:
    """Raises CdiSpecError when the claim cannot be written as a CDI specification."""
    _check_uid(claim.uid)
    if model.is_complete(claim):
        _check_devices(model.cdi_devices(claim) or {})


def _specification(kind: str, devices: Mapping[str, ContainerEdits]) -> Mapping[str, Any]:
    return {
        "cdiVersion": _version_of(devices),
        "containerEdits": {},
        "devices": [{"containerEdits": _edits(edits), "name": name} for name, edits in devices.items()],
        "kind": kind,
    }


def _render(specification: Mapping[str, Any]) -> bytes:
    return render("cdi/spec.yaml.j2", **specification).encode()


def _version_of(devices: Mapping[str, ContainerEdits]) -> str:
    needs_later = any(
        name[0].isdigit() or any(node.host_path is not None for node in edits.device_nodes)
        for name, edits in devices.items()
    )
    return _VERSION_OF_DIGITS if needs_later else _FIRST_VERSION


def _edits(edits: ContainerEdits) -> Mapping[str, Sequence[Any]]:
    """The fields of CDI, sorted, without those that are empty."""
    fields = {
        "deviceNodes": [node.model_dump(mode="json", by_alias=True, exclude_none=True) for node in edits.device_nodes],
        "env": _variables_of(edits),
        "hooks": [hook.model_dump(mode="json", by_alias=True, exclude_defaults=True) for hook in edits.hooks],
        "mounts": [mount.model_dump(mode="json", by_alias=True) for mount in edits.mounts],
    }
    return {name: entries for name, entries in fields.items() if entries}


def _variables_of(edits: ContainerEdits) -> Sequence[str]:
    return [f"{name}={value}" for name, value in edits.env.items()]


def _is_specification(data: bytes) -> bool:
    try:
        found = yaml.load(data, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        # ValueError: PyYAML does not catch what Python raises for a 13th month, or for a number without digits.
        return False
    return isinstance(found, dict) and "cdiVersion" in found and "kind" in found


def _check_uid(uid: str) -> None:
    if uid == COMMON_DEVICE or not _UID.fullmatch(uid):
        raise CdiSpecError(f"{uid!r} cannot be the UID of a claim")


def _check_devices(devices: Mapping[str, ContainerEdits]) -> None:
    for name, edits in devices.items():
        if not _DEVICE_NAME.fullmatch(name):
            raise CdiSpecError(f"{name!r} is not a device name that CDI allows")
        for problem in problems_of(edits):
            raise CdiSpecError(problem)


def problems_of(edits: ContainerEdits) -> Iterator[str]:
    """What a container runtime would not accept, or would stop each container with."""
    for name in edits.env:
        if "=" in name:
            yield f"{name!r} is not the name of an environment variable"
    for variable in _variables_of(edits):
        if not _VARIABLE.fullmatch(variable):
            yield f"{variable!r} is not an environment variable that a container can have"
    paths = [path for node in edits.device_nodes for path in (node.path, node.host_path) if path is not None]
    paths += [path for mount in edits.mounts for path in (mount.host_path, mount.container_path)]
    paths += [hook.path for hook in edits.hooks]
    for path in paths:
        if not PurePosixPath(path).is_absolute() or _CONTROL.search(path):
            yield f"{path!r} is not an absolute path"
    for node in edits.device_nodes:
        if node.permissions is not None and not (node.permissions and set(node.permissions) <= _PERMISSIONS):
            yield f"{node.permissions!r} is not what may be done with a device node: some of 'rwm'"
