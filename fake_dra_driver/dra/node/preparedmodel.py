"""The seam between preparing claims, which is the same for every device, and what the devices of a driver are.

A driver's ``PreparedModel`` says what a container gets for a device, how a device is kept in the checkpoint, and what
has to be done to a device before a container can use it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Protocol, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from fake_dra_driver.dra.node.containeredits import ClaimFile, ContainerEdits
from fake_dra_driver.dra.node.driver import ReadyDevice
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT, RequestResult

__all__ = [
    "ADMIN_ACCESS",
    "COMMON_DEVICE",
    "CdiNames",
    "PreparedModel",
    "StoredDevice",
    "StoredPart",
    "StoredResult",
    "claim_file_path",
    "unique_name",
]

ADMIN_ACCESS: Final = {"DRA_ADMIN_ACCESS": "true"}
"""For the containers that may use a device which another claim has, to look after it (KEP-5018)."""
COMMON_DEVICE: Final = "common"
"""Name of the CDI device with what every claim's containers get."""
_SEPARATOR: Final = ":"
"""Stands between the parts of a unique name: neither names of devices nor UIDs have one."""


@dataclass(frozen=True, slots=True)
class CdiNames:
    """The names of a driver in CDI."""

    vendor: str
    device_class: str

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


def unique_name(device: str, claim_uid: str, share: str | None = None) -> str:
    """The CDI name of a claim's device that no other claim, and no other share, can have for it.

    Args:
        device: what names it on its node.
        claim_uid: of the claim that it is prepared for.
        share: ID of the share that the claim has of the device; None for the whole device.
    """
    return _SEPARATOR.join(part for part in (device, claim_uid, share) if part is not None)


def claim_file_path(folder: Path, claim_uid: str, number: int) -> Path:
    """Where a file of a claim is.

    Args:
        folder: ``files_folder`` of the model.
        claim_uid: of the claim.
        number: of the file among those of the claim, from 0.
    """
    return folder / f"{claim_uid}_{number}"


class StoredPart(BaseModel):
    """A part of the checkpoint, together with the fields that only a later release knows."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True, extra="allow")


class StoredResult(StoredPart):
    """A ``RequestResult`` in the checkpoint."""

    request: str
    pool: str
    device: str
    share_id: str | None = None
    admin_access: bool = False

    def prepared(self) -> RequestResult:
        """What was stored."""
        return RequestResult(self.request, self.pool, self.device, self.share_id, self.admin_access)

    @classmethod
    def of(cls, result: RequestResult | None) -> Self | None:
        """What is to be stored."""
        if result is None:
            return None
        return cls(
            request=result.request,
            pool=result.pool,
            device=result.device,
            share_id=result.share_id,
            admin_access=result.admin_access,
        )


class StoredDevice(StoredPart, ABC, Generic[PreparedT]):
    """A device in the checkpoint. A field that is added later needs a default, see ``checkpointformat``."""

    @abstractmethod
    def prepared(self) -> PreparedT:
        """What was stored. Raises ValueError for what no release has written."""

    @classmethod
    @abstractmethod
    def of(cls, device: PreparedT) -> Self:
        """What is to be stored."""


class PreparedModel(Protocol[PreparedT]):
    """What the devices of a driver are, once a claim has them. All but the coroutines is pure."""

    cdi: CdiNames
    common: ContainerEdits | None
    """What every claim's containers get beside their devices, in a file that all claims share; None: nothing."""
    stored: type[StoredDevice[PreparedT]]
    """How a device is kept in the checkpoint."""
    files_folder: Path | None = None
    """Where the files of claims are, under the same path as on the node, and nothing else; None: there are none."""
    has_effects: bool = False
    """Whether ``complete`` and ``end`` do anything.

    A claim is then put on record before ``complete`` begins, so that ``end`` follows also when the process is killed
    in between. A record that is not complete has no CDI file.
    """

    def cdi_devices(self, claim: PreparedClaim[PreparedT]) -> Mapping[str, ContainerEdits] | None:
        """What the file of a complete claim defines: by the name of each CDI device, what a container gets for it.

        None: there is to be no file. CDI takes none without devices, nor a device for which a container gets nothing.
        """
        ...

    def files(self, claim: PreparedClaim[PreparedT]) -> Sequence[ClaimFile]:  # noqa: ARG002 - a default
        """What is made for a complete claim in ``files_folder``, for its edits to mount: see ``claim_file_path``."""
        return ()

    def earlier(self, claim: PreparedClaim[PreparedT]) -> Mapping[str, ContainerEdits] | None:  # noqa: ARG002 - a default
        """What the release before this one has in the file, which is no fault then; None: the same."""
        return None

    def ready_devices(self, node: str, claim: PreparedClaim[PreparedT]) -> Sequence[ReadyDevice]:
        """What the kubelet is told about a complete claim.

        Args:
            node: the name of the node, which is that of the pool of devices without a result.
            claim: all of its devices.
        """
        ...

    def label_of(self, device: PreparedT) -> str:
        """By what metrics count the device: its model, or what tells the few kinds of devices apart."""
        ...

    async def before_prepare(self, claim: PreparedClaim[PreparedT]) -> None:  # noqa: ARG002 - a default
        """Called at each call of the kubelet to prepare a claim, before anything of it is written. May take a while.

        Args:
            claim: with the devices that it is to get.

        Raises:
            PrepareError: it cannot be prepared.
        """
        return

    async def before_unprepare(self, claim: PreparedClaim[PreparedT]) -> None:  # noqa: ARG002 - a default
        """Called at each call of the kubelet to unprepare a claim that is on record, before anything of it is removed.

        May take a while.

        Raises:
            PrepareError: it cannot be unprepared; it stays on record.
        """
        return

    def is_complete(self, claim: PreparedClaim[PreparedT]) -> bool:  # noqa: ARG002 - a default
        """Whether ``complete`` has returned it."""
        return True

    def planned(self, claim: PreparedClaim[PreparedT]) -> PreparedClaim[PreparedT]:
        """The claim as it was before ``complete``."""
        return claim

    async def complete(self, claim: PreparedClaim[PreparedT]) -> PreparedClaim[PreparedT]:
        """Makes the devices ready, and returns the claim with what is known of them then.

        Idempotent: called at each call of the kubelet. Never runs at once with itself or ``end`` for one claim.

        Args:
            claim: as planned, on record.

        Raises:
            PrepareError: a device cannot be made ready; ``end`` follows unless the claim had been complete before.
        """
        return claim

    async def end(self, claim: PreparedClaim[PreparedT]) -> None:  # noqa: ARG002 - a default
        """Undoes ``complete``, also one that was begun and not ended. Idempotent.

        Args:
            claim: from the record alone, and perhaps not complete; the devices may be gone from the node.

        Raises:
            PrepareError: a device cannot be released; the claim stays on record.
        """
        return
