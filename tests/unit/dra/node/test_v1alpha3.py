"""The calls of kubelets 1.28 to 1.30, over a real socket."""

import asyncio

import grpc
import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.pb import dra_v1alpha3_pb2 as v1alpha3
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as v1alpha3_grpc
from tests.unit.dra.node.standin import SteeredDriver

LAMPS = ["example.com/power=on", "example.com/lamp=a-0", "example.com/lamp=a-1"]
"""The CDI names of the devices of claim a, in their order; what both have is named once."""


def claims(*uids: str) -> list[v1alpha3.Claim]:
    return [v1alpha3.Claim(namespace="test1", uid=uid, name=f"pod0-{uid}", resource_handle="h") for uid in uids]


async def test_each_claim_has_an_entry_in_the_answer(channel: grpc.aio.Channel, driver: SteeredDriver) -> None:
    node = v1alpha3_grpc.NodeStub(channel)
    driver.refuse("b")
    prepared = await node.NodePrepareResources(
        v1alpha3.NodePrepareResourcesRequest(
            claims=[*claims("a", "b"), v1alpha3.Claim(namespace="test1", name="pod0-x")]
        )
    )
    assert set(prepared.claims) == {"a", "b", ""}
    assert list(prepared.claims["a"].cdi_devices) == LAMPS
    assert prepared.claims["a"].error == ""
    assert list(prepared.claims["b"].cdi_devices) == []
    assert prepared.claims["b"].error == "b holds nothing here"
    assert "has no UID" in prepared.claims[""].error
    assert driver.prepared == {"a": ClassicClaim("test1", "pod0-a", UID("a"), "h")}

    driver.refuse("a", RuntimeError("disk on fire"), verb="unprepare")
    unprepared = await node.NodeUnprepareResources(v1alpha3.NodeUnprepareResourcesRequest(claims=claims("a", "b")))
    assert set(unprepared.claims) == {"a", "b"}
    assert "RuntimeError: disk on fire" in unprepared.claims["a"].error
    assert unprepared.claims["b"].error == "", "never prepared is as good as unprepared"


async def test_a_call_can_be_repeated(channel: grpc.aio.Channel) -> None:
    node = v1alpha3_grpc.NodeStub(channel)
    request = v1alpha3.NodePrepareResourcesRequest(claims=claims("a"))
    assert await node.NodePrepareResources(request) == await node.NodePrepareResources(request)


async def test_the_callers_deadline_bounds_the_answer(channel: grpc.aio.Channel, driver: SteeredDriver) -> None:
    driver.hold_up("slow")
    response = await v1alpha3_grpc.NodeStub(channel).NodePrepareResources(
        v1alpha3.NodePrepareResourcesRequest(claims=claims("slow", "quick")), timeout=1.0
    )
    assert "takes longer than 0." in response.claims["slow"].error
    assert response.claims["quick"].error == ""


async def test_a_second_call_for_a_claim_waits_for_the_first(channel: grpc.aio.Channel, driver: SteeredDriver) -> None:
    node = v1alpha3_grpc.NodeStub(channel)
    gate = driver.hold_up("a")
    prepare = asyncio.ensure_future(node.NodePrepareResources(v1alpha3.NodePrepareResourcesRequest(claims=claims("a"))))
    await driver.wait_started("a")
    unprepare = asyncio.ensure_future(
        node.NodeUnprepareResources(v1alpha3.NodeUnprepareResourcesRequest(claims=claims("a", "other")))
    )
    await driver.wait_started("other")
    gate.set()
    await asyncio.gather(prepare, unprepare)
    assert not driver.overlapped
    assert driver.prepared == {}


async def test_methods_that_are_not_served_are_unimplemented(channel: grpc.aio.Channel) -> None:
    """Kubelet 1.30 asks every plugin for its resources and stops asking at this answer only."""
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(
        "/v1alpha3.Node/NodeListAndWatchResources"
    )
    stream = call(b"")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stream.read()
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_fields_of_structured_parameters_are_skipped(channel: grpc.aio.Channel, driver: SteeredDriver) -> None:
    """Kubelet 1.30 may send structured_resource_handle (5), which our messages do not have."""
    claim = claims("a")[0].SerializeToString() + bytes([0x2A, 0x02, 0x0A, 0x00])
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, v1alpha3.NodePrepareResourcesResponse] = channel.unary_unary(
        "/v1alpha3.Node/NodePrepareResources",
        response_deserializer=v1alpha3.NodePrepareResourcesResponse.FromString,
    )
    response = await call(bytes([0x0A, len(claim)]) + claim)
    assert response.claims["a"].error == ""
    assert set(driver.prepared) == {"a"}


async def test_a_malformed_message_does_no_harm(channel: grpc.aio.Channel) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/v1alpha3.Node/NodePrepareResources")
    with pytest.raises(grpc.aio.AioRpcError):
        await call(b"\xff\xff\xff")
    response = await v1alpha3_grpc.NodeStub(channel).NodePrepareResources(
        v1alpha3.NodePrepareResourcesRequest(claims=claims("a"))
    )
    assert response.claims["a"].error == ""
