"""Ways of installing the chart that people have chosen, and that charts have been known to fail for."""

from collections.abc import Mapping
from typing import Any, Final

from tests.integration.chart.installation import Cluster, Installation

__all__ = ["CASES", "EVERYTHING", "OWN_CERTIFICATE"]

EVERYTHING: Final[Mapping[str, Any]] = {
    "controller": {"podDisruptionBudget": {"create": True}},
    # A certificate of the chart's own takes longer to make than all else.
    "webhook": {"enabled": True, "certManager": {"enabled": True}, "podDisruptionBudget": {"create": True}},
    "monitoring": {
        "dashboard": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "serviceMonitor": {"enabled": True},
    },
    "networkPolicy": {"create": True},
    "openshift": {"scc": {"bind": True}},
    "resourceQuota": {"create": True},
    "status": {"clusterRole": {"create": True}},
}
"""Whatever can be switched on."""
OWN_CERTIFICATE: Final = {**EVERYTHING, "webhook": {"enabled": True}}
_STRUCTURED: Final = Cluster("1.37.0")
_OURS: Final = {
    "app.kubernetes.io/name": "mine",
    "app.kubernetes.io/instance": "mine",
    "app.kubernetes.io/component": "mine",
    "helm.sh/chart": "mine",
}
_LABELS: Final = {
    "webhook": {"enabled": True, "podAnnotations": {"checksum/certificate": "mine"}},
    "monitoring": {
        "dashboard": {"enabled": True, "labels": _OURS},
        "prometheusRule": {"enabled": True, "labels": _OURS},
        "serviceMonitor": {"enabled": True, "labels": _OURS},
    },
    "status": {"clusterRole": {"create": True, "labels": _OURS}},
}
_ODD_ANNOTATIONS: Final = {"a": "true", "b": "012", "c": "a: b", "d": "{{ .Values.x }}", "e": "x\ny\n", "f": "'\"#é"}
_ODD: Final = {
    "serviceAccount": {"annotations": _ODD_ANNOTATIONS},
    **{
        component: {
            "podAnnotations": _ODD_ANNOTATIONS,
            "nodeSelector": {"gpu": "true", "zone": "012"},
            "priorityClassName": "12345",
        }
        for component in ("controller", "kubeletPlugin", "webhook")
    },
}
_NUMBERS: Final = {
    "controller": {
        "replicas": 1_000_000,
        "terminationGracePeriodSeconds": 1_000_000,
        "settings": {"kubeApiQps": 1_000_000, "kubeApiBurst": 1_000_000, "workers": 1_000},
    },
    "kubeletPlugin": {"settings": {"kubeApiQps": 0.5, "deviceModels": ["012", "1e3", "true"]}},
}


def _named(release: str, **fields: Any) -> Installation:
    return Installation(release, **{"cluster": _STRUCTURED, "values": EVERYTHING, **fields})


CASES: Final[Mapping[str, Installation]] = {
    "as in the quickstart": Installation(),
    "as in the quickstart, with structured DRA": Installation(cluster=_STRUCTURED),
    "a number": Installation("12345"),
    "a number, everything": _named("12345", namespace="67890"),
    "a number, its own certificate": _named("12345", namespace="67890", values=OWN_CERTIFICATE),
    "zero": _named("0", namespace="0"),
    "an exponent": _named("1e3", namespace="1e3"),
    "hexadecimal": _named("0x10", namespace="0x10"),
    "octal": _named("089", namespace="012"),
    "a boolean": _named("true", namespace="yes"),
    "null": _named("null", namespace="null"),
    "a date": _named("2024-01-01", namespace="2024-01-01"),
    "a fraction": _named("1.5"),
    "with dots": _named("my.fake.driver", values=OWN_CERTIFICATE),
    "35 characters": _named("x" * 35),
    "53 characters": _named("x" * 53, namespace="y" * 63),
    "53 characters, classic DRA": Installation("x" * 53, "y" * 63, values=EVERYTHING),
    "53 characters, its own certificate": _named("x" * 53, namespace="y" * 63, values=OWN_CERTIFICATE),
    "a cut behind a dash": _named("-".join("a" * 27)),
    "a long override": _named("r", values={**EVERYTHING, "fullnameOverride": "x" * 63}),
    "a number as override": _named("r", values={**EVERYTHING, "nameOverride": "12345", "fullnameOverride": "1e3"}),
    "a namespace of its own": _named("r", values={**EVERYTHING, "namespaceOverride": "12345"}),
    "accounts that are numbers": _named(
        "r",
        values={
            "serviceAccount": {"create": False},
            "controller": {"serviceAccountName": "12345"},
            "kubeletPlugin": {"serviceAccountName": "1e3"},
        },
    ),
    "labels of ours": _named("r", values=_LABELS),
    "texts that YAML reads as something else": _named("r", values=_ODD),
    "large numbers": _named("r", values=_NUMBERS),
    "global values": _named("r", global_values={"imageRegistry": "registry.example", "imagePullSecrets": ["12345"]}),
    "a subchart": _named("r", alias=""),
    "a subchart, by a number": _named("12345", alias=""),
    "a subchart of another name": _named("r", alias="gpus"),
    "a subchart in camel case": _named("r", alias="fakeDevices"),
    "a subchart with an underscore": _named("r", alias="dra_driver"),
    "a subchart that is a number": _named("r", alias="12345"),
    "a subchart, 53 characters": _named("x" * 53, alias="fakeDevices"),
    "a subchart with global values": _named(
        "r", alias="", global_values={"imageRegistry": "registry.example", "unrelated": {"to": ["us"]}}
    ),
}
