"""What the scheduler writes is for the objects that it has seen: what has changed meanwhile is left as it is."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.scheduler.classic.claimwriter import ClaimWriter
from fake_dra_driver.cluster.scheduler.classic.decision import Negotiate
from fake_dra_driver.runtime.errors import PatchTestFailedError, RuntimeLayerError
from tests.support.control_plane import ControlPlane, ref

pytestmark = pytest.mark.looptime

Write = Callable[[ClaimWriter, Any, Pod], Awaitable[None]]


@pytest.fixture
def writer(plane: ControlPlane) -> ClaimWriter:
    return ClaimWriter(plane.client)


async def pods(plane: ControlPlane) -> tuple[Pod, Pod]:
    """Two that the running scheduler leaves alone."""
    return await plane.pod("p", schedulerName="none"), await plane.pod("other", schedulerName="none")


async def consumers(plane: ControlPlane) -> list[str]:
    claim = await plane.client.get(ResourceClaim, ref("claim"))
    return [each.name for each in claim.status.reserved_for]


async def test_a_reservation_is_removed(plane: ControlPlane, writer: ClaimWriter) -> None:
    pod, other = await pods(plane)
    await plane.claim("claim")
    claim = await plane.allocate("claim", "node-a", other, pod, shareable=True)
    await writer.unreserve(claim, pod)
    assert await consumers(plane) == ["other"]
    await writer.unreserve(
        claim.model_copy(update={"status": claim.status.model_copy(update={"reserved_for": ()})}), pod
    )
    assert await consumers(plane) == ["other"]


async def test_the_reservation_of_another_pod_stays(plane: ControlPlane, writer: ClaimWriter) -> None:
    """The list has changed since it was seen: another pod stands where this one stood."""
    pod, other = await pods(plane)
    await plane.claim("claim")
    seen = await plane.allocate("claim", "node-a", pod, shareable=True)
    await plane.allocate("claim", "node-a", other, pod, shareable=True)
    with pytest.raises(PatchTestFailedError):
        await writer.unreserve(seen, pod)
    assert await consumers(plane) == ["other", "p"]


async def _unreserve(writer: ClaimWriter, claim: ResourceClaim, pod: Pod) -> None:
    await writer.unreserve(claim, pod)


async def _reserve(writer: ClaimWriter, claim: ResourceClaim, pod: Pod) -> None:
    await writer.reserve(claim, pod)


async def _request_deallocation(writer: ClaimWriter, claim: ResourceClaim, pod: Pod) -> None:
    await writer.request_deallocation(claim)


@pytest.mark.parametrize("write", [_unreserve, _reserve, _request_deallocation])
async def test_a_claim_of_the_same_name_is_another_one(plane: ControlPlane, writer: ClaimWriter, write: Write) -> None:
    pod, _ = await pods(plane)
    await plane.claim("claim")
    seen = await plane.allocate("claim", "node-a", pod, shareable=True)
    await plane.delete(ResourceClaim, ref("claim"))
    await plane.claim("claim")
    after = await plane.allocate("claim", "node-a", pod, shareable=True)
    with pytest.raises(RuntimeLayerError):
        await write(writer, seen, pod)
    assert await plane.client.get(ResourceClaim, ref("claim")) == after


async def _publish(writer: ClaimWriter, context: PodSchedulingContext, pod: Pod) -> None:
    await writer.publish(pod, context, Negotiate("waiting", selected_node="node-b"))


async def _clear(writer: ClaimWriter, context: PodSchedulingContext, pod: Pod) -> None:
    await writer.clear_selection(context)


async def _delete(writer: ClaimWriter, context: PodSchedulingContext, pod: Pod) -> None:
    await writer.delete_context(context)


@pytest.mark.parametrize("write", [_publish, _clear, _delete])
async def test_a_context_of_the_same_name_is_another_one(
    plane: ControlPlane, writer: ClaimWriter, write: Write
) -> None:
    pod, _ = await pods(plane)
    there = await plane.create(PodSchedulingContext, "p", spec={"selectedNode": "node-a"})
    metadata = there.metadata.model_copy(update={"uid": UID("of-a-predecessor")})
    with pytest.raises(RuntimeLayerError):
        await write(writer, there.model_copy(update={"metadata": metadata}), pod)
    assert await plane.client.get(PodSchedulingContext, ref("p")) == there
    await write(writer, there, pod)
    assert [each.spec.selected_node for each in (await plane.client.list(PodSchedulingContext)).items] in (
        [["node-b"]] if write is _publish else [[""]] if write is _clear else [[]]
    )
