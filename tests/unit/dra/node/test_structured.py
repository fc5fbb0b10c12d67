"""The calls of kubelets 1.32 and later in both versions, over a real socket."""

import asyncio
from types import ModuleType
from typing import Any, Final

import grpc
import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import ReadyDevice
from fake_dra_driver.pb import dra_v1_pb2, dra_v1_pb2_grpc, dra_v1beta1_pb2, dra_v1beta1_pb2_grpc
from tests.unit.dra.node.standin import SteeredDriver

VERSIONS: Final = {
    "v1": (dra_v1_pb2, dra_v1_pb2_grpc),
    "v1beta1": (dra_v1beta1_pb2, dra_v1beta1_pb2_grpc),
}


class Kubelet:
    """Calls in one of the versions."""

    def __init__(self, channel: grpc.aio.Channel, version: str) -> None:
        self.pb: ModuleType
        self.pb, stubs = VERSIONS[version]
        self.channel = channel
        self._node = stubs.DRAPluginStub(channel)

    def claim(self, uid: str, name: str | None = None) -> Any:  # a message of the version
        return self.pb.Claim(namespace="test1", uid=uid, name=f"pod0-{uid}" if name is None else name)

    async def prepare(self, *claims: Any, timeout: float | None = None) -> Any:
        request = self.pb.NodePrepareResourcesRequest(claims=claims)
        return (await self._node.NodePrepareResources(request, timeout=timeout)).claims

    async def unprepare(self, *claims: Any) -> Any:
        return (await self._node.NodeUnprepareResources(self.pb.NodeUnprepareResourcesRequest(claims=claims))).claims


@pytest.fixture(params=VERSIONS)
def kubelet(channel: grpc.aio.Channel, request: pytest.FixtureRequest) -> Kubelet:
    return Kubelet(channel, request.param)


async def test_each_claim_has_an_entry_in_the_answer(kubelet: Kubelet, driver: SteeredDriver) -> None:
    driver.refuse("b")
    prepared = await kubelet.prepare(kubelet.claim("a"), kubelet.claim("b"), kubelet.claim(""))
    assert set(prepared) == {"a", "b", ""}
    assert prepared["a"].error == ""
    assert [(device.pool_name, device.device_name, *device.cdi_device_ids) for device in prepared["a"].devices] == [
        ("study", "lamp-0", "example.com/power=on", "example.com/lamp=a-0"),
        ("study", "lamp-1", "example.com/power=on", "example.com/lamp=a-1"),
    ]
    assert (prepared["b"].error, list(prepared["b"].devices)) == ("b holds nothing here", [])
    assert "has no UID" in prepared[""].error
    assert driver.prepared == {"a": NodeClaim("test1", "pod0-a", UID("a"))}

    driver.refuse("a", RuntimeError("disk on fire"), verb="unprepare")
    unprepared = await kubelet.unprepare(kubelet.claim("a"), kubelet.claim("b"), kubelet.claim(""))
    assert set(unprepared) == {"a", "b", ""}
    assert "RuntimeError: disk on fire" in unprepared["a"].error
    assert unprepared["b"].error == "", "never prepared is as good as unprepared"
    assert "has no UID" in unprepared[""].error


async def test_a_device_goes_out_as_the_driver_has_described_it(kubelet: Kubelet, driver: SteeredDriver) -> None:
    driver.devices[UID("a")] = [
        ReadyDevice("study", "lamp-0", ("example.com/lamp=0",), ("reading", "writing"), "share-0"),
        ReadyDevice("study", "lamp-1", ()),
    ]
    shared, whole = (await kubelet.prepare(kubelet.claim("a")))["a"].devices
    assert list(shared.request_names) == ["reading", "writing"]
    assert list(whole.request_names) == list(whole.cdi_device_ids) == []
    has_shares = "share_id" in shared.DESCRIPTOR.fields_by_name
    assert has_shares == (kubelet.pb is dra_v1_pb2)
    if has_shares:
        assert shared.share_id == "share-0"
        assert not whole.HasField("share_id"), "no share is not a share without a name"


async def test_a_call_without_claims_is_answered_without_entries(kubelet: Kubelet) -> None:
    assert dict(await kubelet.prepare()) == dict(await kubelet.unprepare()) == {}


async def test_a_claim_that_a_call_names_twice_is_prepared_once(kubelet: Kubelet, driver: SteeredDriver) -> None:
    prepared = await kubelet.prepare(kubelet.claim("a"), kubelet.claim("a"))
    assert prepared["a"].error == ""
    assert driver.log == [("prepare", "a")]
    prepared = await kubelet.prepare(kubelet.claim("a"), kubelet.claim("a", "another"))
    assert "the call names this UID twice" in prepared["a"].error


async def test_the_callers_deadline_bounds_the_answer(kubelet: Kubelet, driver: SteeredDriver) -> None:
    driver.hold_up("slow")
    prepared = await kubelet.prepare(kubelet.claim("slow"), kubelet.claim("quick"), timeout=1.0)
    assert "takes longer than 0." in prepared["slow"].error
    assert prepared["quick"].error == ""


async def test_a_call_in_another_version_waits_for_the_first(channel: grpc.aio.Channel, driver: SteeredDriver) -> None:
    """A kubelet that is upgraded meanwhile."""
    before, after = Kubelet(channel, "v1beta1"), Kubelet(channel, "v1")
    gate = driver.hold_up("a")
    prepare = asyncio.ensure_future(before.prepare(before.claim("a")))
    await driver.wait_started("a")
    unprepare = asyncio.ensure_future(after.unprepare(after.claim("a"), after.claim("other")))
    await driver.wait_started("other")
    gate.set()
    await asyncio.gather(prepare, unprepare)
    assert not driver.overlapped
    assert driver.prepared == {}


async def test_a_malformed_message_does_no_harm(kubelet: Kubelet) -> None:
    service = kubelet.pb.DESCRIPTOR.services_by_name["DRAPlugin"].full_name
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = kubelet.channel.unary_unary(
        f"/{service}/NodePrepareResources"
    )
    with pytest.raises(grpc.aio.AioRpcError):
        await call(b"\xff\xff\xff")
    assert (await kubelet.prepare(kubelet.claim("a")))["a"].error == ""
