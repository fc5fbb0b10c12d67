"""The calls of kubelet 1.27, over a real socket."""

import grpc
import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.pb import dra_v1alpha2_pb2 as v1alpha2
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as v1alpha2_grpc
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, id_of
from tests.unit.dra.node.standin import SteeredDriver

LAMPS = ["example.com/power=on", "example.com/lamp=a-0", "example.com/lamp=a-1"]
"""The CDI names of the devices of claim a, in their order; what both have is named once."""


async def test_one_claim_is_prepared_and_unprepared(channel: grpc.aio.Channel, driver: SteeredDriver) -> None:
    node = v1alpha2_grpc.NodeStub(channel)
    prepared = await node.NodePrepareResource(
        v1alpha2.NodePrepareResourceRequest(namespace="n", claim_uid="a", claim_name="c", resource_handle="h")
    )
    assert list(prepared.cdi_devices) == LAMPS
    assert driver.prepared == {"a": ClassicClaim("n", "c", UID("a"), "h")}
    await node.NodeUnprepareResource(
        v1alpha2.NodeUnprepareResourceRequest(namespace="n", claim_uid="a", claim_name="c", resource_handle="h")
    )
    assert driver.prepared == {}


@pytest.mark.parametrize(
    ("uid", "error", "code", "words"),
    [
        ("a", None, grpc.StatusCode.FAILED_PRECONDITION, "a holds nothing here"),
        ("a", RuntimeError("boom"), grpc.StatusCode.INTERNAL, "RuntimeError: boom"),
        ("", None, grpc.StatusCode.INVALID_ARGUMENT, "has no UID"),
    ],
)
async def test_a_failed_claim_fails_the_call(
    channel: grpc.aio.Channel,
    driver: SteeredDriver,
    uid: str,
    error: Exception | None,
    code: grpc.StatusCode,
    words: str,
) -> None:
    driver.refuse(uid, error)
    driver.refuse(uid, error, verb="unprepare")
    node = v1alpha2_grpc.NodeStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as prepare:
        await node.NodePrepareResource(
            v1alpha2.NodePrepareResourceRequest(namespace="n", claim_uid=uid, claim_name="c")
        )
    with pytest.raises(grpc.aio.AioRpcError) as unprepare:
        await node.NodeUnprepareResource(
            v1alpha2.NodeUnprepareResourceRequest(namespace="n", claim_uid=uid, claim_name="c")
        )
    for raised in (prepare, unprepare):
        assert raised.value.code() is code
        assert words in (raised.value.details() or "")


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "节" * 900_000, "\U0001f469" * 900_000], ids=id_of)
@pytest.mark.parametrize("error", [PrepareError, RuntimeError])
async def test_whatever_a_message_quotes_the_kubelet_gets_it(
    channel: grpc.aio.Channel, driver: SteeredDriver, error: type[Exception], name: str
) -> None:
    """It puts the message into an Event about the pod. Without a bound its gRPC drops it: a trailer has 8 KiB."""
    driver.refuse("a", error(f"claim names {name}"))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await v1alpha2_grpc.NodeStub(channel).NodePrepareResource(
            v1alpha2.NodePrepareResourceRequest(namespace="n", claim_uid="a", claim_name="c")
        )
    assert "claim names " in (raised.value.details() or "")
    assert_harmless(raised.value.details() or "", longest=1024)
