"""ValidatingAdmissionPolicies: what they find wrong with a request.

Follows k8s.io/apiserver/pkg/admission/plugin/policy/validating. Audit annotations are evaluated by nothing: there is no
audit log. Parameters are read when they are needed, not watched.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fake_dra_driver.cel import BOOL, STRING, CelCompileError, CelError, Program
from fake_dra_driver.cluster.apiserver.admission.attributes import Attributes
from fake_dra_driver.cluster.apiserver.admission.matching import Matcher
from fake_dra_driver.cluster.apiserver.errors import StatusError, not_admitted
from fake_dra_driver.cluster.apiserver.rules.policyexpressions import Expressions, Inputs, Scope
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Record, Store
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.types.selectors import match_label_selector

__all__ = ["Condition", "Policies", "compile_conditions", "conditions_hold"]

_GROUP = "admissionregistration.k8s.io"
_CODES = {"Forbidden": 403, "RequestEntityTooLarge": 413}
_INVALID = 422
_MAX_MESSAGE_BYTES = 5 * 1024
"""A message that is longer is not used (MaxEvaluatedMessageExpressionSizeBytes)."""


class Condition(NamedTuple):
    """One of ``matchConditions``."""

    source: str
    program: Program


class _Check(NamedTuple):
    """One of ``validations``."""

    validation: Object
    program: Program
    message: Program | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A policy whose expressions are compiled."""

    expressions: Expressions
    conditions: Sequence[Condition]
    checks: Sequence[_Check]
    problem: str = ""
    """Why it cannot be used; empty: it can."""


class _Finding(NamedTuple):
    """What is said of a request."""

    message: str
    reason: str = ""


class Policies:
    """All policies with their bindings, as they are in the store.

    Args:
        store: where they are, and their parameters.
        matcher: finds those that are about a request.
    """

    def __init__(self, store: Store, matcher: Matcher) -> None:
        self._store = store
        self._matcher = matcher
        self._policies = store.collection((_GROUP, "validatingadmissionpolicies"))
        self._bindings = store.collection((_GROUP, "validatingadmissionpolicybindings"))
        self._compiled: dict[str, tuple[int, _Compiled]] = {}
        # By the policy's name, with the revision that was compiled.

    def review(self, attributes: Attributes, warn: Callable[[str], None]) -> None:
        """Asks all policies about a request. Raises StatusError when it is denied."""
        if not len(self._bindings) or not len(self._policies):
            return
        denied: StatusError | None = None
        for record in list(self._policies.records()):
            for binding, finding in self._findings(record, attributes):
                where = f"ValidatingAdmissionPolicy '{record.key.name}' with binding '{binding['metadata']['name']}'"
                for action in binding["spec"].get("validationActions") or ():
                    if action == "Warn":
                        warn(f"Validation failed for {where}: {finding.message}")
                    elif action == "Deny" and denied is None:
                        denied = _denial(attributes, f"{where} denied request: {finding.message}", finding.reason)
        if denied is not None:
            raise denied

    def _findings(self, record: Record, attributes: Attributes) -> Iterator[tuple[Object, _Finding]]:
        spec = record.value["spec"]
        version = self._matcher.version_for(spec.get("matchConstraints") or {}, "resourceRules", attributes)
        if version is None:
            return
        for bound in list(self._bindings.records()):
            binding = bound.value
            resources = binding["spec"].get("matchResources") or {}
            if binding["spec"].get("policyName") != record.key.name:
                continue
            if self._matcher.version_for(resources, "resourceRules", attributes) is None:
                continue
            try:
                parameters = self._parameters(spec.get("paramKind"), binding["spec"].get("paramRef"), attributes)
            except _ConfigurationError as error:
                if spec["failurePolicy"] == "Fail":
                    yield binding, _Finding(f"failed to configure binding: {error}")
                continue
            for each in parameters:
                yield from ((binding, found) for found in self._judge(record, attributes, version, each))

    def _judge(self, record: Record, attributes: Attributes, version: Resource, params: Any) -> Iterator[_Finding]:
        """What a policy finds wrong with a request, with one of its parameters."""
        compiled, fails = self._compile(record), record.value["spec"]["failurePolicy"] == "Fail"
        if compiled.problem:
            yield from [_Finding(compiled.problem)] if fails else []
            return
        obj, old = attributes.objects_in(version)
        inputs = Inputs(obj, old, attributes.request_in(version), self._namespace(attributes), params)
        evaluate = compiled.expressions.on(inputs)
        try:
            if not conditions_hold(compiled.conditions, evaluate):
                return
        except CelError as error:
            yield from [_Finding(str(error))] if fails else []
            return
        for check in compiled.checks:
            try:
                if evaluate(check.program) is True:
                    continue
            except CelError as error:
                source = check.validation["expression"]
                yield from [_Finding(f"expression '{source}' resulted in error: {error}")] if fails else []
                continue
            yield _Finding(_message(check, evaluate), check.validation.get("reason") or "Invalid")

    def _namespace(self, attributes: Attributes) -> Object | None:
        if attributes.is_namespace or not attributes.namespace:
            return None
        record = self._store.collection(("", "namespaces")).get(Key("", attributes.namespace))
        return {"kind": "Namespace", "apiVersion": "v1", **record.value} if record is not None else None

    def _compile(self, record: Record) -> _Compiled:
        name = record.key.name
        known = self._compiled.get(name)
        if known is None or known[0] != record.revision:
            known = self._compiled[name] = (record.revision, _compiled(record.value["spec"]))
        return known[1]

    def _parameters(self, kind: Object | None, reference: Object | None, attributes: Attributes) -> Sequence[Any]:
        """The objects that a policy is evaluated with, one after the other. Raises _ConfigurationError."""
        if kind is None or reference is None:
            return [None]
        resource = self._matcher.registry.by_kind(kind["apiVersion"], kind["kind"])
        if resource is None:
            raise _ConfigurationError(f"failed to find resource referenced by paramKind: '{_kind_text(kind)}'")
        namespace = reference.get("namespace") or ""
        if resource.namespaced and not namespace:
            namespace = attributes.namespace
            if not namespace:
                raise _ConfigurationError(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        collection = self._store.collection(resource.storage_key)
        if reference.get("name"):
            found = collection.get(Key(namespace if resource.namespaced else "", reference["name"]))
            records = [found] if found is not None else []
        else:
            selector = reference.get("selector") or {}
            every = collection.records(namespace) if resource.namespaced else collection.records()
            records = [
                each for each in every if match_label_selector(selector, each.value["metadata"].get("labels") or {})
            ]
        if not records and reference.get("parameterNotFoundAction") == "Deny":
            raise _ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction")
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        return [{**head, **resource.from_stored(each.value)} for each in records]


class _ConfigurationError(Exception):
    """A binding cannot be used."""


def compile_conditions(conditions: Sequence[Object], scope: Scope) -> Sequence[Condition]:
    """Compiles ``matchConditions``. Raises CelCompileError."""
    return [Condition(each["expression"], scope.compile(each["expression"], BOOL)) for each in conditions]


def conditions_hold(conditions: Sequence[Condition], evaluate: Callable[[Program], Any]) -> bool:
    """Whether all conditions are true: one that is false decides, whatever is wrong with others.

    Raises:
        CelError: of some of them that is not known.
    """
    errors = []
    for each in conditions:
        try:
            if evaluate(each.program) is False:
                return False
        except CelError as error:
            errors.append(f"expression '{each.source}' resulted in error: {error}")
    if errors:
        raise CelError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")
    return True


def _compiled(spec: Object) -> _Compiled:
    scope = Scope(has_params=spec.get("paramKind") is not None)
    try:
        conditions = compile_conditions(spec.get("matchConditions") or (), scope)
        for each in spec.get("variables") or ():
            scope.declare(each["name"], each["expression"])
        checks = [
            _Check(
                each,
                scope.compile(each["expression"], BOOL),
                scope.compile(each["messageExpression"], STRING) if each.get("messageExpression") else None,
            )
            for each in spec.get("validations") or ()
        ]
    except CelCompileError as error:
        return _Compiled(scope.expressions(), (), (), error.reason)
    return _Compiled(scope.expressions(), conditions, checks)


def _message(check: _Check, evaluate: Callable[[Program], Any]) -> str:
    """What is said when a check fails: what its expression makes, else its text, else the expression."""
    made = ""
    if check.message is not None:
        try:
            result = evaluate(check.message)
        except CelError:
            result = ""  # as on a real server, which writes it to its log
        made = result.strip() if isinstance(result, str) else ""
    if "\n" in made or len(made.encode()) > _MAX_MESSAGE_BYTES:
        made = ""
    text = str(check.validation.get("message") or "").strip()
    return made or text or f"failed expression: {check.validation['expression'].strip()}"


def _denial(attributes: Attributes, message: str, reason: str) -> StatusError:
    resource = attributes.resource
    error = not_admitted(resource.group, resource.plural, attributes.key.name, message)
    details = {**(error.details or {}), "causes": [{"message": message}]}
    return StatusError(_CODES.get(reason, _INVALID), reason or "Invalid", error.message, details)


def _kind_text(kind: Mapping[str, str]) -> str:
    group, _, version = kind["apiVersion"].rpartition("/")
    return f"{group}/{version}, Kind={kind['kind']}"
