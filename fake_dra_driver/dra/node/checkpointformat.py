"""The checkpoint's file. What one release writes, every later release reads, and the release before reads too.

::

    {"version":1,"checksum":"sha256:...","contents":{"complete":true,"claims":{"<uid>":{...}}}}

An upgrade or a rollback meets the file of another release while pods run. So that it can use it:

- The checksum is of the bytes of ``contents`` as they stand in the file, whatever they mean: an unknown field is not
  damage. The first releases compute it from what they would write themselves: compact JSON, without fields that have
  their default. ``encode`` writes just that, so that both ways lead to the same checksum.
- Unknown fields in ``contents`` come from a later release. They are kept for as long as the claim they belong to is
  unchanged: after a rollback the pods of that release run on, and when it returns it finds all that it knew about them.
  A claim that is prepared with other devices loses them, since they describe what it had before. Unknown fields beside
  ``contents``, which no checksum protects, are ignored.
- A new field needs a default, and is left out of the file where it has that value. The first releases refuse fields
  that they do not know, so a node on which nothing new is in use must look to them as it always did.
- ``VERSION`` is raised only when a release that overlooks a new field would do harm, as by giving one device to two
  claims. A release that finds a later version sets the file aside, and starts from what the API server has.

CDI device names are not in the file: they follow from a claim's UID and its devices.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from fake_dra_driver.dra.node.cdi import check_claim
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.preparedmodel import PreparedModel, StoredDevice, StoredPart

__all__ = ["VERSION", "CheckpointFormat", "Contents", "OtherVersionError"]

VERSION: Final = 1

M = TypeVar("M", bound=BaseModel)
StoredT = TypeVar("StoredT", bound=StoredDevice[Any])


class OtherVersionError(ValueError):
    """The file has a version that this program does not read: it is not damaged, another release uses it."""


class _Claim(StoredPart, Generic[StoredT]):
    namespace: str
    name: str
    devices: tuple[StoredT, ...]


class Contents(StoredPart, Generic[StoredT]):
    """What the file says."""

    complete: bool
    """Whether every prepared claim is in ``claims``."""
    claims: dict[str, _Claim[StoredT]]
    """By UID."""


class _Header(BaseModel):
    """What every version has."""

    model_config = ConfigDict(strict=True)

    version: int


class _Envelope(_Header):
    checksum: str
    contents: Any


class CheckpointFormat(Generic[PreparedT]):
    """The file with the devices of one driver.

    Args:
        model: how a device is kept.
    """

    def __init__(self, model: PreparedModel[PreparedT]) -> None:
        self._model = model
        # The type is known when the program runs, not to a type checker.
        self._contents = cast("type[Contents[StoredDevice[PreparedT]]]", Contents.__class_getitem__(model.stored))
        self._claim = cast("type[_Claim[StoredDevice[PreparedT]]]", _Claim.__class_getitem__(model.stored))

    @property
    def empty(self) -> Contents[StoredDevice[PreparedT]]:
        """What there is without a file."""
        return self._contents(complete=False, claims={})

    def prepared(self, contents: Contents[StoredDevice[PreparedT]]) -> Mapping[str, PreparedClaim[PreparedT]]:
        """The prepared claims by UID. Raises ValueError for devices that no release has written."""
        return {
            uid: PreparedClaim(uid, claim.namespace, claim.name, tuple(device.prepared() for device in claim.devices))
            for uid, claim in contents.claims.items()
        }

    def changed(
        self,
        contents: Contents[StoredDevice[PreparedT]],
        claims: Mapping[str, PreparedClaim[PreparedT]],
        *,
        complete: bool,
    ) -> Contents[StoredDevice[PreparedT]]:
        """Contents with exactly these claims. Unknown fields of claims that are in both and equal are kept."""
        known = self.prepared(contents)
        entries = {
            uid: contents.claims[uid] if known.get(uid) == claim else self._entry(claim)
            for uid, claim in sorted(claims.items())
        }
        return contents.model_copy(update={"complete": complete, "claims": entries})

    def encode(self, contents: Contents[StoredDevice[PreparedT]]) -> bytes:
        """The file with these contents."""
        text = contents.model_dump_json(by_alias=True, exclude_defaults=True).encode()
        return b'{"version":%d,"checksum":"%s","contents":%s}\n' % (VERSION, _checksum(text).encode(), text)

    def decode(self, data: bytes) -> Contents[StoredDevice[PreparedT]]:
        """What a file says. Raises ValueError, with what is wrong with it, or OtherVersionError."""
        text = data.decode()
        version = _parse(_Header, text).version
        if version != VERSION:
            raise OtherVersionError(
                f"it has version {version}, this program reads version {VERSION}: another release wrote it"
            )
        envelope = _parse(_Envelope, text)
        stored = _fields(text)["contents"]
        if envelope.checksum != _checksum(stored.encode()):
            raise ValueError("its checksum is wrong")
        contents = _parse(self._contents, stored)
        for claim in self.prepared(contents).values():
            # What no release has written, whatever the checksum says.
            check_claim(self._model, claim)
            if not claim.namespace or not claim.name:
                raise ValueError(f"claim {claim.uid} has no name")
        return contents

    def _entry(self, claim: PreparedClaim[PreparedT]) -> _Claim[StoredDevice[PreparedT]]:
        devices = tuple(map(self._model.stored.of, claim.devices))
        return self._claim(namespace=claim.namespace, name=claim.name, devices=devices)


def _parse(model: type[M], text: str) -> M:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{where}: {problem['msg']}" if where else problem["msg"]) from error


def _fields(text: str) -> Mapping[str, str]:
    """The fields of a valid JSON object, each with its value as it stands there."""
    read = json.JSONDecoder().raw_decode
    found = {}
    at = _after_gap(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = read(text, at)
        start = _after_gap(text, at)
        _, end = read(text, start)
        found[name] = text[start:end]
        at = _after_gap(text, end)
    return found


def _after_gap(text: str, at: int) -> int:
    """The place of the next name or value, or of the closing brace."""
    while text[at] in " \t\r\n:,":
        at += 1
    return at


def _checksum(contents: bytes) -> str:
    return f"sha256:{hashlib.sha256(contents).hexdigest()}"
