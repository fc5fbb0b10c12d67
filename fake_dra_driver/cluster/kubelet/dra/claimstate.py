"""What a kubelet knows of the claims on its node, and the file that it keeps it in: ``dra_manager_state``.

Follows claiminfo.go and state/ of k8s.io/kubernetes/pkg/kubelet/cm/dra.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fake_dra_driver import regularfile
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.cluster.kubelet.dra.calls import ClaimRequest, PluginDevice

__all__ = ["ClaimInfo", "ClaimState", "DraError"]

_STATE_FILE = "dra_manager_state"


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
            claims = [_loaded(entry) for entry in json.loads(raw)["claims"]] if raw else []
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
            state = {"claims": [_stored(self.claims[uid]) for uid in sorted(self.claims)]}
            try:
                await asyncio.to_thread(_write, self._file, json.dumps(state, indent=1))
            except OSError as error:
                raise DraError(f"{self._file} cannot be written: {error.strerror}") from error

    def find(self, key: NamespacedName, pod: UID) -> ClaimInfo | None:
        """The claim of that name that the pod uses."""
        for claim in self.claims.values():
            if (claim.namespace, claim.name) == (key.namespace, key.name) and pod in claim.pods:
                return claim
        return None

    def users(self) -> Iterable[UID]:
        """The pods that claims here are held for."""
        return sorted({pod for claim in self.claims.values() for pod in claim.pods})


def _loaded(entry: Mapping[str, Any]) -> ClaimInfo:
    devices = {driver: [_device(each) for each in found] for driver, found in entry["devices"].items()}
    return ClaimInfo(**{**entry, "devices": devices})


def _device(fields: Mapping[str, Any]) -> PluginDevice:
    lists = {name: tuple(fields[name]) for name in ("cdi_ids", "requests")}
    return PluginDevice(**{**fields, **lists})


def _stored(claim: ClaimInfo) -> Mapping[str, Any]:
    entry = asdict(claim)
    del entry["is_prepared"]
    return entry


def _read(path: Path) -> str:
    try:
        return regularfile.read_bytes(path).decode()
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    regularfile.replace(path, text.encode(), 0o600)
