"""Bodies and Accept headers: JSON, YAML, the little protobuf that kubectl insists on, Tables and metadata.

Follows k8s.io/apiserver/pkg/endpoints/handlers/negotiation. Protobuf is read, not written.
"""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, not_acceptable, unsupported_media_type
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.apiserver.patch import APPLY_PATCH, PATCH_TYPES
from fake_dra_driver.cluster.apiserver.protobuf import decode_protobuf
from fake_dra_driver.cluster.apiserver.store import Object

__all__ = ["Accept", "body_of", "decode_body", "optional_body_of", "patch_of"]

_BODIES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_SPOKEN = (
    "application/json",
    "application/yaml",
    "application/json;stream=watch",
)
_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


class _JsonLikeLoader(yaml.SafeLoader):
    """Safe YAML whose times and dates stay the texts that they are."""


_JsonLikeLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Accept:
    """The form of an answer."""

    form: str = ""
    """Empty, Table, PartialObjectMetadata or PartialObjectMetadataList."""
    is_yaml: bool = False

    @classmethod
    def parse(cls, header: str) -> "Accept":
        """The first form of an Accept header that is spoken here. Raises StatusError (406)."""
        for part in header.split(",") if header.strip() else ["*/*"]:
            media, *parameters = (each.strip() for each in part.split(";"))
            values = dict(each.split("=", 1) for each in parameters if "=" in each)
            if media not in ("application/json", "application/yaml", "application/*", "*/*"):
                continue
            form = values.get("as", "")
            if form and (form not in _FORMS or values.get("g") != "meta.k8s.io" or values.get("v") != "v1"):
                continue
            return cls(form, media == "application/yaml")
        raise not_acceptable(_SPOKEN)


def _parse_json(raw: bytes, kind: str) -> Any:
    """Reads JSON, or says as Go does what is wrong with it. Raises StatusError (400)."""
    try:
        return json.loads(raw)
    except ValueError as error:
        shown = raw.decode(errors="replace") or "<empty>"
        problem = _json_problem(raw, error)
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse "
            f"error: {problem} ({shown})"
        ) from error


def _json_problem(raw: bytes, error: ValueError) -> str:
    position = getattr(error, "pos", 0)
    text = raw.decode(errors="replace")
    if position >= len(text.rstrip()):
        return "unexpected end of JSON input"
    place = "object key string" if "property name" in str(error) else "value"
    return f"invalid character '{text[position]}' looking for beginning of {place}"


def decode_body(raw: bytes, content_type: str, kind: str, types_checked: bool = True) -> Any:
    """The object in a request's body. Raises StatusError (400, 415)."""
    media = content_type.partition(";")[0].strip()
    if media == "application/vnd.kubernetes.protobuf":
        return decode_protobuf(raw)
    if media in ("application/yaml", "application/apply-patch+yaml"):
        try:
            decoded = yaml.load(raw, _JsonLikeLoader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from error
    elif media in ("application/json", "", "*/*", "application/octet-stream"):
        decoded = _parse_json(raw, kind)
    else:
        raise unsupported_media_type(_BODIES)
    if not isinstance(decoded, dict) and types_checked:
        raise StatusError(
            400, "BadRequest", f"the object provided is unrecognized (must be of type {kind}): not an object"
        )
    return decoded


def body_of(request: Request, kind: str) -> Object:
    """The object in a request, which is to be of that kind. Raises StatusError (400, 415)."""
    body: Object = decode_body(request.body, request.header("content-type"), kind)
    return body


def optional_body_of(request: Request, kind: str) -> Object:
    """As ``body_of``; an empty object when there is no body."""
    return body_of(request, kind) if request.body else {}


def patch_of(request: Request) -> tuple[str, Any]:
    """Type and content of a patch. Raises StatusError (400, 415)."""
    media = request.header("content-type").partition(";")[0].strip()
    if media not in PATCH_TYPES:
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    if media == APPLY_PATCH:
        return media, decode_body(request.body, media, "", types_checked=False)
    try:
        return media, decode_body(request.body, "application/json", "", types_checked=False)
    except StatusError as error:
        problem = error.message.partition("json parse error: ")[2].rpartition(" (")[0]
        raise bad_request(f"error decoding patch: {problem}") from error
