"""Definitions of other projects' kinds, as far as the chart uses them: fields as their documentation has them.

A field that is not in here is one that the chart should not write, which strict validation says.
"""

from typing import Any, Final

__all__ = ["CUSTOM_KINDS"]

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}
_DURATION: Final = {"type": "string", "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"}  # fmt: skip  # noqa: E501


def _object(required: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _definition(group: str, version: str, kind: str, plural: str, spec: dict[str, Any]) -> dict[str, Any]:
    schema = _object(("spec",), spec=spec)
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [served],
        },
    }


_RELABELING: Final = _object(
    sourceLabels=_list(_TEXT),
    separator=_TEXT,
    targetLabel=_TEXT,
    regex=_TEXT,
    modulus={"type": "integer"},
    replacement=_TEXT,
    action=_TEXT,
)
_SERVICE_MONITOR: Final = _object(
    ("selector", "endpoints"),
    jobLabel=_TEXT,
    selector=_object(matchLabels=_TEXTS),
    namespaceSelector=_object(any={"type": "boolean"}, matchNames=_list(_TEXT)),
    targetLabels=_list(_TEXT),
    podTargetLabels=_list(_TEXT),
    endpoints=_list(
        _object(
            port=_TEXT,
            path=_TEXT,
            scheme=_TEXT,
            honorLabels={"type": "boolean"},
            interval=_DURATION,
            scrapeTimeout=_DURATION,
            relabelings=_list(_RELABELING),
            metricRelabelings=_list(_RELABELING),
        )
    ),
)
_RULE: Final = _object(
    ("expr",),
    alert=_TEXT,
    record=_TEXT,
    expr={"x-kubernetes-int-or-string": True},
    labels=_TEXTS,
    annotations=_TEXTS,
    **{"for": _DURATION, "keep_firing_for": _DURATION},
)
_PROMETHEUS_RULE: Final = _object(groups=_list(_object(("name",), name=_TEXT, interval=_DURATION, rules=_list(_RULE))))
_ISSUER_REFERENCE: Final = _object(("name",), name=_TEXT, kind=_TEXT, group=_TEXT)
_CERTIFICATE: Final = _object(
    ("secretName", "issuerRef"),
    secretName=_TEXT,
    issuerRef=_ISSUER_REFERENCE,
    dnsNames=_list(_TEXT),
    commonName={"type": "string", "maxLength": 64},
    duration=_TEXT,
    renewBefore=_TEXT,
)
CUSTOM_KINDS: Final = (
    _definition("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors", _SERVICE_MONITOR),
    _definition("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules", _PROMETHEUS_RULE),
    _definition("cert-manager.io", "v1", "Certificate", "certificates", _CERTIFICATE),
    _definition(
        "cert-manager.io", "v1", "Issuer", "issuers", _object(selfSigned=_object(), ca=_object(), acme=_object())
    ),
)
