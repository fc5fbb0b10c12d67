"""What a plugin offers the kubelet: the gRPC services of one mode of DRA, and the versions that it registers with.

Each gRPC version is one small adapter that translates messages and nothing else (``v1alpha2``, ``v1alpha3``); the rules
are in ``calls``. All versions of a mode are served at once, so that no setting has to name the one the kubelet speaks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import grpc

from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.v1alpha2 import NodeV1alpha2
from fake_dra_driver.dra.node.v1alpha3 import NodeV1alpha3
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc, dra_v1alpha3_pb2_grpc

__all__ = ["CLASSIC", "KubeletInterface"]

ClaimT = TypeVar("ClaimT", bound=NodeClaim)


@dataclass(frozen=True)  # with slots, KubeletInterface[...](...) raises TypeError in Python 3.11
class KubeletInterface(Generic[ClaimT]):
    """One mode of DRA as the kubelet sees it, with claims as its calls name them."""

    supported_versions: tuple[str, ...]
    """``supported_versions`` of the registration (k8s.io/kubelet/pkg/apis/pluginregistration/v1 PluginInfo)."""
    add_services: Callable[[grpc.aio.Server, ClaimCalls[ClaimT]], None]
    """Makes a server answer the kubelet's calls in every version of the mode."""


def _add_classic(server: grpc.aio.Server, calls: ClaimCalls[ClassicClaim]) -> None:
    dra_v1alpha2_pb2_grpc.add_NodeServicer_to_server(NodeV1alpha2(calls), server)
    dra_v1alpha3_pb2_grpc.add_NodeServicer_to_server(NodeV1alpha3(calls), server)


# Kubelets 1.27 to 1.30 take a plugin of either gRPC version when it names anything with major version 1.
CLASSIC = KubeletInterface(supported_versions=("1.0.0",), add_services=_add_classic)
"""Classic DRA, kubelets 1.27 to 1.30: ``v1alpha2.Node`` and ``v1alpha3.Node``."""
