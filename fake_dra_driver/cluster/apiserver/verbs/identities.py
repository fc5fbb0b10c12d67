"""Who a client is, and what it may do: tokens of service accounts, and the reviews of identities and access.

Follows k8s.io/kubernetes/pkg/registry/core/serviceaccount/storage/token.go and pkg/registry/{authentication,
authorization}. There is no authorization here: every client may do everything, and reviews say so.
"""

from fake_dra_driver.cluster.apiserver.errors import Problem, bad_request, conflict, go_value, invalid, invalid_value
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Key, Object
from fake_dra_driver.cluster.apiserver.types.resource import Registry, Resource
from fake_dra_driver.cluster.apiserver.types.user import User
from fake_dra_driver.cluster.apiserver.verbs.reading import Reading
from fake_dra_driver.cluster.apiserver.verbs.tokens import API_AUDIENCE, InvalidTokenError, Tokens
from fake_dra_driver.cluster.releases import ApiDetails

__all__ = ["Identities"]

_MIN_TOKEN_SECONDS = 600
_MAX_TOKEN_SECONDS = 1 << 32
_MOUNTED_SECONDS = 3607
"""Asked for by the volumes that admission adds to pods (WarnOnlyBoundTokenExpirationSeconds)."""
_EXTENDED_SECONDS = 365 * 24 * 3600
"""How long such a token is good in truth, for programs that read it once (ExpirationExtensionSeconds)."""
_DEFAULT_TOKEN_SECONDS = 3600
_AUTHENTICATION = "authentication.k8s.io"


class Identities:
    """Token requests and reviews, on one store."""

    def __init__(
        self, registry: Registry, reading: Reading, tokens: Tokens, stamps: Stamps, details: ApiDetails
    ) -> None:
        self._registry = registry
        self._reading = reading
        self._tokens = tokens
        self._stamps = stamps
        self._details = details

    def issue_token(self, resource: Resource, key: Key, request: Object) -> Object:
        """A token for a service account. Raises StatusError."""
        account = self._reading.get(resource, key)
        spec = request.get("spec") or {}
        seconds = spec.get("expirationSeconds") or _DEFAULT_TOKEN_SECONDS
        name = (request.get("metadata") or {}).get("name") or key.name
        problems = _lifetime_problems(seconds)
        if name != key.name:
            detail = "must match the service account name if specified"
            problems.append(invalid_value("metadata.name", go_value(name), detail))
        if problems:
            raise invalid(_AUTHENTICATION, "TokenRequest", key.name if name != key.name else "", problems)
        bound = self._bound_object(key, spec.get("boundObjectRef"))
        audiences = spec.get("audiences") or [API_AUDIENCE]
        expires = self._stamps.now_text(after_seconds=seconds)
        is_mounted = bound is not None and bound["kind"] == "Pod" and seconds == _MOUNTED_SECONDS
        lifetime = _EXTENDED_SECONDS if is_mounted and audiences == [API_AUDIENCE] else seconds
        return {
            "kind": "TokenRequest",
            "apiVersion": f"{_AUTHENTICATION}/v1",
            "metadata": {"name": key.name, "namespace": key.namespace, "creationTimestamp": self._stamps.now_text()},
            "spec": {
                **spec,
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {
                "token": self._tokens.issue(account.value, audiences, lifetime, bound),
                "expirationTimestamp": expires,
            },
        }

    def _bound_object(self, account: Key, reference: Object | None) -> Object | None:
        """What a token is bound to. It must exist, and a pod must run under that account. Raises StatusError."""
        if reference is None:
            return None
        version, kind, name = reference.get("apiVersion", ""), reference.get("kind", ""), reference.get("name", "")
        if (version, kind) == ("v1", "Node"):
            gate = "ServiceAccountTokenNodeBinding"
            raise bad_request(f'cannot bind token to a Node object as the "{gate}" feature-gate is disabled')
        resource = self._registry.by_kind(version, kind)
        if version != "v1" or kind not in ("Pod", "Secret") or resource is None:
            raise bad_request(f"cannot bind token to object of type /{version}, Kind={kind}")
        found = self._reading.get(resource, Key(account.namespace, name)).value
        if kind == "Pod" and found["spec"].get("serviceAccountName", "") != account.name:
            raise bad_request(
                f'cannot bind token for serviceaccount "{account.name}" to pod running with different serviceaccount '
                "name."
            )
        uid = reference.get("uid")
        if uid and uid != found["metadata"]["uid"]:
            detail = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise conflict("", kind, name, detail)
        return {**found, "kind": kind}

    def review(self, resource: Resource, namespace: str, user: User, body: Object) -> Object:
        """The answer of a review. Raises StatusError."""
        spec = body.get("spec") or {}
        _check_review(resource, namespace, spec, self._details)
        answer = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": {"creationTimestamp": None},
            "spec": spec,
        }
        match resource.kind:
            case "SelfSubjectReview":
                del answer["spec"]
                answer["metadata"] = {"creationTimestamp": self._stamps.now_text()}
                answer["status"] = {"userInfo": user.to_object()}
            case "TokenReview":
                answer["status"] = self._review_token(spec)
            case "SelfSubjectRulesReview":
                everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
                answer["status"] = {
                    "resourceRules": [everything],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                    "incomplete": False,
                }
            case _:
                answer["status"] = {"allowed": True}
        return answer

    def _review_token(self, spec: Object) -> Object:
        try:
            login = self._tokens.check(spec["token"], spec.get("audiences") or (API_AUDIENCE,))
        except InvalidTokenError as error:
            unknown = "invalid bearer token"
            return {"user": {}, "error": f"[{unknown}, {error}]" if str(error) else unknown}
        return {"authenticated": True, "user": login.user.to_object(), "audiences": list(login.audiences)}


def _lifetime_problems(seconds: int) -> list[Problem]:
    detail = ""
    if seconds < _MIN_TOKEN_SECONDS:
        detail = "may not specify a duration less than 10 minutes"
    elif seconds > _MAX_TOKEN_SECONDS:
        detail = "may not specify a duration larger than 2^32 seconds"
    return [invalid_value("spec.expirationSeconds", str(seconds), detail)] if detail else []


def _check_review(resource: Resource, namespace: str, spec: Object, details: ApiDetails) -> None:
    """A review must say what it asks about. Raises StatusError."""
    if resource.kind == "TokenReview" and not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    if resource.kind == "SelfSubjectRulesReview" and not spec.get("namespace"):
        raise bad_request("no namespace on request")
    if not resource.kind.endswith("SubjectAccessReview"):
        return
    problems = []
    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    one = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    if asked is not None and path is not None:
        value, detail = _go_attributes(path), "cannot be specified in combination with resourceAttributes"
        problems.append(
            invalid_value("spec", value, one)
            if details.reviews_are_unions
            else invalid_value("spec.nonResourceAttributes", value, detail)
        )
    if asked is None and path is None:
        problems.append(
            invalid_value("spec" if details.reviews_are_unions else "spec.resourceAttributes", '"null"', one)
        )
    if resource.kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        problems.append(invalid_value("spec.user", '""', "at least one of user or group must be specified"))
    if resource.kind == "LocalSubjectAccessReview":
        if asked is not None and asked.get("namespace", "") != namespace:
            value = go_value(asked.get("namespace", ""))
            field = "spec.resourceAttributes.namespace"
            problems.append(invalid_value(field, value, "must match metadata.namespace"))
        if path is not None:
            detail = "disallowed on this kind of request"
            problems.append(invalid_value("spec.nonResourceAttributes", _go_attributes(path), detail))
    if problems:
        raise invalid(resource.group, "", "", problems)


def _go_attributes(path: Object) -> str:
    fields = f"Path:{go_value(path.get('path', ''))}, Verb:{go_value(path.get('verb', ''))}"
    return f"authorization.NonResourceAttributes{{{fields}}}"
