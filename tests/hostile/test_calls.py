"""The kubelet's calls with garbage, oversized, unknown and repeated claims, down to the real driver's files."""

from typing import cast

import grpc
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.classic import MAX_HANDLE_SIZE_BYTES, ClassicClaim
from fake_dra_driver.dra.node.v1alpha3 import NodeV1alpha3
from fake_dra_driver.driver.classic.handle import ClaimHandle, HandleDevice
from fake_dra_driver.driver.classic.holdings import wanted_by_handle
from fake_dra_driver.pb import dra_v1alpha3_pb2 as v1alpha3
from tests.crash.bounds import examples
from tests.support.node import UUIDS, NodeWorld

Context = grpc.aio.ServicerContext[v1alpha3.NodePrepareResourcesRequest, v1alpha3.NodePrepareResourcesResponse]
UnprepareContext = grpc.aio.ServicerContext[
    v1alpha3.NodeUnprepareResourcesRequest, v1alpha3.NodeUnprepareResourcesResponse
]

TEXTS = st.one_of(st.text(max_size=20), st.just("x" * 300), st.just("../../etc/passwd"), st.just("c"))
UIDS = st.one_of(TEXTS, st.sampled_from(["unknown-0", "unknown-1", "common", "-", ".", "a" * 128, "a" * 129]))
DEVICES = st.lists(
    st.builds(HandleDevice, uuid=st.sampled_from([*UUIDS, "FAKE-unknown", ""]), split=st.integers(0, 64)), max_size=6
)
HANDLES = st.one_of(
    TEXTS,
    st.just("x" * (MAX_HANDLE_SIZE_BYTES + 1)),
    st.just("[" * 5_000),
    st.builds(lambda devices: ClaimHandle(devices=tuple(devices)).to_data(), DEVICES),
    st.builds(lambda count: '{"version": "v1", "devices": [' + '{"uuid": "a"},' * count + "{}]}", st.integers(0, 200)),
)
CLAIMS = st.lists(
    st.builds(
        v1alpha3.Claim,
        namespace=st.one_of(TEXTS, st.just("default")),
        uid=UIDS,
        name=st.one_of(TEXTS, st.just("n" * 253)),
        resource_handle=HANDLES,
    ),
    max_size=6,
)


class _Context:
    """A call without a deadline."""

    def time_remaining(self) -> float | None:
        return None


async def _call(request: v1alpha3.NodePrepareResourcesRequest) -> None:
    """Prepares and unprepares what the request names, on a node where one claim is prepared already."""
    world = NodeWorld()
    plugin = await world.start()
    bystander = world.claim("bystander", 0)
    await plugin.driver.prepare(bystander)
    context = cast("Context", _Context())
    async with ClaimCalls[ClassicClaim](plugin.driver) as calls:
        node = NodeV1alpha3(calls)
        prepared = await node.NodePrepareResources(request, context)
        assert set(prepared.claims) == {claim.uid for claim in request.claims}
        done = {uid for uid, outcome in prepared.claims.items() if not outcome.error}
        assert all(prepared.claims[uid].cdi_devices for uid in done)
        assert set(world.recorded()) == {bystander.uid, *done}
        assert world.cdi_files() == world.recorded()
        whole = [device.key for claim in plugin.checkpoint.claims.values() for device in set(claim.devices)]
        holders = {uuid: {c.uid for c in plugin.checkpoint.claims.values() if uuid in c.keys} for uuid in whole}
        assert all(len(uids) == 1 for uids in holders.values()), f"two claims have one device: {holders}"
        again = await (await world.start()).prepare(bystander)
        assert len(again) == 2
        unprepared = await node.NodeUnprepareResources(
            v1alpha3.NodeUnprepareResourcesRequest(claims=[c for c in request.claims if c.uid != bystander.uid]),
            cast("UnprepareContext", _Context()),
        )
        assert all(not unprepared.claims[uid].error for uid in done)
    world.assert_sound(bystander)


@examples(30, 5_000)
@given(claims=CLAIMS)
async def test_claims_that_make_no_sense_are_refused_each_by_itself(claims: list[v1alpha3.Claim]) -> None:
    await _call(v1alpha3.NodePrepareResourcesRequest(claims=claims))


@examples(60, 10_000)
@given(data=st.binary(max_size=200), damage=st.integers(0, 200))
async def test_bytes_are_a_call_or_none(data: bytes, damage: int) -> None:
    """The second half of each message is one of a good call."""
    good = v1alpha3.NodePrepareResourcesRequest(
        claims=[v1alpha3.Claim(namespace="default", uid="a", name="a", resource_handle="{}")]
    ).SerializeToString()
    for message in (data, good[: damage % len(good)] + data, data + good):
        try:
            request = v1alpha3.NodePrepareResourcesRequest.FromString(message)
        except DecodeError:
            continue
        await _call(request)


@examples(100, 20_000)
@given(data=st.one_of(HANDLES, st.binary().map(lambda data: data.decode("utf-8", "replace"))))
def test_a_resource_handle_is_devices_or_a_value_error_in_one_line(data: str) -> None:
    problem, wanted = "", None
    try:
        wanted = wanted_by_handle(data)
    except ValueError as error:
        problem = str(error)
    if wanted is None:
        assert problem
        assert "\n" not in problem
    else:
        assert wanted
        assert len({device.uuid for device in wanted}) == len(wanted)
        assert all(0 <= device.split <= 64 for device in wanted)
