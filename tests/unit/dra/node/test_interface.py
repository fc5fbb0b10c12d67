"""Which of the plugin's services each kubelet chooses from the versions that it is told."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf import empty_pb2

from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.interface import CLASSIC, KUBELETS, STRUCTURED, KubeletInterface
from fake_dra_driver.dra.node.sockets import SocketServer
from tests.unit.dra.node.standin import SteeredDriver

V1ALPHA2: Final = "v1alpha2.Node/NodePrepareResource"
V1ALPHA3: Final = "v1alpha3.Node/NodePrepareResources"
V1BETA1: Final = "k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin/NodePrepareResources"
V1: Final = "k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources"


def _by_highest_version(method: str) -> Callable[[Sequence[str]], str]:
    """The rule up to 1.31: the highest of what parses as a version, which needs two numbers, has to be 1.x."""

    def rule(named: Sequence[str]) -> str:
        found = [re.match(r"\s*v?(\d+)\.(\d+)", text) for text in named]
        versions = [(int(match[1]), int(match[2])) for match in found if match]
        assert versions, f"none of {named} is a version"
        assert max(versions)[0] == 1, f"the kubelet takes 1.x alone, not {max(versions)}"
        return method

    return rule


def _v1beta1_or_alpha(named: Sequence[str]) -> str:
    """The rule of 1.32 and 1.33."""
    return V1BETA1 if "v1beta1.DRAPlugin" in named else V1ALPHA3


def _first_that_is_known(named: Sequence[str]) -> str:
    """The rule since 1.34."""
    known = {"v1.DRAPlugin": V1, "v1beta1.DRAPlugin": V1BETA1}
    return known[next(version for version in named if version in known)]


RULES: Final = {
    "1.27": (_by_highest_version(V1ALPHA2), V1ALPHA2),
    "1.28 to 1.30": (_by_highest_version(V1ALPHA3), V1ALPHA3),
    "1.32 and 1.33": (_v1beta1_or_alpha, V1BETA1),
    "1.34 and later": (_first_that_is_known, V1),
}
CLASSIC_KUBELETS: Final = ("1.27", "1.28 to 1.30")


def _chosen(kubelet: str, interface: KubeletInterface[Any]) -> str:
    rule, expected = RULES[kubelet]
    assert rule(interface.supported_versions) == expected
    return expected


async def _is_served(interface: KubeletInterface[Any], calls: ClaimCalls[Any], folder: Path, method: str) -> bool:
    server = SocketServer(folder / "plugin.sock", lambda server: interface.add_services(server, calls))
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"unix:{server.path}") as channel:
            # Nothing is in the message, so it is one of every version.
            await channel.unary_unary(f"/{method}", request_serializer=empty_pb2.Empty.SerializeToString)(
                empty_pb2.Empty()
            )
    except grpc.aio.AioRpcError as error:
        # v1alpha2 refuses a claim without a name by an error of the call.
        return error.code() is not grpc.StatusCode.UNIMPLEMENTED
    finally:
        await server.stop(0)
    return True


@pytest.mark.parametrize("kubelet", RULES)
async def test_every_kubelet_finds_a_service_that_is_served(driver: SteeredDriver, folder: Path, kubelet: str) -> None:
    async with ClaimCalls[NodeClaim](driver) as calls:
        assert await _is_served(KUBELETS, calls, folder, _chosen(kubelet, KUBELETS))


@pytest.mark.parametrize("kubelet", RULES)
async def test_a_plugin_for_one_mode_serves_the_kubelets_of_that_mode_alone(
    driver: SteeredDriver, folder: Path, kubelet: str
) -> None:
    is_classic = kubelet in CLASSIC_KUBELETS
    one, other = (CLASSIC, STRUCTURED) if is_classic else (STRUCTURED, CLASSIC)
    method = _chosen(kubelet, one)
    async with ClaimCalls[Any](driver) as calls:
        assert await _is_served(one, calls, folder, method)
        assert not await _is_served(other, calls, folder, method)


def test_kubelets_up_to_1_31_overlook_the_names_of_services() -> None:
    with pytest.raises(AssertionError, match=r"none of .* is a version"):
        RULES["1.28 to 1.30"][0](STRUCTURED.supported_versions)
