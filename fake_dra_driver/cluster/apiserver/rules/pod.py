"""Validation of pods, of pod templates, and of updates to a pod's spec and status.

Follows ValidatePodSpec, ValidatePodUpdate and ValidatePodStatusUpdate in k8s.io/kubernetes/pkg/apis/core/validation, as
far as people run into them; affinity between pods, DNS configuration and security contexts are not checked.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.container import (
    PodScope,
    validate_container,
    validate_identities,
    validate_init_only,
)
from fake_dra_driver.cluster.apiserver.rules.nodeselector import validate_node_selector
from fake_dra_driver.cluster.apiserver.rules.volume import validate_volume_source
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import (
    dns_label,
    dns_subdomain,
    label_value,
    qualified_name,
    validate_labels,
)

__all__ = ["validate_pod", "validate_pod_spec", "validate_pod_status", "validate_pod_update"]

_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_FREE = ("activeDeadlineSeconds", "tolerations", "schedulingGates")
_MAX_INT32 = 2**31 - 1
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def validate_pod(pod: Object) -> list[Problem]:
    """What is wrong with a pod."""
    return validate_pod_spec(pod["spec"], "spec", pod["metadata"].get("name", ""))


def validate_pod_spec(spec: Object, path: str, pod_name: str | None = None) -> list[Problem]:
    """What is wrong with the spec of a pod, or (without a name) of a template."""
    problems: list[Problem] = []
    volumes = _volumes(spec.get("volumes") or (), f"{path}.volumes", problems)
    claims = {each["name"] for each in spec.get("resourceClaims") or () if each.get("name")}
    problems += _claims(spec.get("resourceClaims") or (), f"{path}.resourceClaims", pod_name)
    problems += _containers(spec, path, PodScope(volumes, claims))
    for name, choices in (
        ("restartPolicy", ("Always", "OnFailure", "Never")),
        ("dnsPolicy", ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")),
    ):
        if spec.get(name) not in choices:
            problems.append(unsupported_value(f"{path}.{name}", spec.get(name), choices))
    problems += validate_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED_AFFINITY)
    if affinity is not None:
        problems += validate_node_selector(affinity, f"{path}.affinity.nodeAffinity.{_REQUIRED_AFFINITY}")
    for name in ("serviceAccountName", "nodeName"):
        if spec.get(name):
            problems += [
                invalid_value(f"{path}.{name}", go_value(spec[name]), each) for each in dns_subdomain(spec[name])
            ]
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAX_INT32:
        detail = f"must be between 1 and {_MAX_INT32}, inclusive"
        problems.append(invalid_value(f"{path}.activeDeadlineSeconds", go_value(deadline), detail))
    problems += validate_identities(spec.get("securityContext") or {}, f"{path}.securityContext")
    problems += _gates(spec.get("schedulingGates") or (), f"{path}.schedulingGates")
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            problems += [invalid_value(f"{path}.{name}", go_value(spec[name]), each) for each in dns_label(spec[name])]
    return problems + _tolerations(spec.get("tolerations") or (), f"{path}.tolerations")


def _gates(gates: Sequence[Object], path: str) -> list[Problem]:
    problems: list[Problem] = []
    names: set[str] = set()
    for at, gate in enumerate(gates):
        name, inner = gate.get("name", ""), f"{path}[{at}]"
        problems += [invalid_value(inner, go_value(name), each) for each in qualified_name(name)]
        if name in names:
            problems.append(duplicate(inner, go_value(name)))
        names.add(name)
    return problems


_REQUIRED_AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"


def _volumes(volumes: Sequence[Object], path: str, problems: list[Problem]) -> set[str]:
    """Adds to ``problems``, and returns the names of the valid volumes."""
    names: set[str] = set()
    for at, volume in enumerate(volumes):
        name, inner = volume.get("name", ""), f"{path}[{at}]"
        found = validate_volume_source(volume, inner)
        if not name:
            found.append(required(f"{inner}.name"))
        found += [invalid_value(f"{inner}.name", go_value(name), each) for each in (dns_label(name) if name else ())]
        if name in names:
            found.append(duplicate(f"{inner}.name", go_value(name)))
        if not found:
            names.add(name)
        problems += found
    return names


def _claims(claims: Sequence[Object], path: str, pod_name: str | None) -> list[Problem]:
    problems: list[Problem] = []
    names: set[str] = set()
    for at, claim in enumerate(claims):
        name, inner = claim.get("name", ""), f"{path}[{at}]"
        # Since 1.31 an entry says itself where its claim comes from.
        source, source_path = (claim["source"], f"{inner}.source") if "source" in claim else (claim, inner)
        if not name:
            problems.append(required(f"{inner}.name"))
        elif name in names:
            problems.append(duplicate(f"{inner}.name", go_value(name)))
        else:
            wrong = dns_label(name)
            problems += [invalid_value(f"{inner}.name", go_value(name), each) for each in wrong]
            if not wrong and pod_name is not None and source.get("resourceClaimTemplateName") is not None:
                final = f"{pod_name}-{name}"
                details = (f"final ResourceClaim name: {each}" for each in dns_subdomain(final))
                problems += [invalid_value(f"{inner}.name", go_value(final), each) for each in details]
            names.add(name)
        problems += _claim_source(source, source_path)
    return problems


def _claim_source(source: Mapping[str, Any], path: str) -> list[Problem]:
    names = ("resourceClaimName", "resourceClaimTemplateName")
    given = [name for name in names if source.get(name) is not None]
    problems = []
    if len(given) != 1:
        # As Go's %#v prints it; the address of a pointer is unknown.
        fields = (
            f"{name[:1].upper()}{name[1:]}:(*string)({'0xc000000000' if name in given else 'nil'})" for name in names
        )
        many = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
        none = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
        text = f"core.ClaimSource{{{', '.join(fields)}}}"
        problems.append(invalid_value(path, text, many if given else none))
    for name in given:
        wrong = dns_subdomain(source[name])
        problems += [invalid_value(f"{path}.{name}", go_value(source[name]), each) for each in wrong]
    return problems


def _containers(spec: Object, path: str, scope: PodScope) -> list[Problem]:
    containers = spec.get("containers") or ()
    problems: list[Problem] = [] if containers else [required(f"{path}.containers")]
    names: set[str] = set()
    for at, container in enumerate(containers):
        inner, name = f"{path}.containers[{at}]", container.get("name", "")
        problems += validate_container(container, inner, scope)
        if name in names:
            problems.append(duplicate(f"{inner}.name", go_value(name)))
        names.add(name)
        if container.get("restartPolicy") is not None:
            problems.append(forbidden(f"{inner}.restartPolicy", "may not be set for non-init containers"))
    for at, container in enumerate(spec.get("initContainers") or ()):
        inner, name = f"{path}.initContainers[{at}]", container.get("name", "")
        problems += validate_container(container, inner, scope)
        if name in names:
            problems.append(duplicate(f"{inner}.name", go_value(name)))
        names.add(name)
        problems += validate_init_only(container, inner)
    return problems


def _tolerations(tolerations: Sequence[Object], path: str) -> list[Problem]:
    problems: list[Problem] = []
    for at, each in enumerate(tolerations):
        inner, key, operator = f"{path}[{at}]", each.get("key", ""), each.get("operator", "")
        value, effect = each.get("value", ""), each.get("effect", "")
        if key:
            problems += validate_labels({key: ""}, f"{inner}.key")
        elif operator != "Exists":
            detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            problems.append(invalid_value(f"{inner}.operator", go_value(operator), detail))
        if each.get("tolerationSeconds") is not None and effect != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            problems.append(invalid_value(f"{inner}.effect", go_value(effect), detail))
        if operator in ("Equal", ""):
            wrong = label_value(value)
            if wrong:
                problems.append(invalid_value(f"{inner}.operator", go_value(value), ";".join(wrong)))
        elif operator == "Exists":
            if value:
                detail = "value must be empty when `operator` is 'Exists'"
                problems.append(invalid_value(f"{inner}.operator", f"core.Toleration{go_value(each)}", detail))
        else:
            problems.append(unsupported_value(f"{inner}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in _EFFECTS:
            problems.append(unsupported_value(f"{inner}.effect", effect, _EFFECTS))
    return problems


# --- updates ---


def validate_pod_update(pod: Object, old: Object) -> list[Problem]:
    """A pod's spec must not change, except for images, deadlines, scheduling gates, and added tolerations."""
    new_spec, old_spec, problems = pod["spec"], old["spec"], []
    for kind in ("containers", "initContainers"):
        if len(new_spec.get(kind) or ()) != len(old_spec.get(kind) or ()):
            return [forbidden(f"spec.{kind}", "pod updates may not add or remove containers")]
    deadline, before = new_spec.get("activeDeadlineSeconds"), old_spec.get("activeDeadlineSeconds")
    if before is not None and (deadline is None or deadline > before):
        detail = "must be less than or equal to previous value"
        if deadline is None:
            detail = "must not update from a positive integer to nil value"
        problems.append(invalid_value("spec.activeDeadlineSeconds", go_value(deadline), detail))
        if deadline is not None:
            return problems
    tolerations = new_spec.get("tolerations") or ()
    if any(_but_seconds(each) not in map(_but_seconds, tolerations) for each in old_spec.get("tolerations") or ()):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        problems.append(forbidden("spec.tolerations", detail))
    gates = old_spec.get("schedulingGates") or ()
    for each in new_spec.get("schedulingGates") or ():
        if each not in gates:
            name = each.get("name", "")
            problems.append(
                forbidden(f"spec.schedulingGates[{name}]", "only deletion is allowed, but found new scheduling gate")
            )
    if _frozen(new_spec) != _frozen(old_spec):
        problems.append(forbidden("spec", _UPDATABLE))
    return problems


def _but_seconds(toleration: Object) -> Object:
    """The part of a toleration that must not change."""
    return {name: value for name, value in toleration.items() if name != "tolerationSeconds"}


def _frozen(spec: Object) -> Any:
    """The part of a spec that must not change."""
    frozen = {name: value for name, value in spec.items() if name not in _FREE}
    for kind in ("containers", "initContainers"):
        if kind in frozen:
            frozen[kind] = [{k: v for k, v in each.items() if k != "image"} for each in frozen[kind]]
    return frozen


def validate_pod_status(pod: Object, old: Object) -> list[Problem]:
    """What is wrong with a status, given the one before."""
    status, before = pod.get("status") or {}, old.get("status") or {}
    problems = []
    for kind in ("containerStatuses", "initContainerStatuses"):
        problems += _transitions(
            status.get(kind) or (), before.get(kind) or (), f"status.{kind}", old["spec"].get("restartPolicy", "Always")
        )
    claims = pod["spec"].get("resourceClaims") or ()
    problems += _claim_statuses(status.get("resourceClaimStatuses") or (), claims)
    for kind in ("podIPs", "hostIPs"):
        for at, each in enumerate(status.get(kind) or ()):
            if not _is_ip(each.get("ip", "")):
                detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
                problems.append(invalid_value(f"status.{kind}[{at}]", go_value(each.get("ip", "")), detail))
    return problems


def _transitions(new: Sequence[Object], old: Sequence[Object], path: str, restart_policy: str) -> list[Problem]:
    """Containers that are not restarted keep their last state (ValidateContainerStateTransition)."""
    if restart_policy == "Always":
        return []
    states = {each.get("name"): (each.get("state") or {}) for each in new}
    problems = []
    for at, each in enumerate(old):
        ended = (each.get("state") or {}).get("terminated")
        if ended is None or (restart_policy == "OnFailure" and ended.get("exitCode", 0) != 0):
            continue
        state = states.get(each.get("name"))
        if state is not None and state.get("terminated") is None:
            detail = "may not be transitioned to non-terminated state"
            problems.append(forbidden(f"{path}[{at}].state", detail))
    return problems


def _claim_statuses(statuses: Sequence[Object], claims: Sequence[Object]) -> list[Problem]:
    known, problems, names = {each.get("name") for each in claims}, [], set()
    for at, each in enumerate(statuses):
        name, inner = each.get("name", ""), f"status.resourceClaimStatuses[{at}]"
        if name not in known:
            detail = "must match the name of an entry in `spec.resourceClaims`"
            problems.append(invalid_value(f"{inner}.name", go_value(name), detail))
        if name in names:
            problems.append(duplicate(f"{inner}.name", go_value(name)))
        names.add(name)
        made = each.get("resourceClaimName")
        if made is not None:
            wrong = dns_subdomain(made)
            problems += [invalid_value(f"{inner}.name", go_value(made), detail) for detail in wrong]
    return problems


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
