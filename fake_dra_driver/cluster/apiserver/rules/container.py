"""Validation of the containers of pods and of pod templates.

Follows validateContainerCommon and what it calls in k8s.io/kubernetes/pkg/apis/core/validation. Lifecycle hooks,
devices, and security contexts except for the numbers of users and groups, are not checked.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    forbidden,
    go_value,
    invalid_value,
    not_found_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.volume import descending_path
from fake_dra_driver.cluster.apiserver.types.metadata import dns_label, qualified_name
from fake_dra_driver.quantity import number_of

__all__ = [
    "PodScope",
    "nonnegative",
    "port_problems",
    "validate_container",
    "validate_identities",
    "validate_init_only",
]

_ENV_NAME = re.compile("[-._a-zA-Z][-._a-zA-Z0-9]*")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_STANDARD_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_IDENTITIES = ("runAsUser", "runAsGroup", "fsGroup")
_MAX_IDENTITY = 2**31 - 1
_FIELD_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
"""Fields of the pod that a variable can refer to."""
_OTHER_FIELD_PATHS = (
    "metadata.annotations",
    "metadata.labels",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
)
"""Fields that exist, too, but that no variable can refer to."""
_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]")

Container = Mapping[str, Any]


class PodScope:
    """What the containers of a pod may refer to."""

    def __init__(self, volumes: Collection[str], claims: Collection[str]) -> None:
        self.volumes = volumes
        self.claims = claims


def nonnegative(value: Any, path: str) -> list[Problem]:
    """A number must not be below 0."""
    is_wrong = isinstance(value, int) and value < 0
    return [invalid_value(path, go_value(value), "must be greater than or equal to 0")] if is_wrong else []


def validate_container(container: Container, path: str, scope: PodScope) -> list[Problem]:
    """What is wrong with a container by itself."""
    name = container.get("name")
    problems = [invalid_value(f"{path}.name", go_value(name), each) for each in dns_label(name)] if name else []
    if not name:
        problems.append(required(f"{path}.name"))
    if not container.get("image"):
        problems.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy")
    if policy not in _MESSAGE_POLICIES:
        problems.append(unsupported_value(f"{path}.terminationMessagePolicy", policy, _MESSAGE_POLICIES))
    problems += _ports(container.get("ports") or (), f"{path}.ports")
    problems += _env(container.get("env") or (), f"{path}.env")
    problems += _mounts(container.get("volumeMounts") or (), f"{path}.volumeMounts", scope)
    policy = container.get("imagePullPolicy")
    if policy not in _PULL_POLICIES:
        problems.append(unsupported_value(f"{path}.imagePullPolicy", policy, _PULL_POLICIES))
    problems += _resources(container.get("resources") or {}, f"{path}.resources", scope)
    problems += validate_identities(container.get("securityContext") or {}, f"{path}.securityContext")
    for kind in _PROBES:
        if container.get(kind) is not None:
            problems += _probe(container[kind], f"{path}.{kind}")
    return problems


def validate_identities(context: Container, path: str) -> list[Problem]:
    """The users and groups of a security context, that of a pod or of a container."""
    detail = f"must be between 0 and {_MAX_IDENTITY}, inclusive"
    wrong = [name for name in _IDENTITIES if not 0 <= (context.get(name) or 0) <= _MAX_IDENTITY]
    return [invalid_value(f"{path}.{name}", go_value(context[name]), detail) for name in wrong]


def port_problems(port: Any, path: str) -> list[Problem]:
    """A port by its number or its name."""
    if isinstance(port, str):
        return [invalid_value(path, go_value(port), each) for each in _port_name(port)]
    is_right = 1 <= port <= 65535
    return [] if is_right else [invalid_value(path, go_value(port), "must be between 1 and 65535, inclusive")]


def validate_init_only(container: Container, path: str) -> list[Problem]:
    """What init containers must not have, unless they are sidecars."""
    policy = container.get("restartPolicy")
    if policy is not None and policy != "Always":
        return [unsupported_value(f"{path}.restartPolicy", policy, ("Always",))]
    if policy == "Always":
        return []
    detail = "may not be set for init containers without restartPolicy=Always"
    names = ("lifecycle", *_PROBES)
    return [forbidden(f"{path}.{name}", detail) for name in names if container.get(name) is not None]


def _ports(ports: Sequence[Container], path: str) -> list[Problem]:
    problems, names = [], set()
    for at, port in enumerate(ports):
        inner, name = f"{path}[{at}]", port.get("name")
        if name:
            if name in names:
                problems.append(duplicate(f"{inner}.name", go_value(name)))
            problems += [invalid_value(f"{inner}.name", go_value(name), each) for each in _port_name(name)]
            names.add(name)
        for field in ("containerPort", "hostPort"):
            number = port.get(field, 0)
            if not number and field == "containerPort":
                problems.append(required(f"{inner}.{field}"))
            elif number and not 1 <= number <= 65535:
                problems.append(
                    invalid_value(f"{inner}.{field}", go_value(number), "must be between 1 and 65535, inclusive")
                )
        if port.get("protocol") not in _PROTOCOLS:
            problems.append(unsupported_value(f"{inner}.protocol", port.get("protocol", ""), _PROTOCOLS))
    return problems


def _port_name(name: str) -> list[str]:
    """IsValidPortName: an IANA service name."""
    problems = ["must be no more than 15 characters"] if len(name) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def _env(variables: Sequence[Container], path: str) -> list[Problem]:
    problems = []
    for at, variable in enumerate(variables):
        name, inner = variable.get("name"), f"{path}[{at}]"
        if not name:
            problems.append(required(f"{inner}.name"))
        elif not _ENV_NAME.fullmatch(name):
            detail = (
                "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
                "and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used "
                f"for validation is '{_ENV_NAME.pattern}')"
            )
            problems.append(invalid_value(f"{inner}.name", go_value(name), detail))
        source = variable.get("valueFrom")
        if source is not None:
            problems += _env_source(source, variable.get("value"), f"{inner}.valueFrom")
    return problems


def _env_source(source: Container, value: str | None, path: str) -> list[Problem]:
    given = [name for name in _ENV_SOURCES if source.get(name) is not None]
    if not given:
        names = ", ".join(f"`{name}`" for name in _ENV_SOURCES[:-1]) + f" or `{_ENV_SOURCES[-1]}`"
        return [invalid_value(path, '""', f"must specify one of: {names}")]
    if value:
        return [invalid_value(path, '""', "may not be specified when `value` is not empty")]
    if len(given) > 1:
        return [invalid_value(path, '""', "may not have more than one field specified at a time")]
    problems = []
    reference = source.get("fieldRef")
    if reference is not None:
        problems += _field_path(reference.get("fieldPath"), f"{path}.fieldRef.fieldPath")
    for name in ("configMapKeyRef", "secretKeyRef"):
        if source.get(name) is not None:
            problems += [required(f"{path}.{name}.{each}") for each in ("name", "key") if not source[name].get(each)]
    return problems


def _field_path(field: str | None, path: str) -> list[Problem]:
    if not field:
        return [required(path)]
    found = _SUBSCRIPT.fullmatch(field)
    if found:
        return [invalid_value(path, go_value(found[2]), each) for each in qualified_name(found[2].lower())]
    if field in _FIELD_PATHS:
        return []
    if field in _OTHER_FIELD_PATHS:
        return [unsupported_value(path, field, _FIELD_PATHS)]
    detail = f"error converting fieldPath: field label not supported: {field}"
    return [invalid_value(path, go_value(field), detail)]


def _mounts(mounts: Sequence[Container], path: str, scope: PodScope) -> list[Problem]:
    problems, places = [], set()
    for at, mount in enumerate(mounts):
        inner, name, place = f"{path}[{at}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            problems.append(required(f"{inner}.name"))
        if name not in scope.volumes:
            problems.append(not_found_value(f"{inner}.name", go_value(name)))
        if not place:
            problems.append(required(f"{inner}.mountPath"))
        if place in places:
            problems.append(invalid_value(f"{inner}.mountPath", go_value(place), "must be unique"))
        places.add(place)
        within, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
        if within and expression:
            detail = "subPathExpr and subPath are mutually exclusive"
            problems.append(invalid_value(f"{inner}.subPathExpr", go_value(expression), detail))
        # Of the list, not of its member: a real server has it so.
        problems += descending_path(within, f"{path}.subPath") + descending_path(expression, f"{path}.subPathExpr")
    return problems


def _resources(resources: Container, path: str, scope: PodScope) -> list[Problem]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    problems: list[Problem] = []
    for name in sorted(limits):
        problems += _resource(name, limits[name], f"{path}.limits[{name}]")
    for name in sorted(requests):
        problems += _resource(name, requests[name], f"{path}.requests[{name}]")
        over_committed = "/" not in name and not name.startswith("hugepages-")
        if name not in limits:
            if not over_committed:
                detail = "Limit must be set for non overcommitable resources"
                problems.append(required(f"{path}.limits", detail))
            continue
        value, limit = number_of(requests[name]), number_of(limits[name])
        if value != limit and not over_committed:
            detail = f"must be equal to {name} limit of {limits[name]}"
            problems.append(invalid_value(f"{path}.requests", go_value(requests[name]), detail))
        elif value > limit:
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            problems.append(invalid_value(f"{path}.requests", go_value(requests[name]), detail))
    return problems + _claims(resources.get("claims") or (), f"{path}.claims", scope)


def _resource(name: str, amount: str, path: str) -> list[Problem]:
    # Go prints a name of its own type without quotes.
    problems = [invalid_value(path, name, each) for each in qualified_name(name)]
    if not problems and "/" not in name and name not in _STANDARD_RESOURCES and not name.startswith("hugepages-"):
        problems += [
            invalid_value(path, name, "must be a standard resource type or fully qualified"),
            invalid_value(path, name, "must be a standard resource for containers"),
        ]
    value = number_of(amount)
    if value < 0:
        problems.append(invalid_value(path, go_value(amount), "must be greater than or equal to 0"))
    if "/" in name and value != value.to_integral_value():
        problems.append(invalid_value(path, go_value(amount), "must be an integer"))
    return problems


def _claims(claims: Sequence[Container], path: str, scope: PodScope) -> list[Problem]:
    problems: list[Problem] = []
    names: dict[str, set[str]] = {}
    for at, claim in enumerate(claims):
        name, inner = claim.get("name", ""), f"{path}[{at}]"
        if not name:
            problems.append(required(inner))
            continue
        # A container uses a whole claim, or some of its requests (since 1.31), each once.
        request = claim.get("request", "")
        if request:
            problems += [invalid_value(f"{inner}.request", go_value(request), each) for each in dns_label(request)]
        used = names.setdefault(name, set())
        if request and request in used:
            problems.append(duplicate(inner, go_value(f"{name}/{request}")))
        elif "" in used or (used and not request):
            problems.append(duplicate(inner, go_value(name)))
        used.add(request)
        if name not in scope.claims:
            known = f": {', '.join(sorted(scope.claims))}" if scope.claims else " which is empty"
            detail = f"must be one of the names in pod.spec.resourceClaims{known}"
            problems.append(not_found_value(inner, go_value(name), detail))
    return problems


def _probe(probe: Container, path: str) -> list[Problem]:
    problems: list[Problem] = []
    handlers = [name for name in _HANDLERS if probe.get(name) is not None]
    if not handlers:
        problems.append(required(path, "must specify a handler type"))
    problems += [forbidden(f"{path}.{name}", "may not specify more than 1 handler type") for name in handlers[1:]]
    if probe.get("exec") is not None and not probe["exec"].get("command"):
        problems.append(required(f"{path}.exec.command"))
    for name in ("httpGet", "tcpSocket"):
        if probe.get(name) is not None:
            problems += port_problems(probe[name].get("port", 0), f"{path}.{name}.port")
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        problems += nonnegative(probe.get(name), f"{path}.{name}")
    return problems
