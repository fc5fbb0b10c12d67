"""CDI specifications: what a container runtime adds to a container that uses a device (cdi.cncf.io, version 0.3.0).

File names, kinds and the compatible variables are the Go driver's. Only our own files, which their names tell apart,
are ever looked at: another vendor's broken file is no concern of ours. A specification is rendered from a template,
read back and checked before it is written.

The file of a claim of structured DRA defines each device by a name that is unique to claim, device and share, see
``unique_name``: several claims may have a device at a time, and runtimes use none of two definitions of one name. That
of a classic claim defines each device twice, with the same variables:

- By its UUID, as the Go driver and the first releases do. These are the names that the kubelet is given. It remembers
  them, and starts the containers of a running pod again without asking for them: an earlier release, which writes the
  file its own way as soon as it starts after a rollback, must define the names too. No two files define one UUID, for
  a device is prepared for one classic claim at a time.
- By its unique name. A later release may give it to the kubelet for every device, and be rolled back to this one.

Both names start with a letter, as version 0.3.0 demands; neither CDI nor the kubelet limits their length.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from fake_dra_driver.dra.node.files import Files, set_aside
from fake_dra_driver.driver.node.prepared import PreparedClaim, PreparedDevice
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.regularfile import target_of
from fake_dra_driver.render import render

__all__ = ["CdiFolder", "CdiNames", "CdiSpecError", "check_claim", "unique_name"]

_COMMON: Final = "common"
"""Name of the device that every claim gets, with the variables about node and driver."""
_EXTENSION: Final = ".yaml"
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o750
_UID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DEVICE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._:-]*[A-Za-z0-9]|[A-Za-z]")
"""What CDI 0.3.0 allows as a device's name."""
_SEPARATOR: Final = ":"
"""Stands between the parts of a unique name: neither UUIDs nor UIDs have one."""
_ADMIN_ACCESS: Final = "DRA_ADMIN_ACCESS=true"
"""For the containers that may use a device which another claim has, to look after it (KEP-5018)."""
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*=[^\x00-\x1f\x7f]*")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CdiSpecError(ValueError):
    """A specification that no container runtime would accept; nothing was written."""


@dataclass(frozen=True, slots=True)
class CdiNames:
    """The names of the driver in CDI."""

    vendor: str
    device_class: str
    driver: str
    """Value of DRA_RESOURCE_DRIVER_NAME."""

    @property
    def kind(self) -> str:
        """``<vendor>/<class>``."""
        return f"{self.vendor}/{self.device_class}"

    @property
    def prefix(self) -> str:
        """How the names of all our files begin."""
        return f"{self.vendor}-{self.device_class}_"

    def qualified(self, device: str) -> str:
        """The fully qualified name of a device, as the kubelet passes it on to the runtime."""
        return f"{self.kind}={device}"


class CdiFolder:
    """Our files in the folder that container runtimes read. A claim's methods must not run concurrently.

    Args:
        files: where to read and write.
        root: the folder.
        names: of the driver.
        node_name: value of FAKE_NODE_NAME.
    """

    def __init__(self, files: Files, root: Path, names: CdiNames, node_name: str) -> None:
        self._files = files
        self._root = root
        self._names = names
        self._node_name = node_name

    def device_names(self, claim: PreparedClaim) -> Sequence[str]:
        """The fully qualified names of the claim's devices: the common one first."""
        own = (_names_of(device, claim.uid)[0] for device in claim.devices)
        return [self._names.qualified(name) for name in (_COMMON, *own)]

    async def write_common(self) -> None:
        """Creates the folder, and the file that all claims share. Raises OSError."""
        await in_thread(self._files.make_folder, self._root, _FOLDER_MODE)
        variables = [f"FAKE_NODE_NAME={self._node_name}", f"DRA_RESOURCE_DRIVER_NAME={self._names.driver}"]
        await in_thread(self._write, self._path(_COMMON), {_COMMON: variables})

    async def write(self, claim: PreparedClaim) -> bool:
        """Makes sure that the claim's file is there, and durable. A file with the right contents is left alone.

        One that is no CDI file any more is set aside under another name first.

        Returns:
            Whether the file was missing or wrong. One that the release before this one wrote is neither.

        Raises:
            CdiSpecError: the claim cannot be written as a CDI specification.
            OSError: the folder cannot be written to.
        """
        return await in_thread(self._write, self._path_of_claim(claim.uid), _devices_of(claim), _by_uuid_alone(claim))

    async def remove(self, uid: str) -> None:
        """Removes the claim's file; no file is fine. Raises OSError, and CdiSpecError for what cannot be a UID."""
        await in_thread(self._files.remove, self._path_of_claim(uid))

    async def uids(self) -> Sequence[str]:
        """The claims that have a file here, or a temporary file that a stop has left. Raises OSError."""
        entries = await in_thread(self._files.names, self._root)
        ours = {
            name.removeprefix(self._names.prefix).removesuffix(_EXTENSION)
            for name in map(target_of, entries)
            if name.startswith(self._names.prefix) and name.endswith(_EXTENSION)
        }
        return sorted(uid for uid in ours if uid != _COMMON and _UID.fullmatch(uid))

    def _path_of_claim(self, uid: str) -> Path:
        _check_uid(uid)
        return self._path(uid)

    def _path(self, suffix: str) -> Path:
        return self._root / f"{self._names.prefix}{suffix}{_EXTENSION}"

    def _write(
        self,
        path: Path,
        devices: Mapping[str, Sequence[str]],
        earlier: Mapping[str, Sequence[str]] | None = None,
    ) -> bool:
        """See ``write``.

        Args:
            devices: the variables of each device, by its name.
            earlier: the devices that the release before this one has in the file; None for the same.
        """
        text = self._render(devices)
        _check(text, self._names.kind, devices)
        there = self._files.read(path)
        if there == text:
            return False
        is_fault = there is None or earlier is None or there != self._render(earlier)
        if there is not None and not _is_specification(there):
            set_aside(self._files, path)
        self._files.write(path, text, _MODE)
        return is_fault

    def _render(self, devices: Mapping[str, Sequence[str]]) -> bytes:
        listed = [{"name": name, "env": variables} for name, variables in devices.items()]
        return render("cdi/spec.yaml.j2", kind=self._names.kind, devices=listed).encode()


def _is_specification(data: bytes) -> bool:
    try:
        found = yaml.load(data, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        # ValueError: PyYAML does not catch what Python raises for a 13th month, or for a number without digits.
        return False
    return isinstance(found, dict) and "cdiVersion" in found and "kind" in found


def check_claim(claim: PreparedClaim) -> None:
    """Raises CdiSpecError when the claim cannot be written as a CDI specification."""
    _check_uid(claim.uid)
    _check_devices(_devices_of(claim))


def unique_name(uuid: str, claim_uid: str, share: str | None = None) -> str:
    """The CDI name of a claim's device that no other claim, and no other share, can have for it.

    The device comes first because a name that starts with a digit, as UIDs do, needs CDI 0.5.0.

    Args:
        uuid: of the device.
        claim_uid: of the claim that it is prepared for.
        share: ID of the share that the claim has of the device; None for the whole device.
    """
    return _SEPARATOR.join(part for part in (uuid, claim_uid, share) if part is not None)


def _names_of(device: PreparedDevice, claim_uid: str) -> Sequence[str]:
    """The names that the file of a claim defines for a device; the first is the one that the kubelet is given."""
    if device.result is not None:
        return [unique_name(device.uuid, claim_uid, device.result.share_id)]
    return [device.uuid, unique_name(device.uuid, claim_uid)]


def _devices_of(claim: PreparedClaim) -> Mapping[str, Sequence[str]]:
    """The variables of each of the claim's devices, by each of the names that its file defines."""
    return {
        name: variables
        for device, variables in zip(claim.devices, _variables_of(claim), strict=True)
        for name in _names_of(device, claim.uid)
    }


def _by_uuid_alone(claim: PreparedClaim) -> Mapping[str, Sequence[str]]:
    """What the first releases have in the file."""
    return {device.uuid: variables for device, variables in zip(claim.devices, _variables_of(claim), strict=True)}


def _variables_of(claim: PreparedClaim) -> Sequence[Sequence[str]]:
    """The variables of each of the claim's devices, in their order."""
    variable = f"FAKE_CLAIM_{re.sub('[^A-Za-z0-9]', '_', claim.uid).upper()}"
    return [
        [
            f"FAKE_DEVICE_{index}={device.uuid}",
            f"{variable}_DEVICE_{index}={device.uuid}",
            f"{variable}_MODEL_{index}={device.model}",
            *([_ADMIN_ACCESS] if device.result is not None and device.result.admin_access else []),
        ]
        for index, device in enumerate(claim.devices)
    ]


def _check_uid(uid: str) -> None:
    if uid == _COMMON or not _UID.fullmatch(uid):
        raise CdiSpecError(f"{uid!r} cannot be the UID of a claim")


def _check_devices(devices: Mapping[str, Sequence[str]]) -> None:
    for name, variables in devices.items():
        if not _DEVICE_NAME.fullmatch(name):
            raise CdiSpecError(f"{name!r} is not a device name that CDI allows")
        for variable in variables:
            if not _VARIABLE.fullmatch(variable):
                raise CdiSpecError(f"{variable!r} is not an environment variable that a container can have")


def _check(text: bytes, kind: str, devices: Mapping[str, Sequence[str]]) -> None:
    """Raises CdiSpecError unless CDI allows the devices, and the text reads back as them."""
    _check_devices(devices)
    meant = {
        "cdiVersion": "0.3.0",
        "containerEdits": {},
        "devices": [{"containerEdits": {"env": list(env)}, "name": name} for name, env in devices.items()],
        "kind": kind,
    }
    if yaml.load(text, Loader=_Loader) != meant:  # noqa: S506 - a safe loader
        raise CdiSpecError("the template rendered something other than what was meant")
