"""Defaults and rules of pods, and of the pod templates in workloads.

Follows k8s.io/kubernetes/pkg/apis/core/v1/defaults.go, the admission plugins DefaultTolerationSeconds and Priority, and
the part of pkg/apis/core/validation that people run into: names, images, policies, volumes, claims, immutability.
"""

from collections.abc import Iterator
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
from fake_dra_driver.cluster.apiserver.metadata import dns_label
from fake_dra_driver.cluster.apiserver.store import Object

__all__ = [
    "admit_pod",
    "default_pod_spec",
    "pod_grace_seconds",
    "validate_pod",
    "validate_pod_spec",
    "validate_pod_update",
]

_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_NOT_READY_TOLERATIONS = tuple(
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
)
_PRIORITY_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_VOLUME_MODES = {"configMap": 0o644, "secret": 0o644, "projected": 0o644, "downwardAPI": 0o644}


def default_pod_spec(spec: Object) -> None:
    """Fills in what pods and pod templates leave out."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for container in _containers(spec):
        _default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _containers(spec: Object) -> Iterator[Object]:
    for name in ("initContainers", "containers", "ephemeralContainers"):
        yield from (each for each in spec.get(name) or () if isinstance(each, dict))


def _default_container(container: Object) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = ("@" not in image and not tag) or tag == "latest"
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")
    requests = {**container["resources"].get("limits", {}), **container["resources"].get("requests", {})}
    if requests:
        container["resources"]["requests"] = requests
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            probe = container[name]
            for field, value in (
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ):
                probe.setdefault(field, value)
            if "httpGet" in probe:
                probe["httpGet"].setdefault("path", "/")
                probe["httpGet"].setdefault("scheme", "HTTP")
            if "grpc" in probe:
                probe["grpc"].setdefault("service", "")


def _default_volume(volume: Object) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for name, mode in _VOLUME_MODES.items():
        if isinstance(volume.get(name), dict):
            volume[name].setdefault("defaultMode", mode)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)


def admit_pod(pod: Object) -> None:
    """What admission adds to a new pod."""
    spec = pod["spec"]
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", _PRIORITY_CLASSES.get(spec.get("priorityClassName", ""), 0))
    tolerations = spec.setdefault("tolerations", [])
    for wanted in _NOT_READY_TOLERATIONS:
        tolerated = any(
            each.get("key") in (wanted["key"], None) and each.get("effect", "NoExecute") == "NoExecute"
            for each in tolerations
        )
        if not tolerated:
            tolerations.append(dict(wanted))


def pod_grace_seconds(pod: Object) -> int:
    """Grace period of a deletion that names none: nothing runs before there is a node, or after the end."""
    if not pod["spec"].get("nodeName") or pod.get("status", {}).get("phase") in ("Failed", "Succeeded"):
        return 0
    return int(pod["spec"].get("terminationGracePeriodSeconds", 30))


def validate_pod(pod: Object) -> list[Problem]:
    """What is wrong with a pod."""
    return validate_pod_spec(pod["spec"], "spec")


def validate_pod_spec(spec: Object, path: str) -> list[Problem]:
    """What is wrong with the spec of a pod or of a template."""
    problems: list[Problem] = []
    volumes = _named(spec, "volumes", path, problems)
    claims = _named(spec, "resourceClaims", path, problems)
    if not spec.get("containers"):
        problems.append(required(f"{path}.containers"))
    names: set[str] = set()
    for kind in ("containers", "initContainers"):
        for at, container in enumerate(spec.get(kind) or ()):
            problems += _validate_container(container, f"{path}.{kind}[{at}]", names, volumes, claims)
    for at, claim in enumerate(spec.get("resourceClaims") or ()):
        problems += _validate_claim(claim, f"{path}.resourceClaims[{at}]")
    for name, choices in (
        ("restartPolicy", ("Always", "OnFailure", "Never")),
        ("dnsPolicy", ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")),
    ):
        if spec.get(name) not in choices:
            problems.append(unsupported_value(f"{path}.{name}", spec.get(name), choices))
    grace = spec.get("terminationGracePeriodSeconds", 0)
    if grace < 0:
        detail = "must be greater than or equal to 0"
        problems.append(invalid_value(f"{path}.terminationGracePeriodSeconds", go_value(grace), detail))
    return problems


def _named(spec: Object, kind: str, path: str, problems: list[Problem]) -> set[str]:
    """Names of the entries of a list, which must be there, be DNS labels, and differ."""
    names: set[str] = set()
    for at, each in enumerate(spec.get(kind) or ()):
        name, field = each.get("name"), f"{path}.{kind}[{at}].name"
        if not name:
            problems.append(required(field))
        else:
            problems += [invalid_value(field, go_value(name), detail) for detail in dns_label(name)]
            if name in names:
                problems.append(duplicate(field, go_value(name)))
            names.add(name)
    return names


def _validate_container(
    container: Object, path: str, names: set[str], volumes: set[str], claims: set[str]
) -> list[Problem]:
    problems = []
    name = container.get("name")
    if not name:
        problems.append(required(f"{path}.name"))
    else:
        problems += [invalid_value(f"{path}.name", go_value(name), detail) for detail in dns_label(name)]
        if name in names:
            problems.append(duplicate(f"{path}.name", go_value(name)))
        names.add(name)
    if not container.get("image"):
        problems.append(required(f"{path}.image"))
    if container.get("imagePullPolicy") not in ("Always", "IfNotPresent", "Never"):
        choices = ("Always", "IfNotPresent", "Never")
        problems.append(unsupported_value(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), choices))
    for at, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            problems.append(required(f"{path}.env[{at}].name"))
    for at, mount in enumerate(container.get("volumeMounts") or ()):
        field = f"{path}.volumeMounts[{at}]"
        if not mount.get("name"):
            problems.append(required(f"{field}.name"))
        elif mount["name"] not in volumes:
            problems.append(Problem("FieldValueNotFound", f"{field}.name", f'Not found: "{mount["name"]}"'))
        if not mount.get("mountPath"):
            problems.append(required(f"{field}.mountPath"))
    for at, claim in enumerate(container.get("resources", {}).get("claims") or ()):
        field = f"{path}.resources.claims[{at}].name"
        if not claim.get("name"):
            problems.append(required(field))
        elif claim["name"] not in claims:
            problems.append(Problem("FieldValueNotFound", field, f'Not found: "{claim["name"]}"'))
    return problems


def _validate_claim(claim: Object, path: str) -> list[Problem]:
    source = claim.get("source") or {}
    given = [name for name in ("resourceClaimName", "resourceClaimTemplateName") if source.get(name) is not None]
    if len(given) == 1:
        return []

    def pointer(name: str) -> str:
        value = source.get(name)
        return "(*string)(nil)" if value is None else f"(*string){go_value(value)}"

    value = (
        f"core.ClaimSource{{ResourceClaimName:{pointer('resourceClaimName')}, "
        f"ResourceClaimTemplateName:{pointer('resourceClaimTemplateName')}}}"
    )
    many = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
    none = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
    return [invalid_value(f"{path}.source", value, many if given else none)]


def validate_pod_update(pod: Object, old: Object) -> list[Problem]:
    """A pod's spec is what it was, but for images, deadlines and tolerations that are added."""
    kept = [each for each in old["spec"].get("tolerations") or () if each not in (pod["spec"].get("tolerations") or ())]
    if kept or _frozen(pod["spec"]) != _frozen(old["spec"]):
        return [forbidden("spec", _UPDATABLE)]
    return []


def _frozen(spec: Object) -> Any:
    """The part of a spec that must not change."""
    free = ("activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds")
    frozen = {name: value for name, value in spec.items() if name not in free}
    for kind in ("containers", "initContainers"):
        if kind in frozen:
            frozen[kind] = [{k: v for k, v in each.items() if k != "image"} for each in frozen[kind]]
    return frozen
