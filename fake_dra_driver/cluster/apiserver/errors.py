"""What the API server answers when it refuses: metav1.Status, with the reasons and the words of a real one.

Follows k8s.io/apimachinery/pkg/api/errors and pkg/util/validation/field. One exception carries the whole Status, as one
function of apimachinery makes it; ``Problem`` is one entry of ``details.causes``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Problem",
    "StatusError",
    "already_exists",
    "bad_request",
    "cannot_validate",
    "conflict",
    "duplicate",
    "exceeds_bytes",
    "expired",
    "forbidden",
    "go_quoted",
    "go_value",
    "internal_error",
    "invalid",
    "invalid_value",
    "longer_than",
    "method_not_allowed",
    "not_acceptable",
    "not_admitted",
    "not_found",
    "not_found_value",
    "not_served",
    "required",
    "timed_out",
    "too_large",
    "too_long",
    "too_many",
    "too_many_requests",
    "unauthorized",
    "unrecognized",
    "unsupported_media_type",
    "unsupported_value",
]


_GO_ESCAPES = {'"': '"', "\\": "\\", "\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
_SHOWN_BYTES = 30
"""Of a body that cannot be read."""
_MOST_PROBLEMS = 1000
"""A real server names all of them, however many: the answer may be longer than the object."""


class StatusError(Exception):
    """The request is answered with this Status; nothing has changed."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.list_metadata: Mapping[str, Any] = {}
        """``metadata`` of the Status: with an expired continue token, a new one."""

    def to_object(self) -> dict[str, Any]:
        """The Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.list_metadata),
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = dict(self.details)
        return {**status, "code": self.code}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an object (field.Error)."""

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def go_quoted(text: str) -> str:
    """A text as Go prints it in quotes (``%q``)."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_go_character(sign) for sign in text) + '"'


def _go_character(sign: str) -> str:
    if sign in _GO_ESCAPES:
        return "\\" + _GO_ESCAPES[sign]
    if sign.isprintable():
        return sign
    code = ord(sign)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def go_value(value: Any) -> str:
    """A value as field.Error prints it: strings in quotes, numbers as they are, anything else as JSON."""
    if isinstance(value, str):
        return go_quoted(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def required(field: str, detail: str = "") -> Problem:
    """A field is missing."""
    return Problem("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))


def invalid_value(field: str, value: str, detail: str) -> Problem:
    """A value breaks a rule; ``value`` is the text of it, see ``go_value``."""
    return Problem("FieldValueInvalid", field, f"Invalid value: {value}: {detail}")


def unsupported_value(field: str, value: Any, supported: Sequence[Any]) -> Problem:
    """A value is not one of those that the API allows."""
    text = value if isinstance(value, str) and value.startswith("[]string") else go_value(value)
    choices = ", ".join(go_value(each) if not isinstance(each, str) else f'"{each}"' for each in supported)
    return Problem("FieldValueNotSupported", field, f"Unsupported value: {text}: supported values: {choices}")


def forbidden(field: str, detail: str) -> Problem:
    """A field or a change is not allowed here."""
    return Problem("FieldValueForbidden", field, f"Forbidden: {detail}")


def cannot_validate(field: str, detail: str) -> Problem:
    """A value for which the rules themselves failed (field.InternalError)."""
    return Problem("InternalError", field, f"Internal error: {detail}")


def not_found_value(field: str, value: str, detail: str = "") -> Problem:
    """A value, given as text, names something that does not exist."""
    return Problem("FieldValueNotFound", field, f"Not found: {value}" + (f": {detail}" if detail else ""))


def duplicate(field: str, value: str) -> Problem:
    """A value, given as text, appears a second time."""
    return Problem("FieldValueDuplicate", field, f"Duplicate value: {value}")


def too_long(field: str, limit: int) -> Problem:
    """A text is longer than ``limit`` bytes."""
    return Problem("FieldValueTooLong", field, f"Too long: must have at most {limit} bytes")


def exceeds_bytes(field: str, limit: int) -> Problem:
    """A text is longer than ``limit`` bytes, in the words of 1.32 and later."""
    return Problem("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> Problem:
    """A list has ``count`` items, more than ``limit``."""
    items = "item" if limit == 1 else "items"
    return Problem("FieldValueTooMany", field, f"Too many: {count}: must have at most {limit} {items}")


def longer_than(field: str, limit: int) -> Problem:
    """A list or a text has more than ``limit`` items or bytes (TooLongMaxLength)."""
    return Problem("FieldValueTooLong", field, f"Too long: may not be longer than {limit}")


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _about(group: str, kind: str, name: str) -> dict[str, Any]:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def bad_request(message: str) -> StatusError:
    """400: the request makes no sense, whatever the state of the server."""
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    """401: there is no token, or it is not valid."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def not_admitted(group: str, resource: str, name: str, message: str) -> StatusError:
    """403: admission forbids the object or its deletion."""
    text = f'{_qualified(resource, group)} "{name}" is forbidden: {message}'
    return StatusError(403, "Forbidden", text, _about(group, resource, name))


def not_found(group: str, resource: str, name: str) -> StatusError:
    """404: there is no such object."""
    return StatusError(
        404, "NotFound", f"{_qualified(resource, group)} {go_quoted(name)} not found", _about(group, resource, name)
    )


def not_served() -> StatusError:
    """404: a group and version that exist have no such resource."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> StatusError:
    """405: the resource exists and has no such verb."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(types: Sequence[str]) -> StatusError:
    """406: the client wants the answer in a form that is not supported here."""
    message = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(types)
    return StatusError(406, "NotAcceptable", message, {})


def unrecognized(kind: str, problem: str, raw: bytes) -> StatusError:
    """400: the body is no object at all; with the first bytes of it."""
    shown = raw[:_SHOWN_BYTES]
    text = shown.decode(errors="replace") if raw.startswith(b"{") else shown.hex()
    text += " ..." if len(raw) > _SHOWN_BYTES else ""
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {problem} ({text or '<empty>'})")


def conflict(group: str, resource: str, name: str, message: str) -> StatusError:
    """409: the object is not what the client expects."""
    text = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {message}'
    return StatusError(409, "Conflict", text, _about(group, resource, name))


def already_exists(group: str, resource: str, name: str) -> StatusError:
    """409: the name is taken."""
    return StatusError(
        409, "AlreadyExists", f'{_qualified(resource, group)} "{name}" already exists', _about(group, resource, name)
    )


def expired(message: str) -> StatusError:
    """410: the history that was asked for is compacted away."""
    return StatusError(410, "Expired", message)


def too_large(limit: int | str) -> StatusError:
    """413: the body is longer than ``limit``: bytes, unless it says something else."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def unsupported_media_type(types: Sequence[str]) -> StatusError:
    """415: the body is in a form that is not supported here."""
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(types)
    return StatusError(415, "UnsupportedMediaType", message)


def too_many_requests() -> StatusError:
    """429: so much is being done already that the client is to come back in a second."""
    message = "too many requests, please try again later"
    return StatusError(429, "TooManyRequests", message, {"retryAfterSeconds": 1})


def invalid(group: str, kind: str, name: str, problems: Sequence[Problem]) -> StatusError:
    """422: what the object says is not allowed. Each problem is a cause; the message names each text once."""
    problems = problems[:_MOST_PROBLEMS]
    texts = list(dict.fromkeys(str(problem) for problem in problems))
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": each.reason, "message": each.message, "field": each.field} for each in problems]
    return StatusError(
        422,
        "Invalid",
        f"{_qualified(kind, group)} {go_quoted(name)} is invalid: {joined}",
        {**_about(group, kind, name), "causes": causes},
    )


def timed_out() -> StatusError:
    """504: the request takes longer than any request may (NewTimeoutError, of the server's own limit)."""
    message = "Timeout: request did not complete within requested timeout - context deadline exceeded"
    return StatusError(504, "Timeout", message, {})


def internal_error(message: str) -> StatusError:
    """500 without a reason, like errors that no code of apimachinery has classified."""
    return StatusError(500, "", message)
