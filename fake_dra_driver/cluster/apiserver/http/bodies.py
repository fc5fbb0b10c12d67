"""Bodies of requests: JSON, YAML, the little protobuf that kubectl insists on, and patches.

Follows k8s.io/apimachinery/pkg/runtime/serializer and k8s.io/apiserver/pkg/endpoints/handlers (create.go, patch.go),
with the words of Go's decoders for what cannot be read.
"""

import json
import re
from typing import Any, NamedTuple, NoReturn

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, unsupported_media_type
from fake_dra_driver.cluster.apiserver.heavywork import HEAVY
from fake_dra_driver.cluster.apiserver.http.protobuf import decode_protobuf
from fake_dra_driver.cluster.apiserver.http.yamlbody import YamlError, read_yaml
from fake_dra_driver.cluster.apiserver.merge.patchformats import APPLY_PATCH, JSON_PATCH, PATCH_TYPES
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["Body", "body_of", "body_weight", "optional_body_of", "patch_of"]

_JSON_TYPES = ("application/json", "", "*/*", "application/octet-stream")
_YAML, _PROTOBUF = "application/yaml", "application/vnd.kubernetes.protobuf"
_SPOKEN = ("application/json", _YAML, _PROTOBUF)
_SHOWN_BYTES = 30
_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_GO_KINDS: dict[type, str] = {list: "array", str: "string", int: "number", float: "number", bool: "bool"}
_PLACES = {
    "Expecting property name": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Extra data": "after top-level value",
    "Invalid \\": "in string escape code",
    "Invalid control character": "in string literal",
}
"""Go's message by that of Python's decoder."""


_OBJECT_WEIGHT = 50
"""An object takes at least as long as so many bytes of text: it may be a container that has to be completed."""
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
    if media in (_YAML, APPLY_PATCH) and not raw.startswith(b"{"):
        # One alias may stand for a hundred nodes.
        return HEAVY if b"*" in raw and b"&" in raw else _YAML_WEIGHT * weight
    # A copy may double the object, and the word may be written with escapes.
    return HEAVY if media == JSON_PATCH and (b"copy" in raw or b"\\" in raw) else weight


def body_of(request: Request, kind: str) -> Body:
    """The object in a request, which is to be of that kind. Raises StatusError (400, 415)."""
    media, raw = _media(request), request.body
    duplicates: list[str] = []
    decoded: Any
    if media == _PROTOBUF:
        decoded = decode_protobuf(raw, kind)
    elif media == _YAML:
        try:
            decoded, duplicates = read_yaml(raw)
        except YamlError as error:
            raise _unrecognized(kind, str(error), raw) from error
    elif media in _JSON_TYPES:
        try:
            decoded, duplicates = _read_json(raw)
        except ValueError as error:
            problem = f"couldn't get version/kind; json parse error: {_go_problem(error)}"
            raise _unrecognized(kind, problem, raw) from error
    else:
        raise unsupported_media_type(_SPOKEN)
    if decoded is None:
        decoded = {}
    if not isinstance(decoded, dict):
        found = _GO_KINDS[type(decoded)]
        problem = f"json: cannot unmarshal {found} into Go value of type {_TYPE_META}"
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {problem}", raw)
    return Body(decoded, duplicates)


def optional_body_of(request: Request, kind: str) -> Object:
    """The object in a request that need not have a body; empty when there is none. Raises StatusError (400, 415)."""
    return body_of(request, kind).object if request.body else {}


def patch_of(request: Request) -> tuple[str, Any]:
    """Type and content of a patch. Raises StatusError (400, 415)."""
    media = _media(request)
    if media not in PATCH_TYPES:
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    try:
        return media, read_yaml(request.body)[0] if media == APPLY_PATCH else _read_json(request.body)[0]
    except YamlError as error:
        raise bad_request(f"error decoding YAML: {error}") from error
    except ValueError as error:
        raise bad_request(f"error decoding patch: {_go_problem(error)}") from error


def _media(request: Request) -> str:
    return request.header("content-type").partition(";")[0].strip()


def _unrecognized(kind: str, problem: str, raw: bytes) -> StatusError:
    shown = raw[:_SHOWN_BYTES]
    text = shown.decode(errors="replace") if raw.startswith(b"{") else shown.hex()
    text += " ..." if len(raw) > _SHOWN_BYTES else ""
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {problem} ({text or '<empty>'})")


# --- JSON ---


def _read_json(raw: bytes) -> tuple[Any, list[str]]:
    """Raises ValueError."""
    is_twice = False

    def make(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_twice
        made = dict(pairs)
        is_twice = is_twice or len(made) != len(pairs)
        return made

    decoded = json.loads(raw, object_pairs_hook=make, parse_constant=_no_constant)
    return decoded, _duplicates(raw) if is_twice else []


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


class _Pairs(list[tuple[str, Any]]):
    """An object as the pairs that it was written with."""


def _duplicates(raw: bytes) -> list[str]:
    """The fields that are there more than once, each with its path."""
    found: list[str] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, _Pairs):
            seen = set()
            for key, each in value:
                inner = f"{path}.{key}" if path else key
                if key in seen:
                    found.append(f'duplicate field "{inner}"')
                seen.add(key)
                walk(each, inner)
        elif isinstance(value, list):
            for at, each in enumerate(value):
                walk(each, f"{path}[{at}]")

    walk(json.loads(raw, object_pairs_hook=_Pairs), "")
    return found


def _go_problem(error: ValueError) -> str:
    """What Go's decoder says about a body that Python's cannot read."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    text, at = error.doc, error.pos
    if at >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    for start, place in _PLACES.items():
        if error.msg.startswith(start):
            if start == "Expecting ',' delimiter" and _is_in_array(text, at):
                place = "after array element"
            return f"invalid character '{text[at]}' {place}"
    for literal in ("null", "true", "false"):
        if text[at] == literal[0]:
            rest = next((index for index, sign in enumerate(literal) if text[at + index : at + index + 1] != sign), 0)
            if at + rest >= len(text):
                return "unexpected end of JSON input"
            return f"invalid character '{text[at + rest]}' in literal {literal} (expecting '{literal[rest]}')"
    return f"invalid character '{text[at]}' looking for beginning of value"


def _is_in_array(text: str, at: int) -> bool:
    """Whether the innermost bracket that is open at this place is that of an array."""
    open_brackets = []
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text[:at]):
        if sign in "[{":
            open_brackets.append(sign)
        elif sign in "]}" and open_brackets:
            open_brackets.pop()
    return open_brackets[-1:] == ["["]
