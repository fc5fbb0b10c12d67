"""Bodies of requests: JSON, YAML, protobuf, and patches.

Follows k8s.io/apimachinery/pkg/runtime/serializer and k8s.io/apiserver/pkg/endpoints/handlers (create.go, patch.go),
with the words of Go's decoders for what cannot be read.
"""

from typing import Any, NamedTuple

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, unrecognized, unsupported_media_type
from fake_dra_driver.cluster.apiserver.heavywork import HEAVY
from fake_dra_driver.cluster.apiserver.http import protobuf
from fake_dra_driver.cluster.apiserver.http.yamlbody import YamlError, read_yaml
from fake_dra_driver.cluster.apiserver.merge.patchformats import APPLY_PATCH, JSON_PATCH, PATCH_TYPES, STRATEGIC_PATCH
from fake_dra_driver.cluster.apiserver.message import JSON, PROTOBUF, YAML, Request
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.decode import json_kind
from fake_dra_driver.cluster.apiserver.types.jsonbody import read_json
from fake_dra_driver.cluster.releases import ApiDetails

__all__ = ["Body", "body_of", "body_weight", "is_protobuf", "optional_body_of", "patch_of"]

_JSON_TYPES = (JSON, "", "*/*", "application/octet-stream")
_SPOKEN = (JSON, YAML, PROTOBUF)
_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_OBJECT_WEIGHT = 50
"""An object takes at least as long as so many bytes of text: it may be a container that has to be completed."""
_BINARY_WEIGHT = 4
"""Times longer than JSON that protobuf takes, each message of which is read by itself."""
_YAML_WEIGHT = 8
"""Times longer than JSON that YAML takes."""


class Body(NamedTuple):
    """An object as it was sent."""

    object: Object
    duplicates: list[str]
    """The fields that were there twice; only the last one counts."""


def body_weight(request: Request) -> int:
    """How long the body takes to be read and to be carried out; see ``HEAVY``."""
    raw, media = request.body, _media(request)
    weight = len(raw) + _OBJECT_WEIGHT * raw.count(b"{")
    if media in (YAML, APPLY_PATCH) and not raw.startswith(b"{"):
        # One alias may stand for a hundred nodes.
        return HEAVY if b"*" in raw and b"&" in raw else _YAML_WEIGHT * weight
    if media == PROTOBUF:
        return _BINARY_WEIGHT * len(raw)
    # A copy may double the object, and the word may be written with escapes.
    return HEAVY if media == JSON_PATCH and (b"copy" in raw or b"\\" in raw) else weight


def body_of(request: Request, kind: str, api_version: str = "") -> Body:
    """The object in a request, which is to be of that kind. Raises StatusError (400, 413, 415)."""
    media, raw = _media(request), request.body
    duplicates: list[str] = []
    decoded: Any
    if media == PROTOBUF:
        decoded = protobuf.decode_protobuf(raw, kind, api_version)
    elif media == YAML:
        try:
            decoded, duplicates = read_yaml(raw)
        except YamlError as error:
            raise unrecognized(kind, str(error), raw) from error
    elif media in _JSON_TYPES:
        try:
            decoded, duplicates = read_json(raw)
        except ValueError as error:
            problem = f"couldn't get version/kind; json parse error: {error}"
            raise unrecognized(kind, problem, raw) from error
    else:
        raise unsupported_media_type(_SPOKEN)
    if decoded is None:
        decoded = {}
    if not isinstance(decoded, dict):
        problem = f"json: cannot unmarshal {json_kind(decoded)} into Go value of type {_TYPE_META}"
        raise unrecognized(kind, f"couldn't get version/kind; json parse error: {problem}", raw)
    for name in ("apiVersion", "kind"):
        if not isinstance(decoded.get(name), str | None):
            problem = f"json: cannot unmarshal {json_kind(decoded[name])} into Go struct field .{name} of type string"
            raise unrecognized(kind, f"couldn't get version/kind; json parse error: {problem}", raw)
    return Body(decoded, duplicates)


def optional_body_of(request: Request, kind: str) -> Object:
    """The object in a request that need not have a body; empty when there is none. Raises StatusError (400, 415)."""
    return body_of(request, kind).object if request.body else {}


def is_protobuf(request: Request) -> bool:
    """Whether the body is in protobuf."""
    return _media(request) == PROTOBUF


def patch_of(request: Request, details: ApiDetails) -> tuple[str, Any]:
    """Type and content of a patch. Raises StatusError (400, 415)."""
    media = _media(request)
    if media not in PATCH_TYPES:
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    try:
        return media, read_yaml(request.body)[0] if media == APPLY_PATCH else read_json(request.body)[0]
    except YamlError as error:
        is_first = details.patches_are_read_first
        what = "error encoding patch" if is_first else "error decoding YAML: error converting YAML to JSON"
        raise bad_request(f"{what}: {error}") from error
    except ValueError as error:
        if details.patches_are_read_first:
            raise bad_request("invalid JSON patch") from error
        prefix = "" if media == STRATEGIC_PATCH else "error decoding patch: "
        raise bad_request(f"{prefix}{error}") from error


def _media(request: Request) -> str:
    return request.header("content-type").partition(";")[0].strip()
