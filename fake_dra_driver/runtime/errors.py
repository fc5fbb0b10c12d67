"""What can go wrong between a reconciler and the API server: one class for each failure, each carrying its data.

::

    RuntimeLayerError
     ├─ CredentialsError                no usable kubeconfig, service account, token or certificate
     ├─ ApiError                        the API server answered with an error; carries its metav1.Status
     │   ├─ BadRequestError             400
     │   ├─ UnauthorizedError           401
     │   ├─ ForbiddenError              403
     │   ├─ NotFoundError               404  no such object, or the kind is not served (``is_kind_missing``)
     │   ├─ MethodNotAllowedError       405
     │   ├─ AlreadyExistsError          409  reason AlreadyExists
     │   ├─ ConflictError               409  every other reason: the object is not as the caller last saw it
     │   │   └─ PatchTestFailedError    422 to a JSON patch: one of its operations did not hold
     │   ├─ GoneError                   410  the resourceVersion or the continue token is too old
     │   ├─ RequestTooLargeError        413
     │   ├─ UnsupportedMediaTypeError   415
     │   ├─ InvalidError                422  validation refused the object
     │   ├─ TooManyRequestsError        429  and waiting as asked did not fit into the deadline
     │   └─ ServerError                 5xx
     ├─ DeadlineError                   the call took longer than its deadline; a write may or may not have happened
     ├─ TransportError                  connection refused, reset or unreadable; the same holds for a write
     │   └─ UnusableAnswerError         JSON, and yet nothing that an API server says
     │       └─ TooLargeAnswerError     more than an answer may hold
     ├─ InvalidObjectError              an object in the cluster that the model refuses
     ├─ RetryError                      raised by reconcilers: what it was decided on is outdated, look again soon
     └─ TerminalError                   raised by reconcilers: not to be retried before the object changes

Follows k8s.io/apimachinery/pkg/api/errors. Exceptions of aiohttp and pydantic never leave the runtime layer; those of
kr8s leave it only from its own objects, and the controller takes them for what they say (``as_runtime_error``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, ClassVar

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.runtime.decoding import parse
from fake_dra_driver.untrustedtext import MAX_NAME, one_line

__all__ = [
    "AlreadyExistsError",
    "ApiError",
    "BadRequestError",
    "ConflictError",
    "CredentialsError",
    "DeadlineError",
    "ForbiddenError",
    "GoneError",
    "InvalidError",
    "InvalidObjectError",
    "MethodNotAllowedError",
    "NotFoundError",
    "PatchTestFailedError",
    "RequestTooLargeError",
    "RetryError",
    "RuntimeLayerError",
    "ServerError",
    "Status",
    "TerminalError",
    "TooLargeAnswerError",
    "TooManyRequestsError",
    "TransportError",
    "UnauthorizedError",
    "UnsupportedMediaTypeError",
    "UnusableAnswerError",
    "api_error",
    "as_runtime_error",
]

_MAX_TEXT = 500
"""Longest piece of a foreign text (an HTML page of a proxy, say) that goes into a message."""
_MIN_RETRY_AFTER_SECONDS = 1.0
"""Retry-After has whole seconds; a server that asks for a billionth of one would be asked again without a pause."""


@dataclass(frozen=True, slots=True)
class Status:
    """metav1.Status as far as callers need it, also for answers that are none (a proxy's error page, say)."""

    code: int
    reason: str = ""
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """``details`` as sent: name, group, kind (which is the plural), uid, causes, retryAfterSeconds."""
    retry_after_seconds: float | None = None
    """From the Retry-After header, else from ``details.retryAfterSeconds``."""

    @classmethod
    def from_wire(cls, code: int, raw: Any, retry_after: str | None = None) -> "Status":
        """Reads a decoded Status; ``code`` and the header win where the object says nothing or something else."""
        raw = raw if isinstance(raw, dict) else {}
        reason, message, details = (raw.get(name) for name in ("reason", "message", "details"))
        details = dict(details) if isinstance(details, dict) else {}
        if not isinstance(details.get("causes", []), list):
            del details["causes"]
        return cls(
            code=code,
            reason=reason if isinstance(reason, str) else "",
            message=message if isinstance(message, str) else "",
            details=details,
            retry_after_seconds=_seconds(retry_after) or _seconds(details.get("retryAfterSeconds")),
        )

    @classmethod
    def of_failure(cls, raw: Mapping[str, Any]) -> "Status":
        """Reads a decoded Status that came without an HTTP status of its own: in a watch, or with 200."""
        code = raw.get("code")
        return cls.from_wire(code if isinstance(code, int) and 400 <= code < 600 else 500, raw)

    @classmethod
    def from_body(cls, code: int, body: bytes, retry_after: str | None = None) -> "Status":
        """Reads the body of an error response; a body that is not JSON becomes the message."""
        try:
            raw = parse(body)
        except ValueError:
            raw = {"message": body[:_MAX_TEXT].decode(errors="replace").strip()}
        return cls.from_wire(code, raw, retry_after)


def _seconds(value: Any) -> float | None:
    """A positive number of seconds; the date form of Retry-After is not used by API servers and counts as absent."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(seconds, _MIN_RETRY_AFTER_SECONDS) if 0 < seconds < float("inf") else None


class RuntimeLayerError(Exception):
    """Base of everything this layer raises on purpose."""


class CredentialsError(RuntimeLayerError):
    """There are no credentials for an API server, or they cannot be read."""


class TerminalError(RuntimeLayerError):
    """Raised by a reconciler: trying again is pointless before the object changes."""


class RetryError(RuntimeLayerError):
    """Raised by a reconciler: what it decided on is outdated. Retried soon and quietly, as after a ConflictError."""


class _CallError(RuntimeLayerError):
    """A call that failed: what was tried, on which kind and object. An empty name stands for the collection."""

    def __init__(self, verb: str, kind: ResourceKind, key: NamespacedName, found: str) -> None:
        target = f"{kind} {key}" if key.name else f"{kind} in namespace {key.namespace}" if key.namespace else str(kind)
        super().__init__(f"{verb} {target}: {found}")
        self.verb = verb
        self.kind = kind
        self.key = key


class DeadlineError(_CallError):
    """No answer within the deadline. A write may have happened: read before writing again."""

    def __init__(
        self, verb: str, kind: ResourceKind, key: NamespacedName, timeout_seconds: float, *, server: str = ""
    ) -> None:
        source = f" from {server}" if server else ""
        super().__init__(verb, kind, key, f"no answer{source} within {timeout_seconds:g} s")
        self.timeout_seconds = timeout_seconds


class TransportError(_CallError):
    """The connection could not be made, broke, or carried something unreadable. A write may have happened."""


class UnusableAnswerError(TransportError):
    """An answer that can be read, and that no API server gives: another object, none at all, a list without end."""


class TooLargeAnswerError(UnusableAnswerError):
    """An answer that was not read to its end: it holds more than ``listwatch`` and ``rest`` allow."""


class ApiError(_CallError):
    """The API server refused the call; the subclass tells why, ``status`` carries all that it said."""

    advice: ClassVar[str] = ""
    """What to do about it, for errors that a person has to act on."""

    def __init__(self, status: Status, verb: str, kind: ResourceKind, key: NamespacedName) -> None:
        text = f"{status.code} {one_line(status.reason, MAX_NAME)}".rstrip()
        said = f": {one_line(status.message, _MAX_TEXT)}" if status.message else ""
        super().__init__(verb, kind, key, f"{text}{said}{f' ({self.advice})' if self.advice else ''}")
        self.status = status

    @property
    def code(self) -> int:
        """HTTP status code."""
        return self.status.code

    @property
    def reason(self) -> str:
        """``Status.reason``, such as ``NotFound``; empty when the answer held none."""
        return self.status.reason

    @property
    def message(self) -> str:
        """``Status.message`` as the server wrote it."""
        return self.status.message

    @property
    def details(self) -> Mapping[str, Any]:
        """``Status.details``."""
        return self.status.details

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the server asked to wait."""
        return self.status.retry_after_seconds


class BadRequestError(ApiError):
    """400: the request itself is wrong."""


class UnauthorizedError(ApiError):
    """401, also after the credentials were read again."""

    advice = "the token or certificate is not accepted; check the kubeconfig or the service account"


class ForbiddenError(ApiError):
    """403."""

    advice = "check the RBAC rules of this service account"


class NotFoundError(ApiError):
    """404."""

    @property
    def is_kind_missing(self) -> bool:
        """Whether the kind itself is not served (its CRD is missing), as opposed to one object of it."""
        return not self.status.details.get("name")


class MethodNotAllowedError(ApiError):
    """405."""


class AlreadyExistsError(ApiError):
    """409 to a create: there is an object of that name."""


class ConflictError(ApiError):
    """409: the object is not as the caller last saw it, or a precondition or another field manager is in the way."""


class PatchTestFailedError(ConflictError):
    """422 to a JSON patch, without causes: a ``test`` did not hold, or a path to replace or remove is not there.

    API servers answer both alike and name neither. Both say that the object is not as the patch expected it.
    """


class GoneError(ApiError):
    """410, or an ERROR event of that code: the version to go on from is compacted away. List again."""


class RequestTooLargeError(ApiError):
    """413, also what etcd's limit of 1.5 MB becomes."""


class UnsupportedMediaTypeError(ApiError):
    """415: this kind of patch is not for this kind of object (strategic merge on a custom resource, say)."""


class InvalidError(ApiError):
    """422: validation refused the object; ``details["causes"]`` names the fields."""


class TooManyRequestsError(ApiError):
    """429."""


class ServerError(ApiError):
    """5xx, or a code that is no error of any known kind."""


_BY_CODE: Mapping[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    409: ConflictError,
    410: GoneError,
    413: RequestTooLargeError,
    415: UnsupportedMediaTypeError,
    422: InvalidError,
    429: TooManyRequestsError,
}


def api_error(
    status: Status, verb: str, kind: ResourceKind, key: NamespacedName, *, is_json_patch: bool = False
) -> ApiError:
    """The error class for a Status; codes without a class of their own become ApiError (4xx) or ServerError."""
    error = _BY_CODE.get(status.code, ApiError if 400 <= status.code < 500 else ServerError)
    if status.code == 409 and status.reason == "AlreadyExists":
        error = AlreadyExistsError
    elif status.code == 422 and is_json_patch and not status.details.get("causes"):
        error = PatchTestFailedError
    return error(status, verb, kind, key)


@singledispatch
def as_runtime_error(error: BaseException) -> BaseException:
    """What an exception of another library says in terms of this module; an exception that says nothing, as it is.

    A module that lets the exceptions of a library through to reconcilers registers here what they mean.
    """
    return error


class InvalidObjectError(RuntimeLayerError):
    """An object is there, and the model refuses it: older or newer than this program, or written past the schema."""

    def __init__(
        self, kind: ResourceKind, key: NamespacedName, metadata: Mapping[str, Any], problems: Sequence[str]
    ) -> None:
        super().__init__(f"{kind} {one_line(str(key), 2 * MAX_NAME)} cannot be used as it is: {'; '.join(problems)}")
        self.kind = kind
        self.key = key
        self.metadata = metadata
        """``metadata`` as sent, so that an event can be recorded on the object."""
        self.problems = tuple(problems)
        """Each: path of the field, and what is wrong there."""
