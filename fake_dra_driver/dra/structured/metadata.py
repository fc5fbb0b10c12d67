"""Files in which containers find the attributes of their devices (KEP-5304), such as a PCI address or a UUID.

For each request of a claim there is one file on the node, which CDI mounts into the containers that use the request::

    <folder>/dra-device-metadata/<namespace>_<claim>/<request>/metadata.json
    /var/run/kubernetes.io/dra-device-attributes/resourceclaims/<claim>/<request>/<driver>-metadata.json
    /var/run/kubernetes.io/dra-device-attributes/resourceclaimtemplates/<entry of the pod>/<request>/...

It holds the same object in each version of ``metadata.resource.k8s.io``, the newest first; a reader takes the first
that it knows. Names and contents are those of k8s.io/dynamic-resource-allocation/kubeletplugin 0.37, for its readers. A
running container keeps the file that was there when it was started, also when another is written in its place; files
that say it all already are left alone.

``start`` and ``unprepare`` are for each plugin, also for one that is told to make no metadata any more: the kubelet
remembers the CDI names, and a container that is started again needs them.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.inthread import in_thread

__all__ = ["DeviceMetadata", "MetadataDevice", "MetadataFiles"]

GROUP: Final = "metadata.resource.k8s.io"
VERSIONS: Final = ("v1beta1", "v1alpha1")
"""In the order in which a file has them; the library of Kubernetes 1.36 reads only the second."""
CONTAINER_FOLDER: Final = Path("/var/run/kubernetes.io/dra-device-attributes")
CDI_VERSION: Final = "0.5.0"
"""The first that allows the name of a device to begin with a digit, as a UID may."""

_FOLDER: Final = "dra-device-metadata"
_FILE: Final = "metadata.json"
_FOLDER_MODE: Final = 0o755
_MODE: Final = 0o644
"""Containers read it as any user."""
_REQUEST: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class MetadataFiles(Protocol):
    """Files in the driver's own folders. Every method blocks, and raises OSError."""

    def make_folder(self, path: Path, mode: int) -> None:
        """Creates the folder and its parents where they are missing."""
        ...

    def names(self, folder: Path) -> Sequence[str]:
        """The names in the folder, sorted."""
        ...

    def read(self, path: Path) -> bytes | None:
        """The contents, or None when there is no such file."""
        ...

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Replaces the contents, atomically and durably."""
        ...

    def remove(self, path: Path) -> None:
        """Removes the file, durably; no file is fine."""
        ...

    def remove_folder(self, path: Path) -> None:
        """Removes the folder with what is in it, durably; no folder is fine."""
        ...


@dataclass(frozen=True, slots=True)
class MetadataDevice:
    """A device, as its containers get to know it."""

    request: str
    """``request``, or ``request/subrequest``."""
    pool: str
    name: str
    attributes: Mapping[str, v1.DeviceAttribute] = field(default_factory=dict)
    """As in the ResourceSlice."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose metadata a file holds."""

    claim: NodeClaim
    pod_claim: str | None
    """The entry of the pod's ``resourceClaims`` that the claim was made for; None for a claim that a person named."""

    def container_folder(self, request: str) -> Path:
        if self.pod_claim:
            return CONTAINER_FOLDER / "resourceclaimtemplates" / self.pod_claim / request
        return CONTAINER_FOLDER / "resourceclaims" / self.claim.name / request


class DeviceMetadata:
    """The metadata files of one driver on one node. Methods must not run at the same time for the same claim.

    Args:
        files: where to read and write.
        folder: of the plugin, under the same path as on the node, since container runtimes mount from there.
        cdi_root: the folder that container runtimes read.
        driver: the driver's name.
    """

    def __init__(self, files: MetadataFiles, folder: Path, cdi_root: Path, driver: str) -> None:
        self._files = files
        self._folder = folder / _FOLDER
        self._cdi_root = cdi_root
        self._driver = driver
        # Also of the temporary file that a stop may have left, which is removed together with the file.
        self._cdi_name = re.compile(rf"\.?({re.escape(driver)}_metadata_(.+)_[a-z0-9-]+\.json)")

    async def prepare(self, claim: v1.ResourceClaim, devices: Sequence[MetadataDevice]) -> Mapping[str, str]:
        """Writes the files of a claim. Durable before it returns.

        Returns:
            By request, without subrequest: the CDI name that brings its file into a container. To be given to the
            kubelet with one device of the request.

        Raises:
            OSError: a file cannot be written.
            ValueError: a request has a name that no API server lets through.
        """
        return await in_thread(self._prepare, claim, devices)

    async def prepared(self, claim: NodeClaim) -> Mapping[str, str]:
        """What ``prepare`` has returned for a claim, as far as its files are there: for when the API server is away.

        Raises:
            OSError: a file cannot be read, or a CDI file that is missing cannot be written.
        """
        return await in_thread(self._prepared, claim)

    async def unprepare(self, claim: NodeClaim) -> None:
        """Removes the files of a claim; none is fine. Raises OSError."""
        await in_thread(self._unprepare, claim)

    async def start(self, prepared: Collection[NodeClaim]) -> None:
        """Restores what a reboot took from the files of prepared claims, and removes those of all others.

        Raises:
            OSError: a file cannot be written or removed.
        """
        await in_thread(self._start, prepared)

    # --- In a thread -----------------------------------------------------------------------------------------------

    def _prepare(self, claim: v1.ResourceClaim, devices: Sequence[MetadataDevice]) -> Mapping[str, str]:
        identity = NodeClaim(claim.metadata.namespace, claim.metadata.name, claim.uid)
        owner = _Owner(identity, claim.metadata.annotations.get(v1.POD_CLAIM_ANNOTATION))
        by_request: dict[str, list[MetadataDevice]] = {}
        for device in devices:
            by_request.setdefault(device.request.partition("/")[0], []).append(device)
        ids = {}
        for request, of_request in by_request.items():
            if not _REQUEST.fullmatch(request):
                raise ValueError(f"claim {identity}: {request!r} is not the name of a request")
            folder = self._folder_of(identity) / request
            self._files.make_folder(folder, _FOLDER_MODE)
            self._write(folder / _FILE, self._contents(owner, of_request))
            ids[request] = self._write_cdi(owner, request)
        return ids

    def _prepared(self, claim: NodeClaim) -> Mapping[str, str]:
        return {
            request: self._write_cdi(owner, request)
            for request, owner in self._requests_in(self._folder_of(claim).name)
            if owner is not None and owner.claim == claim
        }

    def _unprepare(self, claim: NodeClaim) -> None:
        for uid, path in self._cdi_files():
            if uid == claim.uid:
                self._files.remove(path)
        for request, owner in self._requests_in(self._folder_of(claim).name):
            # The claim's successor of the same name may have been prepared before this one is unprepared.
            if owner is None or owner.claim.uid == claim.uid:
                self._files.remove_folder(self._folder_of(claim) / request)
        self._remove_if_empty(self._folder_of(claim))

    def _start(self, prepared: Collection[NodeClaim]) -> None:
        by_folder = {self._folder_of(claim).name: claim for claim in prepared}
        uids: set[str] = {claim.uid for claim in prepared}
        for uid, path in self._cdi_files():
            if uid not in uids:
                self._files.remove(path)
        for name in self._names(self._folder):
            claim = by_folder.get(name)
            for request, owner in self._requests_in(name):
                if owner is not None and owner.claim == claim:
                    self._write_cdi(owner, request)
                elif owner is not None or claim is None:
                    self._files.remove_folder(self._folder / name / request)
            self._remove_if_empty(self._folder / name)

    def _write_cdi(self, owner: _Owner, request: str) -> str:
        """Returns the CDI name that brings the request's file into a container."""
        name = f"{owner.claim.uid}_{request}"
        mount = {
            "hostPath": str(self._folder_of(owner.claim) / request / _FILE),
            "containerPath": str(owner.container_folder(request) / f"{self._driver}-{_FILE}"),
            "options": ["ro", "bind"],
        }
        kind = f"{self._driver}/metadata"
        specification = {
            "cdiVersion": CDI_VERSION,
            "kind": kind,
            "devices": [{"name": name, "containerEdits": {"mounts": [mount]}}],
        }
        self._files.make_folder(self._cdi_root, _FOLDER_MODE)
        self._write(self._cdi_root / f"{self._driver}_metadata_{name}.json", _json(specification))
        return f"{kind}={name}"

    def _write(self, path: Path, data: bytes) -> None:
        if self._files.read(path) != data:
            self._files.write(path, data, _MODE)

    def _contents(self, owner: _Owner, devices: Sequence[MetadataDevice]) -> bytes:
        metadata = {
            "name": owner.claim.name,
            "namespace": owner.claim.namespace,
            "uid": owner.claim.uid,
            "generation": 1,  # of the file: claims have none
        }
        listed = [
            {
                "driver": self._driver,
                "pool": device.pool,
                "name": device.name,
                "attributes": {name: value.to_wire() for name, value in device.attributes.items()},
            }
            for device in devices
        ]
        pod_claim = {"podClaimName": owner.pod_claim} if owner.pod_claim else {}
        requests = [{"name": devices[0].request, "devices": listed}]
        return b"".join(
            _json(
                {
                    "apiVersion": f"{GROUP}/{version}",
                    "kind": "DeviceMetadata",
                    "metadata": metadata,
                    **pod_claim,
                    "requests": requests,
                }
            )
            for version in VERSIONS
        )

    def _folder_of(self, claim: NodeClaim) -> Path:
        return self._folder / f"{claim.namespace}_{claim.name}"

    def _requests_in(self, name: str) -> Iterable[tuple[str, _Owner | None]]:
        """The requests that a claim's folder has files of, each with its owner; None: that cannot be read."""
        folder = self._folder / name
        return [(request, _owner_of(self._files.read(folder / request / _FILE))) for request in self._names(folder)]

    def _cdi_files(self) -> Iterator[tuple[str, Path]]:
        """UID of the claim and path of each of our files in CDI's folder."""
        for name in self._names(self._cdi_root):
            if found := self._cdi_name.match(name):
                yield found[2], self._cdi_root / found[1]

    def _remove_if_empty(self, folder: Path) -> None:
        if not self._names(folder):
            self._files.remove_folder(folder)

    def _names(self, folder: Path) -> Sequence[str]:
        """The names in the folder; none where there is no such folder."""
        try:
            return self._files.names(folder)
        except (FileNotFoundError, NotADirectoryError):
            return ()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def _owner_of(contents: bytes | None) -> _Owner | None:
    """What the first object of a file says; None when it says nothing."""
    if contents is None:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(contents.decode())
        metadata = found["metadata"]
        claim = NodeClaim(metadata["namespace"], metadata["name"], UID(metadata["uid"]))
        pod_claim = found.get("podClaimName")
        return _Owner(claim, pod_claim if isinstance(pod_claim, str) else None)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
