"""The calls of kubelets of structured DRA with garbage, oversized, unknown and repeated claims, in both versions."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.calls import MAX_CLAIMS, ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
from fake_dra_driver.dra.node.v1 import NodeV1
from fake_dra_driver.dra.node.v1beta1 import NodeV1beta1
from fake_dra_driver.pb import dra_v1_pb2, dra_v1beta1_pb2
from tests.crash.bounds import examples

VERSIONS: Final[dict[str, tuple[ModuleType, Any]]] = {
    "v1": (dra_v1_pb2, NodeV1),
    "v1beta1": (dra_v1beta1_pb2, NodeV1beta1),
}

TEXTS = st.one_of(st.text(max_size=20), st.just("x" * 300), st.just("../../etc/passwd"), st.just("c"))
UIDS = st.one_of(TEXTS, st.sampled_from(["known-0", "known-1", "broken", "-", ".", "a" * 128, "a" * 129]))
CLAIMS = st.lists(
    st.tuples(st.one_of(TEXTS, st.just("default")), UIDS, st.one_of(TEXTS, st.just("n" * 253), st.just("c"))),
    max_size=6,
)


class Shelf(NodeDriver[NodeClaim]):
    """Has devices for some claims, refuses others, and has a defect."""

    def __init__(self) -> None:
        self.prepared: dict[UID, NodeClaim] = {}
        self.seen: list[NodeClaim] = []

    @override
    async def prepare(self, claim: NodeClaim) -> Sequence[ReadyDevice]:
        self.seen.append(claim)
        if claim.uid == "broken":
            raise ZeroDivisionError("boom")
        if not claim.uid.startswith("known"):
            raise PrepareError(f"claim {claim} holds nothing here")
        self.prepared[claim.uid] = claim
        return [ReadyDevice("shelf", "lamp-0", (f"example.com/lamp={claim.uid}",), ("light",), "share")]

    @override
    async def unprepare(self, claim: NodeClaim) -> None:
        self.seen.append(claim)
        self.prepared.pop(claim.uid, None)


class _Context:
    """A call without a deadline."""

    def time_remaining(self) -> float | None:
        return None


async def _call(version: str, request: Any) -> None:  # a message of the version
    """Prepares and unprepares what the request names."""
    pb, servicer = VERSIONS[version]
    driver = Shelf()
    async with ClaimCalls(driver) as calls:
        node = servicer(calls)
        prepared = (await node.NodePrepareResources(request, _Context())).claims
        assert set(prepared) == {claim.uid for claim in request.claims}
        assert {uid for uid, outcome in prepared.items() if not outcome.error} == set(driver.prepared)
        for uid, outcome in prepared.items():
            assert [list(device.cdi_device_ids) for device in outcome.devices] == (
                [[f"example.com/lamp={uid}"]] if uid in driver.prepared else []
            )
        unprepared = await node.NodeUnprepareResources(
            pb.NodeUnprepareResourcesRequest(claims=request.claims), _Context()
        )
        assert set(unprepared.claims) == set(prepared)
        assert not driver.prepared
        assert all(claim.problem() is None for claim in driver.seen)


@pytest.mark.parametrize("version", VERSIONS)
@examples(50, 5_000)
@given(claims=CLAIMS)
async def test_claims_that_make_no_sense_are_refused_each_by_itself(
    version: str, claims: list[tuple[str, str, str]]
) -> None:
    pb, _ = VERSIONS[version]
    entries = [pb.Claim(namespace=namespace, uid=uid, name=name) for namespace, uid, name in claims]
    await _call(version, pb.NodePrepareResourcesRequest(claims=entries))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_call_with_more_claims_than_any_pod_has_is_refused_claim_by_claim(version: str) -> None:
    pb, servicer = VERSIONS[version]
    entries = [pb.Claim(namespace="default", uid=f"known-{n}", name="c") for n in range(MAX_CLAIMS + 1)]
    driver = Shelf()
    async with ClaimCalls(driver) as calls:
        answer = await servicer(calls).NodePrepareResources(pb.NodePrepareResourcesRequest(claims=entries), _Context())
    assert {entry.error for entry in answer.claims.values()} == {"the call names 257 claims, at most 256 are allowed"}
    assert not driver.seen


@pytest.mark.parametrize("version", VERSIONS)
@examples(60, 10_000)
@given(data=st.binary(max_size=200), damage=st.integers(0, 200))
async def test_bytes_are_a_call_or_none(version: str, data: bytes, damage: int) -> None:
    """The second half of each message is one of a good call."""
    pb, _ = VERSIONS[version]
    good = pb.NodePrepareResourcesRequest(
        claims=[pb.Claim(namespace="default", uid="known-0", name="a")]
    ).SerializeToString()
    for message in (data, good[: damage % len(good)] + data, data + good):
        try:
            request = pb.NodePrepareResourcesRequest.FromString(message)
        except DecodeError:
            continue
        await _call(version, request)
