"""Values whose form is Kubernetes' own, and which the chart's schema leaves to the API server.

They are known by the last part of their names, which are those of the pod's spec, with or without ``extra`` in front.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["EXAMPLES", "MOUNTED", "examples_for"]

MOUNTED: Final = {"name": "scratch", "emptyDir": {}}
"""The volume that the mounts among the examples ask for."""

_AFFINITIES: Sequence[Any] = (
    {},
    {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["virtual-kubelet", "1e3"]}]}
                ]
            }
        }
    },
    {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"app.kubernetes.io/version": "1.10"}},
                    },
                }
            ]
        }
    },
)
_TOLERATIONS: Sequence[Any] = (
    [],
    [{"operator": "Exists"}],
    [{"key": "dedicated", "operator": "Equal", "value": "true", "effect": "NoSchedule"}],
    [{"key": "gone", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1_000_000}],
)
_RESOURCES: Sequence[Any] = (
    {},
    {"limits": {"cpu": 1, "memory": "1Gi"}},
    {"requests": {"cpu": 0.5, "memory": 100_000_000, "ephemeral-storage": "1e3"}},
)
_SECURITY_CONTEXTS: Sequence[Any] = (
    {},
    {"runAsUser": 1_000_650_000, "runAsNonRoot": True},
    {"readOnlyRootFilesystem": False, "seLinuxOptions": {"level": "s0:c123,c456"}},
)
_POD_SECURITY_CONTEXTS: Sequence[Any] = (
    {},
    {"runAsUser": 1_000_650_000, "fsGroup": 1_000_650_000, "supplementalGroups": [1_000_000]},
    {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
)
_UPDATE_STRATEGIES: Sequence[Any] = (
    {"type": "OnDelete"},
    {"type": "RollingUpdate"},
    {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "30%"}},
    {"rollingUpdate": {"maxUnavailable": 2}},
    {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0}},
)
_VARIABLES: Sequence[Any] = (
    [],
    [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}, {"name": "NO_PROXY", "value": "10.0.0.0/8,.svc"}],
    [{"name": "NUMBER", "value": "012"}, {"name": "ODD", "value": "a: {{ b }} # 'c' \"d\"\n\té"}],
    [{"name": "HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}],
)
_VARIABLE_SOURCES: Sequence[Any] = (
    [],
    [{"configMapRef": {"name": "12345"}}, {"prefix": "A_", "secretRef": {"name": "true", "optional": True}}],
)
_VOLUMES: Sequence[Any] = ([MOUNTED], [MOUNTED, {"name": "1e3", "configMap": {"name": "0x10", "defaultMode": 0o444}}])
_MOUNTS: Sequence[Any] = (
    [{"name": "scratch", "mountPath": "/scratch"}, {"name": "scratch", "mountPath": "/012", "readOnly": True}],
)
_SPREAD: Sequence[Any] = (
    [],
    [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "controller"}},
        }
    ],
)
_DNS: Sequence[Any] = (
    {},
    {"nameservers": ["10.0.0.10"], "searches": ["svc.example"], "options": [{"name": "ndots", "value": "2"}]},
)
_PEERS: Sequence[Any] = ([], [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "12345"}}}])
_RELABELINGS: Sequence[Any] = (
    [],
    [
        {
            "sourceLabels": ["__meta_kubernetes_pod_node_name"],
            "targetLabel": "node",
            "regex": "(.*)",
            "replacement": "$1",
        }
    ],
    [{"action": "labeldrop", "regex": "pod_template_hash"}],
)
_ISSUERS: Sequence[Any] = (
    {},
    {"name": "ca"},
    {"kind": "ClusterIssuer", "name": "12345"},
    {"group": "example.com", "name": "1e3"},
)
_PULL_SECRETS: Sequence[Any] = ([], [{"name": "regcred"}], [{"name": "12345"}, {"name": "1e3"}])

EXAMPLES: Final[Mapping[str, Sequence[Any]]] = {
    "affinity": _AFFINITIES,
    "dnsConfig": _DNS,
    "env": _VARIABLES,
    "envFrom": _VARIABLE_SOURCES,
    "imagePullSecrets": _PULL_SECRETS,
    "issuerRef": _ISSUERS,
    "metricsFrom": _PEERS,
    "podSecurityContext": _POD_SECURITY_CONTEXTS,
    "relabelings": _RELABELINGS,
    "resources": _RESOURCES,
    "securityContext": _SECURITY_CONTEXTS,
    "tolerations": _TOLERATIONS,
    "topologySpreadConstraints": _SPREAD,
    "updateStrategy": _UPDATE_STRATEGIES,
    "volumeMounts": _MOUNTS,
    "volumes": _VOLUMES,
}
"""By name; the first is what few people would write, the others what many do."""


def examples_for(name: str) -> Sequence[Any] | None:
    """Examples of a value of that name, or None where its form is not known."""
    bare = name.removeprefix("extra")
    return EXAMPLES.get(bare[:1].lower() + bare[1:])
