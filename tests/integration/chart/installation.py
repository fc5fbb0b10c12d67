"""One way of installing the chart: its name, namespace and values, the cluster that helm is told of, and the parent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import hypothesis.strategies as st

from tests.integration.chart.names import namespaces, release_names
from tests.integration.chart.values import JsonSchema, drawn_values

__all__ = ["ALIASES", "CHART_NAME", "Cluster", "Installation", "installations"]

CHART_NAME: Final = "fake-dra-driver"
ALIASES: Final = ("", "gpus", "fakeDevices", "dra_driver", "12345")
"""What a parent calls it; empty: by its own name."""
_GLOBALS: Final[Sequence[Mapping[str, Any]]] = (
    {},
    {"imageRegistry": "registry.example:5000", "imagePullSecrets": ["regcred", "12345"]},
    {"imagePullSecrets": [{"name": "regcred"}], "storageClass": "fast", "postgresql": {"auth": {"database": "x"}}},
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """What helm is told of the cluster."""

    release: str
    """Of Kubernetes."""
    told: str = "nothing"
    """What helm is told beside it, in a word."""
    served: Sequence[str] | None = field(default=None, repr=False)
    """Group versions and kinds, as ``apps/v1`` and ``apps/v1/Deployment``; None: no cluster is asked."""

    def flags(self) -> Sequence[str]:
        """Options of ``helm template``."""
        return [f"--kube-version={self.release}", *(f"--api-versions={each}" for each in self.served or ())]


@dataclass(frozen=True, slots=True)
class Installation:
    """What a person might type, and write into a values file."""

    release: str = "fake-dra-driver"
    namespace: str = "fake-system"
    cluster: Cluster = field(default_factory=lambda: Cluster("1.30.14"))
    values: Mapping[str, Any] = field(default_factory=dict)
    """Those of the chart itself."""
    alias: str | None = None
    """As what it is a subchart, which is one of ``ALIASES``; None: it is none."""
    global_values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name_in_parent(self) -> str:
        """Where a parent's values have those of the chart."""
        return self.alias or CHART_NAME

    def values_file(self) -> str:
        """The text of the values file; JSON is YAML."""
        extra = {"global": self.global_values} if self.global_values else {}
        if self.alias is None:
            return json.dumps({**self.values, **extra})
        return json.dumps({self.name_in_parent: {"enabled": True, **self.values}, **extra})


def installations(
    schema: JsonSchema, clusters: Sequence[Cluster], aliases: st.SearchStrategy[str | None]
) -> st.SearchStrategy[Installation]:
    """Installations in one of these clusters."""
    return st.builds(
        Installation,
        release=release_names(),
        namespace=namespaces(),
        cluster=st.sampled_from(clusters),
        values=drawn_values(schema),
        alias=aliases,
        global_values=st.sampled_from(_GLOBALS),
    )
