"""Defaults and rules of services and endpoints.

Follows k8s.io/kubernetes/pkg/apis/core (v1/defaults.go, validation/validation.go) and pkg/registry/core/service. A
service gets an address, but nothing answers there.
"""

import ipaddress
import uuid
from collections.abc import Mapping, Sequence

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.container import port_problems
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_1035_label, dns_label, validate_labels
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["SERVICE_RULES"]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_NETWORK = ipaddress.ip_network("10.96.0.0/16")


def _cluster_ip(obj: Object) -> str:
    """An address derived from the UID."""
    number = uuid.UUID(obj["metadata"]["uid"]).int % (_NETWORK.num_addresses - 2)
    return str(_NETWORK[number + 1])


def _default_service(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("type", "ClusterIP")
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port")


def _admit_service(obj: Object) -> None:
    spec = obj["spec"]
    if spec["type"] == "ExternalName":
        return
    if not spec.get("clusterIP"):
        spec["clusterIP"] = _cluster_ip(obj)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    is_anything = spec["clusterIP"] == "None" and not spec.get("selector")
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if is_anything else ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if is_anything else "SingleStack")


def _validate_service(obj: Object) -> list[Problem]:
    spec, problems = obj["spec"], []
    ports, kind = spec.get("ports") or (), spec.get("type")
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        problems.append(required("spec.ports"))
    names: set[str] = set()
    for at, port in enumerate(ports):
        problems += _validate_service_port(port, f"spec.ports[{at}]", names, needs_name=len(ports) > 1)
    problems += _validate_twins(ports)
    problems += validate_labels(spec.get("selector") or {}, "spec.selector")
    if kind not in _TYPES:
        problems.append(unsupported_value("spec.type", kind, _TYPES))
    if kind == "ExternalName" and not spec.get("externalName"):
        problems.append(required("spec.externalName"))
    return problems


def _validate_service_port(port: Object, path: str, names: set[str], *, needs_name: bool) -> list[Problem]:
    problems, name = [], port.get("name", "")
    if not name and needs_name:
        problems.append(required(f"{path}.name"))
    elif name:
        problems += [invalid_value(f"{path}.name", go_value(name), each) for each in dns_label(name)]
        if name in names:
            problems.append(duplicate(f"{path}.name", go_value(name)))
        names.add(name)
    for field in ("port", "targetPort"):
        problems += port_problems(port.get(field, 0), f"{path}.{field}")
    if port.get("protocol") not in _PROTOCOLS:
        problems.append(unsupported_value(f"{path}.protocol", port.get("protocol", ""), _PROTOCOLS))
    return problems


def _validate_twins(ports: Sequence[Object]) -> list[Problem]:
    """Two ports with one number and one protocol."""
    problems: list[Problem] = []
    seen: set[tuple[object, object]] = set()
    for at, port in enumerate(ports):
        number, protocol = port.get("port", 0), port.get("protocol", "")
        if (number, protocol) in seen:
            text = (
                f'core.ServicePort{{Name:"", Protocol:{go_value(protocol)}, AppProtocol:(*string)(nil), Port:{number}, '
                'TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}'
            )
            problems.append(duplicate(f"spec.ports[{at}]", text))
        seen.add((number, protocol))
    return problems


def _default_endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


SERVICE_RULES: Mapping[str, Rules] = {
    "Service": Rules(
        name_problems=dns_1035_label,
        set_defaults=_default_service,
        admit=_admit_service,
        validate=_validate_service,
        status_on_create={"loadBalancer": {}},
        selectable=("spec.clusterIP", "spec.type"),
    ),
    "Endpoints": Rules(set_defaults=_default_endpoints),
}
"""By kind."""
