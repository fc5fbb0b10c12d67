"""The kubelet's calls in structured DRA: garbage in the call, and claims with whatever their allocation can say."""

from collections.abc import Sequence
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.v1 import NodeV1
from fake_dra_driver.pb import dra_v1_pb2 as pb
from tests.crash.bounds import examples
from tests.support.node import NODE
from tests.support.structurednode import OTHER_DRIVER, StructuredWorld, parameters, result

Context = grpc.aio.ServicerContext[pb.NodePrepareResourcesRequest, pb.NodePrepareResourcesResponse]
UnprepareContext = grpc.aio.ServicerContext[pb.NodeUnprepareResourcesRequest, pb.NodeUnprepareResourcesResponse]

CLAIM_NAMES = ("a", "b", "c")
TEXTS = st.one_of(st.text(max_size=20), st.just("x" * 300), st.just("../../etc/passwd"))
NAMES = st.one_of(TEXTS, st.sampled_from(["r", "r/s", "fake-0", "fake-1", "fake-99", "-", "\x00", "a b"]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=2)),
    max_leaves=5,
)
RESULTS = st.builds(
    result,
    st.one_of(st.integers(0, 9), NAMES),
    NAMES,
    driver=st.sampled_from([DRIVER_NAME, DRIVER_NAME, OTHER_DRIVER]),
    pool=st.sampled_from([NODE, NODE, NODE, "elsewhere", ""]),
    share_id=st.sampled_from([None, None, "29af2b1c-7d3e-4f5a-9b60-000000000001", "../x", ""]),
    admin_access=st.sampled_from([None, True, False]),
)
CONFIGS = st.one_of(
    st.builds(parameters, NAMES, split=st.integers(-1, 65)),
    st.builds(parameters, count=st.integers(0, 3)),
    st.builds(
        v1.DeviceAllocationConfiguration,
        source=st.sampled_from(["FromClass", "FromClaim", ""]),
        requests=st.lists(NAMES, max_size=2).map(tuple),
        opaque=st.builds(v1.OpaqueDeviceConfiguration, driver=st.just(DRIVER_NAME), parameters=JSON),
    ),
)
STATUSES = st.builds(
    lambda results, config: v1.ResourceClaimStatus(
        allocation=v1.AllocationResult(devices=v1.DeviceAllocationResult(results=tuple(results), config=tuple(config)))
    ),
    st.lists(RESULTS, max_size=4),
    st.lists(CONFIGS, max_size=2),
)
CALLED = st.lists(
    st.one_of(
        st.sampled_from(CLAIM_NAMES).map(lambda name: ("default", name, f"uid-{name}")),
        st.tuples(TEXTS, TEXTS, TEXTS),
        st.tuples(st.just("default"), st.sampled_from(CLAIM_NAMES), TEXTS),
    ),
    max_size=6,
)


class _Context:
    """A call without a deadline."""

    def time_remaining(self) -> float | None:
        return None


async def _call(statuses: Sequence[v1.ResourceClaimStatus], request: pb.NodePrepareResourcesRequest) -> None:
    """Prepares and unprepares what the request names, on a node where one claim is prepared already."""
    world = StructuredWorld()
    plugin = await world.start()
    bystander = world.claim("bystander", 0)
    await plugin.driver.prepare(bystander)
    for name, status in zip(CLAIM_NAMES, statuses, strict=False):
        metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
        world.api.apply(v1.ResourceClaim(metadata=ObjectMeta(**metadata), status=status))
    async with ClaimCalls[NodeClaim](plugin.driver) as calls:
        node = NodeV1(calls)
        prepared = await node.NodePrepareResources(request, cast("Context", _Context()))
        assert set(prepared.claims) == {claim.uid for claim in request.claims}
        done = {uid for uid, outcome in prepared.claims.items() if not outcome.error}
        assert set(world.recorded()) == {bystander.uid, *done}
        for uid in done:
            devices = prepared.claims[uid].devices
            assert devices
            assert all(device.pool_name == NODE and "/" not in device.request_names[0] for device in devices)
            defined = {f"k8s.fake.resource.3-shake.com/fake={name}" for name in world.environments()[uid]}
            assert {name for device in devices for name in device.cdi_device_ids[:-1]} == defined
        world.assert_sound(plugin, *(NodeClaim("", "", UID(uid)) for uid in plugin.checkpoint.claims))
        assert len((await (await world.start()).driver.prepare(bystander))[0].cdi_device_ids) == 2
        unprepared = await node.NodeUnprepareResources(
            pb.NodeUnprepareResourcesRequest(claims=[c for c in request.claims if c.uid != bystander.uid]),
            cast("UnprepareContext", _Context()),
        )
        assert all(not unprepared.claims[uid].error for uid in done)
    world.assert_sound(plugin, bystander)


@examples(60, 10_000)
@given(statuses=st.lists(STATUSES, min_size=3, max_size=3), called=CALLED)
async def test_whatever_claims_say_each_is_answered_by_itself(
    statuses: list[v1.ResourceClaimStatus], called: list[tuple[str, str, str]]
) -> None:
    claims = [pb.Claim(namespace=namespace, name=name, uid=uid) for namespace, name, uid in called]
    await _call(statuses, pb.NodePrepareResourcesRequest(claims=claims))


@examples(60, 10_000)
@given(data=st.binary(max_size=200), damage=st.integers(0, 200))
async def test_bytes_are_a_call_or_none(data: bytes, damage: int) -> None:
    """The second half of each message is one of a good call."""
    good = pb.NodePrepareResourcesRequest(
        claims=[pb.Claim(namespace="default", uid="uid-a", name="a")]
    ).SerializeToString()
    for message in (data, good[: damage % len(good)] + data, data + good):
        try:
            request = pb.NodePrepareResourcesRequest.FromString(message)
        except DecodeError:
            continue
        await _call([v1.ResourceClaimStatus()] * 3, request)
