"""The checkpoint's file: a version, a checksum, and the prepared claims, as JSON."""

import hashlib
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from fake_dra_driver.device.cdi import check_claim
from fake_dra_driver.device.prepared import PreparedClaim, PreparedDevice

__all__ = ["decode", "encode"]

VERSION: Final = 1


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class _Device(_Model):
    uuid: str
    model: str
    parent_uuid: str | None = None


class _Claim(_Model):
    namespace: str
    name: str
    devices: tuple[_Device, ...]


class _Contents(_Model):
    complete: bool
    claims: dict[str, _Claim]


class _File(_Model):
    version: Literal[1]
    checksum: str
    contents: _Contents


def encode(claims: Mapping[str, PreparedClaim], complete: bool) -> bytes:
    contents = _Contents(
        complete=complete,
        claims={
            uid: _Claim(
                namespace=claim.namespace,
                name=claim.name,
                devices=tuple(
                    _Device(uuid=entry.uuid, model=entry.model, parent_uuid=entry.parent_uuid)
                    for entry in claim.devices
                ),
            )
            for uid, claim in sorted(claims.items())
        },
    )
    file = _File(version=VERSION, checksum=_checksum(contents), contents=contents)
    return file.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"


def decode(data: bytes) -> tuple[Mapping[str, PreparedClaim], bool]:
    """Raises ValueError, with what is wrong."""
    try:
        file = _File.model_validate_json(data)
    except ValidationError as error:
        problems = {problem["loc"]: problem for problem in reversed(error.errors())}
        other = problems.get(("version",))
        if other is not None and isinstance(other["input"], int):
            raise ValueError(
                f"it has version {other['input']}, this program reads version {VERSION}: another release wrote it"
            ) from error
        problem = list(problems.values())[-1]
        where = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{where}: {problem['msg']}" if where else problem["msg"]) from error
    if file.checksum != _checksum(file.contents):
        raise ValueError("its checksum is wrong")
    claims = {uid: _claim_of(uid, claim) for uid, claim in file.contents.claims.items()}
    _check_claims(claims)
    return claims, file.contents.complete


def _claim_of(uid: str, claim: _Claim) -> PreparedClaim:
    devices = tuple(PreparedDevice(entry.uuid, entry.model, entry.parent_uuid) for entry in claim.devices)
    return PreparedClaim(uid, claim.namespace, claim.name, devices)


def _check_claims(claims: Mapping[str, PreparedClaim]) -> None:
    """Raises ValueError for what was never written here, as its checksum would make believe."""
    for claim in claims.values():
        check_claim(claim)
        if not claim.namespace or not claim.name:
            raise ValueError(f"claim {claim.uid} has no name")


def _checksum(contents: _Contents) -> str:
    text = to_json(contents.model_dump(mode="json", by_alias=True, exclude_none=True))
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
