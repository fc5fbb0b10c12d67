"""What the admission webhook says about claims and templates of claims. Pure: an AdmissionReview in, another one out.

Follows k8s.io/api/admission/v1. Refused is what the plugin of a node would refuse later: configuration for the driver
that cannot be read or used. Everything else is allowed: what is for other drivers, what this release does not know, and
objects that change in other ways. A claim that was let in before the webhook was there must be able to lose its
finalizer.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from pydantic import ValidationError

from fake_dra_driver.api.fieldproblem import FieldProblem, problems_of
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.configcheck import ConfigCheck
from fake_dra_driver.untrustedtext import one_line

__all__ = ["ClaimReviewer", "Outcome", "ReviewError", "Verdict"]

Outcome = Literal["allowed", "refused", "ignored", "invalid"]
"""``ignored``: nothing that is checked. ``invalid``: no review that can be read."""

_API_VERSION: Final = "admission.k8s.io/v1"
_KIND: Final = "AdmissionReview"
_CHECKED: Final = ("CREATE", "UPDATE")
_MAX_PROBLEMS: Final = 32
"""How many problems an answer names: more than that were not written by hand."""
_MAX_WARNING: Final = 200
"""API servers cut warnings off at 256 characters."""


class ReviewError(ValueError):
    """What was posted is no AdmissionReview; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found."""

    outcome: Outcome
    answer: Mapping[str, Any]
    """The AdmissionReview to answer with."""
    about: str
    """Kind, namespace and name of the object."""
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Checked:
    """A kind that is checked, in one version."""

    kind: type[KubeObject]
    problems: Callable[[Any], Sequence[FieldProblem]]


class ClaimReviewer:
    """Reviews claims and their templates in every version in which a cluster may serve them.

    Args:
        check: finds what is wrong with the driver's configuration in them.
    """

    def __init__(self, check: ConfigCheck) -> None:
        self._driver = check.driver
        self._kinds: Mapping[tuple[str, str, str], _Checked] = {
            (checked.kind.resource.group, checked.kind.resource.version, checked.kind.resource.plural): checked
            for api in RESOURCE_APIS.values()
            for checked in (
                _Checked(api.claims, lambda claim: check.spec_problems(claim.spec)),
                _Checked(api.templates, check.template_problems),
            )
        }
        """By group, version and plural."""

    def review(self, body: bytes) -> Verdict:
        """Reviews one request.

        Raises:
            ReviewError: the body holds none.
        """
        try:
            return self._review(_request(body))
        except RecursionError as error:
            raise ReviewError("the body is nested too deeply") from error

    def _review(self, request: Mapping[str, Any]) -> Verdict:
        resource = request["resource"]
        name = (str(resource.get("group")), str(resource.get("version")), str(resource.get("resource")))
        checked = self._kinds.get(name)
        if checked is None or request["operation"] not in _CHECKED or request.get("subResource"):
            return Verdict("ignored", _answer(request, allowed=True), "")
        obj, old = request.get("object"), request.get("oldObject")
        if not isinstance(obj, Mapping):
            raise ReviewError("the request has no object")
        about = _about(checked.kind, request)
        if isinstance(old, Mapping) and old.get("spec") == obj.get("spec"):
            return Verdict("allowed", _answer(request, allowed=True), about)
        try:
            found = checked.kind.from_wire(obj)
        except ValidationError as error:  # the API server knows more of this kind than this release does
            unread = "; ".join(map(str, problems_of(error, checked.kind)))
            warning = one_line(f"not checked by driver {self._driver}: {unread}", _MAX_WARNING)
            return Verdict("ignored", _answer(request, allowed=True, warnings=[warning]), about)
        problems = checked.problems(found)
        if not problems:
            return Verdict("allowed", _answer(request, allowed=True), about)
        named = tuple(problems[:_MAX_PROBLEMS])
        status = _status(checked.kind, request, named, len(problems) - len(named))
        return Verdict("refused", _answer(request, allowed=False, status=status), about, named)


def _request(body: bytes) -> Mapping[str, Any]:
    try:
        posted = json.loads(body, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ReviewError(f"the body is not JSON: {error}") from error
    if not isinstance(posted, Mapping) or (posted.get("apiVersion"), posted.get("kind")) != (_API_VERSION, _KIND):
        raise ReviewError(f"the body is no {_KIND} of {_API_VERSION}")
    request = posted.get("request")
    if not isinstance(request, Mapping):
        raise ReviewError(f"the {_KIND} has no request")
    for field in ("uid", "operation"):
        if not isinstance(request.get(field), str) or not request[field]:
            raise ReviewError(f"the request has no {field}")
    if not isinstance(request.get("resource"), Mapping):
        raise ReviewError("the request does not say which resource it is about")
    return request


def _answer(request: Mapping[str, Any], **response: object) -> Mapping[str, Any]:
    return {"apiVersion": _API_VERSION, "kind": _KIND, "response": {"uid": request["uid"], **response}}


def _status(
    kind: type[KubeObject], request: Mapping[str, Any], problems: Sequence[FieldProblem], more: int
) -> Mapping[str, Any]:
    """metav1.Status, as the API server's own validation answers."""
    # kubectl prints it as it is.
    sentences = one_line("; ".join(map(str, problems)))
    return {
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": f"{sentences}; and {more} more" if more else sentences,
        "details": {
            "group": kind.resource.group,
            "kind": kind.resource.kind,
            "name": _name(request),
            "causes": [
                {"reason": "FieldValueInvalid", "message": one_line(problem.message), "field": one_line(problem.path)}
                for problem in problems
            ],
        },
    }


def _about(kind: type[KubeObject], request: Mapping[str, Any]) -> str:
    return f"{kind.resource.kind} {request.get('namespace') or ''}/{_name(request)}"


def _name(request: Mapping[str, Any]) -> str:
    """Empty for an object that gets its name from the API server, after it was admitted."""
    return str(request.get("name") or "")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"there is no {name} in JSON")
