"""Defaults and rules of ConfigMap, Secret, Namespace and Node.

Follows the defaults, strategies and validations in k8s.io/kubernetes/pkg/apis/core and pkg/registry/core.
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    forbidden,
    go_value,
    invalid_value,
    required,
    too_long,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import (
    dns_label,
    label_value,
    qualified_name,
    validate_labels,
)
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["CORE_RULES"]

_MAX_DATA_BYTES = 1024 * 1024
"""MaxSecretSize; that of a ConfigMap is the same."""
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


# --- ConfigMap and Secret ---


def _data_key(key: str) -> list[str]:
    """IsConfigMapKey."""
    problems = ["must be no more than 253 characters"] if len(key) > 253 else []
    if not re.fullmatch("[-._a-zA-Z0-9]+", key):
        problems.append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        )
    if key in (".", ".."):
        problems.append(f"must not be '{key}'")
    elif key.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def _size(data: Mapping[str, str]) -> int:
    return sum(len(base64.b64decode(value)) for value in data.values())


def _validate_config_map(obj: Object) -> list[Problem]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    problems: list[Problem] = []
    for key in sorted(data):
        problems += [invalid_value(f"data[{key}]", go_value(key), each) for each in _data_key(key)]
        if key in binary:
            problems.append(invalid_value(f"data[{key}]", go_value(key), "duplicate of key present in binaryData"))
    for key in sorted(binary):
        problems += [invalid_value(f"binaryData[{key}]", go_value(key), each) for each in _data_key(key)]
    if sum(len(value.encode()) for value in data.values()) + _size(binary) > _MAX_DATA_BYTES:
        # The path has no name: field.NewPath("") prints as [].
        problems.append(too_long("[]", _MAX_DATA_BYTES))
    return problems


def _immutable_data(*names: str) -> Callable[[Object, Object], list[Problem]]:
    def check(obj: Object, old: Object) -> list[Problem]:
        if not old.get("immutable"):
            return []
        detail = "field is immutable when `immutable` is set"
        problems = [] if obj.get("immutable") else [forbidden("immutable", detail)]
        return problems + [forbidden(name, detail) for name in names if obj.get(name) != old.get(name)]

    return check


def _default_secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


_NEEDED_KEYS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _validate_secret(obj: Object) -> list[Problem]:
    data, kind = obj.get("data") or {}, obj.get("type", "")
    problems = [invalid_value(f"data[{key}]", go_value(key), each) for key in sorted(data) for each in _data_key(key)]
    if _size(data) > _MAX_DATA_BYTES:
        problems.append(too_long("data", _MAX_DATA_BYTES))
    account = "kubernetes.io/service-account.name"
    if kind == "kubernetes.io/service-account-token" and not obj["metadata"].get("annotations", {}).get(account):
        problems.append(required(f"metadata.annotations[{account}]"))
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        problems += [required("data[username]"), required("data[password]")]
    problems += [required(f"data[{key}]") for key in _NEEDED_KEYS.get(kind, ()) if key not in data]
    return problems


def _validate_secret_update(obj: Object, old: Object) -> list[Problem]:
    problems = []
    if obj.get("type") != old.get("type"):
        problems.append(invalid_value("type", go_value(obj.get("type", "")), "field is immutable"))
    return problems + _immutable_data("data")(obj, old)


# --- Namespace ---


def _default_namespace(obj: Object) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")


def _admit_namespace(obj: Object) -> None:
    finalizers = obj["spec"].get("finalizers") or []
    obj["spec"]["finalizers"] = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]


def _validate_namespace(obj: Object) -> list[Problem]:
    problems: list[Problem] = []
    for finalizer in obj["spec"].get("finalizers") or ():
        problems += [invalid_value("spec.finalizers", go_value(finalizer), each) for each in qualified_name(finalizer)]
        if "/" not in finalizer and finalizer != "kubernetes":
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            problems.append(invalid_value("spec.finalizers", go_value(finalizer), detail))
    return problems


def _validate_namespace_status(obj: Object, _: Object) -> list[Problem]:
    phase, is_deleted = (obj.get("status") or {}).get("phase", ""), "deletionTimestamp" in obj["metadata"]
    if is_deleted and phase != "Terminating":
        detail = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        return [invalid_value("status.Phase", go_value(phase), detail)]
    if not is_deleted and phase != "Active":
        return [invalid_value("status.Phase", go_value(phase), "may only be 'Active' if `deletionTimestamp` is empty")]
    return []


# --- Node ---


def _default_node(obj: Object) -> None:
    spec, status = obj["spec"], obj.get("status") or {}
    if spec.get("podCIDR") and (spec.get("podCIDRs") or [""])[0] != spec["podCIDR"]:
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs") and not spec.get("podCIDR"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def _admit_node(obj: Object) -> None:
    """TaintNodesByCondition: nothing is scheduled before the node says that it is ready."""
    taints = obj["spec"].setdefault("taints", [])
    if all(each.get("key") != "node.kubernetes.io/not-ready" for each in taints):
        taints.append({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"})


def _validate_taints(obj: Object) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[tuple[str, str]] = set()
    for at, taint in enumerate(obj["spec"].get("taints") or ()):
        # They are in the spec, but their errors name the metadata.
        path, key, effect = f"metadata.taints[{at}]", taint.get("key", ""), taint.get("effect", "")
        problems += validate_labels({key: ""}, f"{path}.key")
        wrong = label_value(taint.get("value", ""))
        if wrong:
            problems.append(invalid_value(f"{path}.value", go_value(taint["value"]), ";".join(wrong)))
        if not effect:
            problems.append(required(f"{path}.effect"))
        elif effect not in _TAINT_EFFECTS:
            problems.append(unsupported_value(f"{path}.effect", effect, _TAINT_EFFECTS))
        if (key, effect) in seen:
            text = (
                f"core.Taint{{Key:{go_value(key)}, Value:{go_value(taint.get('value', ''))}, "
                f"Effect:{go_value(effect)}, TimeAdded:<nil>}}"
            )
            detail = ": taints must be unique by key and effect pair"
            problems.append(duplicate(path, text + detail))
        seen.add((key, effect))
    return problems


def _validate_node(obj: Object) -> list[Problem]:
    problems = _validate_taints(obj)
    for at, network in enumerate(obj["spec"].get("podCIDRs") or ()):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            problems.append(invalid_value(f"spec.podCIDRs[{at}]", go_value(network), detail))
    return problems


def _validate_node_update(obj: Object, old: Object) -> list[Problem]:
    spec, before = obj["spec"], old["spec"]
    problems = []
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        detail = 'node updates may not change podCIDR except from "" to valid'
        problems.append(forbidden("spec.podCIDRs", detail))
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        problems.append(forbidden("spec.providerID", detail))
    return problems + _validate_node(obj)


CORE_RULES: Mapping[str, Rules] = {
    "ConfigMap": Rules(validate=_validate_config_map, validate_update=_immutable_data("data", "binaryData")),
    "Secret": Rules(
        set_defaults=_default_secret,
        validate=_validate_secret,
        validate_update=_validate_secret_update,
        selectable=("type",),
    ),
    "Namespace": Rules(
        name_problems=dns_label,
        set_defaults=_default_namespace,
        admit=_admit_namespace,
        validate=_validate_namespace,
        validate_status=_validate_namespace_status,
        status_on_create={"phase": "Active"},
        returns_deleted=True,
        selectable=("status.phase",),
    ),
    "Node": Rules(
        set_defaults=_default_node,
        admit=_admit_node,
        validate=_validate_node,
        validate_update=_validate_node_update,
        keeps_status_on_create=True,
        selectable=("spec.unschedulable",),
    ),
    "ServiceAccount": Rules(),
}
"""By kind."""
