"""What a plugin offers the kubelet: its gRPC services, and the versions that it registers with.

Each gRPC version is one small adapter that translates messages and nothing else (``v1alpha2`` to ``v1``); the rules are
in ``calls``. All versions that a driver can serve are served at once, so that no setting has to name the one that the
kubelet speaks, and a plugin need not ask the API server which one that is. Which it can serve depends on the claims
that the driver takes: those of classic kubelets carry a resource handle (``classic.ClassicClaim``), and are any other
kubelet's claims without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import grpc

from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.health import HealthStreams
from fake_dra_driver.dra.node.health_v1 import HealthV1
from fake_dra_driver.dra.node.health_v1alpha1 import HealthV1alpha1
from fake_dra_driver.dra.node.v1 import NodeV1
from fake_dra_driver.dra.node.v1alpha2 import NodeV1alpha2
from fake_dra_driver.dra.node.v1alpha3 import NodeV1alpha3
from fake_dra_driver.dra.node.v1beta1 import NodeV1beta1
from fake_dra_driver.pb import (
    dra_health_v1_pb2_grpc,
    dra_health_v1alpha1_pb2_grpc,
    dra_v1_pb2_grpc,
    dra_v1alpha2_pb2_grpc,
    dra_v1alpha3_pb2_grpc,
    dra_v1beta1_pb2_grpc,
)

__all__ = ["CLASSIC", "KUBELETS", "STRUCTURED", "KubeletInterface", "add_health_services"]

ClaimT = TypeVar("ClaimT", bound=NodeClaim)


@dataclass(frozen=True)  # with slots, KubeletInterface[...](...) raises TypeError in Python 3.11
class KubeletInterface(Generic[ClaimT]):
    """The services for some kubelets, for a driver that takes the claims of their calls."""

    supported_versions: tuple[str, ...]
    """``supported_versions`` of the registration (k8s.io/kubelet/pkg/apis/pluginregistration/v1 PluginInfo)."""
    add_services: Callable[[grpc.aio.Server, ClaimCalls[ClaimT]], None]
    """Makes a server answer the kubelet's calls in every version."""

    def versions(self, *, with_health: bool) -> tuple[str, ...]:
        """``supported_versions``, without those of health where the plugin says nothing about it."""
        return tuple(version for version in self.supported_versions if with_health or version not in _HEALTH_VERSIONS)


def _add_classic(server: grpc.aio.Server, calls: ClaimCalls[ClassicClaim]) -> None:
    dra_v1alpha2_pb2_grpc.add_NodeServicer_to_server(NodeV1alpha2(calls), server)
    dra_v1alpha3_pb2_grpc.add_NodeServicer_to_server(NodeV1alpha3(calls), server)


def _add_structured(server: grpc.aio.Server, calls: ClaimCalls[NodeClaim]) -> None:
    dra_v1beta1_pb2_grpc.add_DRAPluginServicer_to_server(NodeV1beta1(calls), server)
    dra_v1_pb2_grpc.add_DRAPluginServicer_to_server(NodeV1(calls), server)


def _add_all(server: grpc.aio.Server, calls: ClaimCalls[NodeClaim]) -> None:
    _add_classic(server, calls)
    _add_structured(server, calls)


def add_health_services(server: grpc.aio.Server, streams: HealthStreams) -> None:
    """Makes a server tell kubelets since 1.34 about the health of devices."""
    dra_health_v1alpha1_pb2_grpc.add_DRAResourceHealthServicer_to_server(HealthV1alpha1(streams), server)
    dra_health_v1_pb2_grpc.add_DRAResourceHealthServicer_to_server(HealthV1(streams), server)


# Kubelets 1.27 to 1.31 want anything with major version 1, and skip what is no version; 1.32 and 1.33 look for the
# service that they know, 1.34 and later take the first one that they know. For health, 1.34 to 1.36 just try.
_CLASSIC_VERSIONS = ("1.0.0",)
_HEALTH_VERSIONS = ("v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")
_STRUCTURED_VERSIONS = ("v1.DRAPlugin", "v1beta1.DRAPlugin", *_HEALTH_VERSIONS)

CLASSIC = KubeletInterface(_CLASSIC_VERSIONS, _add_classic)
"""Kubelets 1.27 to 1.30, which speak classic DRA: ``v1alpha2.Node`` and ``v1alpha3.Node``."""

STRUCTURED = KubeletInterface(_STRUCTURED_VERSIONS, _add_structured)
"""Kubelets 1.32 and later, which speak structured DRA: ``v1beta1.DRAPlugin`` and ``v1.DRAPlugin``, and the
health of devices in both versions.
"""

KUBELETS = KubeletInterface((*_STRUCTURED_VERSIONS, *_CLASSIC_VERSIONS), _add_all)
"""All of them, for a driver that takes any claim and looks for itself whether it is a ``ClassicClaim``."""
