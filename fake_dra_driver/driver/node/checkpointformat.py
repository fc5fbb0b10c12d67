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
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from fake_dra_driver.driver.node.cdi import check_claim
from fake_dra_driver.driver.node.prepared import PreparedClaim, PreparedDevice, RequestResult

__all__ = ["VERSION", "Contents", "OtherVersionError", "decode", "encode"]

VERSION: Final = 1

M = TypeVar("M", bound=BaseModel)


class OtherVersionError(ValueError):
    """The file has a version that this program does not read: it is not damaged, another release uses it."""


class _Stored(BaseModel):
    """A part of the contents, together with the fields that only a later release knows."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True, extra="allow")


class _Result(_Stored):
    request: str
    pool: str
    device: str
    share_id: str | None = None
    admin_access: bool = False

    def prepared(self) -> RequestResult:
        return RequestResult(self.request, self.pool, self.device, self.share_id, self.admin_access)


class _Device(_Stored):
    uuid: str
    model: str
    parent_uuid: str | None = None
    result: _Result | None = None
    """Only of structured DRA, so that the file of a node with classic claims is what it always was."""

    def prepared(self) -> PreparedDevice:
        result = self.result.prepared() if self.result is not None else None
        return PreparedDevice(self.uuid, self.model, self.parent_uuid, result)


class _Claim(_Stored):
    namespace: str
    name: str
    devices: tuple[_Device, ...]

    def prepared(self, uid: str) -> PreparedClaim:
        return PreparedClaim(uid, self.namespace, self.name, tuple(device.prepared() for device in self.devices))


class Contents(_Stored):
    """What the file says."""

    complete: bool
    """Whether every prepared claim is in ``claims``."""
    claims: dict[str, _Claim]
    """By UID."""

    def prepared(self) -> Mapping[str, PreparedClaim]:
        """The prepared claims by UID."""
        return {uid: claim.prepared(uid) for uid, claim in self.claims.items()}

    def changed(self, claims: Mapping[str, PreparedClaim], *, complete: bool) -> "Contents":
        """Contents with exactly these claims. Unknown fields of claims that are in both and equal are kept."""
        known = self.prepared()
        entries = {
            uid: self.claims[uid] if known.get(uid) == claim else _entry(claim) for uid, claim in sorted(claims.items())
        }
        return self.model_copy(update={"complete": complete, "claims": entries})


class _Header(BaseModel):
    """What every version has."""

    model_config = ConfigDict(strict=True)

    version: int


class _Envelope(_Header):
    checksum: str
    contents: Any


def encode(contents: Contents) -> bytes:
    """The file with these contents."""
    text = contents.model_dump_json(by_alias=True, exclude_defaults=True).encode()
    return b'{"version":%d,"checksum":"%s","contents":%s}\n' % (VERSION, _checksum(text).encode(), text)


def decode(data: bytes) -> Contents:
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
    contents = _parse(Contents, stored)
    _check(contents.prepared())
    return contents


def _entry(claim: PreparedClaim) -> _Claim:
    return _Claim(namespace=claim.namespace, name=claim.name, devices=tuple(map(_device, claim.devices)))


def _device(device: PreparedDevice) -> _Device:
    result = device.result
    stored = None
    if result is not None:
        stored = _Result(
            request=result.request,
            pool=result.pool,
            device=result.device,
            share_id=result.share_id,
            admin_access=result.admin_access,
        )
    return _Device(uuid=device.uuid, model=device.model, parent_uuid=device.parent_uuid, result=stored)


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


def _check(claims: Mapping[str, PreparedClaim]) -> None:
    """Raises ValueError for what no release has written, whatever the checksum says."""
    for claim in claims.values():
        check_claim(claim)
        if not claim.namespace or not claim.name:
            raise ValueError(f"claim {claim.uid} has no name")


def _checksum(contents: bytes) -> str:
    return f"sha256:{hashlib.sha256(contents).hexdigest()}"
