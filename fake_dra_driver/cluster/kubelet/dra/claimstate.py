"""What a kubelet knows of the claims on its node, and the file that it keeps it in: ``dra_manager_state``.

Follows claiminfo.go and state/ of k8s.io/kubernetes/pkg/kubelet/cm/dra of 1.32 and later: a JSON object whose ``Data``
is the text of another one, a DRACheckpoint, and whose ``Checksum`` is the CRC-32 of that text. Kubelets of classic DRA
have a format of their own, which is not copied: here the data of resource handles is added to that of today.
"""

import asyncio
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_dra_driver import regularfile
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.cluster.kubelet.dra.calls import ClaimRequest, PluginDevice

__all__ = ["ClaimInfo", "ClaimState", "DraError"]

_STATE_FILE = "dra_manager_state"
_KIND, _VERSION = "DRACheckpoint", "checkpoint.dra.kubelet.k8s.io/v1"
_HANDLE = "ResourceHandle"


class DraError(Exception):
    """A claim cannot be prepared, or not be unprepared; the message is for the pod's events."""


@dataclass(slots=True)
class ClaimInfo:
    """What the kubelet knows of a claim on its node."""

    uid: UID
    namespace: str
    name: str
    handles: dict[str, str]
    """Data of the resource handle, by driver; empty in structured DRA."""
    pods: list[UID] = field(default_factory=list)
    """The pods that use it."""
    devices: dict[str, list[PluginDevice]] = field(default_factory=dict)
    """What the plugins have prepared, by driver."""
    is_prepared: bool = False
    """Whether this kubelet has had it prepared since it started. Not in the file."""
    is_unpreparing: bool = False
    """Whether this kubelet has begun to have it unprepared. Not in the file."""

    @property
    def key(self) -> NamespacedName:
        """Namespace and name of the claim."""
        return NamespacedName(self.namespace, self.name)

    def request(self, driver: str) -> ClaimRequest:
        """What the plugin of a driver is told of it."""
        return ClaimRequest(self.namespace, self.name, self.uid, self.handles[driver])


class ClaimState:
    """The claims that pods on the node have, in memory and in the file.

    Args:
        folder: ``/var/lib/kubelet`` of the node.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _STATE_FILE
        self._writing = asyncio.Lock()
        self.claims: dict[UID, ClaimInfo] = {}
        """By their UIDs. ``save`` after a change."""

    async def load(self) -> None:
        """Reads what an earlier kubelet has left. Raises DraError when the file cannot be read, or is damaged."""
        try:
            raw = await asyncio.to_thread(_read, self._file)
            claims = [_loaded(entry) for entry in _checked(raw)["ClaimInfoStateList"] or ()] if raw else []
        except OSError as error:
            raise DraError(f"{self._file} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise DraError(
                f"{self._file} is damaged ({error}); remove it once no pod on this node has claims"
            ) from error
        self.claims = {claim.uid: claim for claim in claims}

    async def save(self) -> None:
        """Writes the claims as they are when it is their turn. Raises DraError when the file cannot be written."""
        async with self._writing:
            claims = [_stored(self.claims[uid]) for uid in sorted(self.claims)]
            data = _compact({"kind": _KIND, "apiVersion": _VERSION, "ClaimInfoStateList": claims})
            text = _compact({"Data": data, "Checksum": zlib.crc32(data.encode())})
            try:
                await asyncio.to_thread(_write, self._file, text)
            except OSError as error:
                raise DraError(f"{self._file} cannot be written: {error.strerror}") from error

    def find(self, key: NamespacedName, pod: UID) -> ClaimInfo | None:
        """The claim of that name that the pod uses."""
        for claim in self.claims.values():
            if claim.key == key and pod in claim.pods:
                return claim
        return None

    def users(self, driver: str | None = None) -> Iterable[UID]:
        """The pods that claims here are held for; of one driver alone, if it is named."""
        claims = (each for each in self.claims.values() if driver is None or driver in each.handles)
        return sorted({pod for claim in claims for pod in claim.pods})


def _checked(raw: str) -> Mapping[str, Any]:
    """The data of a file, which is as it was written. Raises ValueError, TypeError or KeyError."""
    outer = json.loads(raw)
    data = outer["Data"]
    if zlib.crc32(data.encode()) != outer["Checksum"]:
        raise ValueError("its checksum is that of other data")
    inner: Mapping[str, Any] = json.loads(data)
    return inner


def _loaded(entry: Mapping[str, Any]) -> ClaimInfo:
    drivers: Mapping[str, Mapping[str, Any]] = entry["DriverState"]
    return ClaimInfo(
        uid=UID(entry["ClaimUID"]),
        namespace=entry["Namespace"],
        name=entry["ClaimName"],
        handles={driver: state.get(_HANDLE, "") for driver, state in drivers.items()},
        pods=sorted(UID(uid) for uid in entry["PodUIDs"]),
        devices={driver: [_device(each) for each in state["Devices"] or ()] for driver, state in drivers.items()},
    )


def _device(fields: Mapping[str, Any]) -> PluginDevice:
    return PluginDevice(
        cdi_ids=tuple(fields["CDIDeviceIDs"] or ()),
        requests=tuple(fields["RequestNames"] or ()),
        pool=fields["PoolName"],
        device=fields["DeviceName"],
        share_id=fields.get("ShareID"),
    )


def _stored(claim: ClaimInfo) -> Mapping[str, Any]:
    return {
        "ClaimUID": claim.uid,
        "ClaimName": claim.name,
        "Namespace": claim.namespace,
        "PodUIDs": {uid: {} for uid in sorted(claim.pods)},
        "DriverState": {
            driver: {
                "Devices": [_stored_device(each) for each in claim.devices.get(driver, ())],
                **({_HANDLE: handle} if handle else {}),
            }
            for driver, handle in claim.handles.items()
        },
    }


def _stored_device(device: PluginDevice) -> Mapping[str, Any]:
    return {
        "PoolName": device.pool,
        "DeviceName": device.device,
        "ShareID": device.share_id,
        "RequestNames": list(device.requests),
        "CDIDeviceIDs": list(device.cdi_ids),
    }


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _read(path: Path) -> str:
    try:
        return regularfile.read_bytes(path).decode()
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    regularfile.replace(path, text.encode(), 0o600)
