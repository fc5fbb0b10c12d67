"""What a webhook answers: read as Go reads it, since anything may stand in it.

Follows k8s.io/apiserver/pkg/admission/plugin/webhook/request (admissionreview.go), for admission.k8s.io/v1.
"""

from collections.abc import Mapping
from typing import Any, Final

from fake_dra_driver.cluster.apiserver.errors import StatusError, go_quoted
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.decode import decode_foreign, json_kind
from fake_dra_driver.cluster.apiserver.types.jsonbody import read_json
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry

__all__ = ["REVIEW", "AnswerError", "read_answer"]

REVIEW: Final = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}

_GROUP = "io.k8s.api.admission.v1."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_NUMBER: Final = {"type": "integer", "format": "int32"}
_GO_HEAD = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
"""The type as which the head of an object is read."""


def _struct(**fields: Any) -> Mapping[str, Any]:
    return {"type": "object", "properties": fields}


def _named(name: str) -> Mapping[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_TYPES = TypeRegistry(
    {
        f"{_GROUP}AdmissionReview": _struct(
            kind=_TEXT, apiVersion=_TEXT, response=_named(f"{_GROUP}AdmissionResponse")
        ),
        f"{_GROUP}AdmissionResponse": _struct(
            uid=_named("io.k8s.apimachinery.pkg.types.UID"),
            allowed={"type": "boolean"},
            status=_named(f"{_META}Status"),
            patch={"type": "string", "format": "byte"},
            patchType={**_named(f"{_GROUP}PatchType"), "x-go-pointer": True},
            auditAnnotations={"type": "object", "additionalProperties": _TEXT},
            warnings=_TEXTS,
        ),
        f"{_META}Status": _struct(
            kind=_TEXT,
            apiVersion=_TEXT,
            metadata=_named(f"{_META}ListMeta"),
            status=_TEXT,
            message=_TEXT,
            reason=_named(f"{_META}StatusReason"),
            details=_named(f"{_META}StatusDetails"),
            code=_NUMBER,
        ),
        f"{_META}StatusDetails": _struct(
            name=_TEXT,
            group=_TEXT,
            kind=_TEXT,
            uid=_named("io.k8s.apimachinery.pkg.types.UID"),
            causes={"type": "array", "items": _named(f"{_META}StatusCause")},
            retryAfterSeconds=_NUMBER,
        ),
        f"{_META}StatusCause": _struct(reason=_TEXT, message=_TEXT, field=_TEXT),
        f"{_META}ListMeta": _struct(resourceVersion=_TEXT),
        f"{_META}StatusReason": _TEXT,
        f"{_GROUP}PatchType": _TEXT,
        "io.k8s.apimachinery.pkg.types.UID": _TEXT,
    }
)
"""The messages, which are in no OpenAPI document, by their names."""
_REVIEW_TYPE = _TYPES.named(f"{_GROUP}AdmissionReview")


class AnswerError(Exception):
    """It is no answer."""


def read_answer(uid: str, raw: bytes) -> Object:
    """The response in an answer.

    Args:
        uid: of the request.
        raw: the body.

    Raises:
        AnswerError: it is none, or not to that request; the message is that of Go.
    """
    review = _decoded(raw)
    response = review.get("response")
    if response is None:
        raise _invalid("webhook response was absent")
    if response.get("uid", "") != uid:
        raise _invalid(f"expected response.uid={go_quoted(uid)}, got {go_quoted(response.get('uid', ''))}")
    given = {name: review.get(name, "") for name in REVIEW}
    if given != REVIEW:
        shown = f"{given['apiVersion']}, Kind={given['kind']}"
        raise _invalid(f"expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {shown}")
    for field in ("patch", "patchType"):
        if field in response:
            raise _invalid(f"validating webhook may not return response.{field}")
    return dict(response)


def _invalid(problem: str) -> AnswerError:
    return AnswerError(f"received invalid webhook response: {problem}")


def _decoded(raw: bytes) -> Object:
    """Raises AnswerError."""
    failed = "failed to call webhook: "
    if not raw:
        raise AnswerError(f"{failed}0-length response with status code: 200 and content type: application/json")
    try:
        review = _object(raw)
    except (ValueError, StatusError) as error:
        raise AnswerError(f"{failed}couldn't get version/kind; json parse error: {error}") from error
    try:
        return decode_foreign(review, _REVIEW_TYPE, "AdmissionReview")
    except ValueError as error:
        raise AnswerError(f"{failed}{error}") from error


def _object(raw: bytes) -> Object:
    """An object with a head. Raises ValueError, StatusError: it has too many values."""
    review, _ = read_json(raw)
    if review is None:
        return {}
    if not isinstance(review, dict):
        raise ValueError(f"json: cannot unmarshal {json_kind(review)} into Go value of type {_GO_HEAD}")
    for field in REVIEW:
        if not isinstance(review.get(field, ""), str | None):
            kind = json_kind(review[field])
            raise ValueError(f"json: cannot unmarshal {kind} into Go struct field .{field} of type string")
    return review
