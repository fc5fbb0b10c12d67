"""A claim that is taken away while its pod runs: its devices stay taken as long as the node may use them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.nodestate.abandonedclaims import ABANDONED_SECONDS, LOOK_SECONDS
from fake_dra_driver.dra.nodestate.state import abandoned_of
from fake_dra_driver.driver.statelayout import FakeStateLayout
from tests.support.half_states import allocate, entries, prepare, run_pod, strip
from tests.support.soundness import devices_of_claims
from tests.support.world import NAMESPACE, Brain, World

pytestmark = pytest.mark.looptime


class Node:
    """Claim c of pod p is prepared on node n, which has a device more."""

    def __init__(self, world: World, brain: Brain) -> None:
        self.world, self.brain = world, brain
        self.uid = world.read_claim("c").uid

    def publish(self, *, prepared: bool) -> None:
        """The plugin writes whether the claim is prepared."""
        prepare(self.world, self.uid, undo=not prepared)

    def strip(self) -> None:
        """A user deletes the claim, and takes its finalizers off."""
        strip(self.world)

    @property
    def abandoned(self) -> set[str]:
        return set(abandoned_of(FakeStateLayout(), self.world.api.read(NodeAllocationState, "n", NAMESPACE)))


@asynccontextmanager
async def prepared(world: World) -> AsyncIterator[Node]:
    """With a controller at work, which has seen it all."""
    await allocate(world)
    run_pod(world)
    brain = Brain(world)
    found = Node(world, brain)
    found.publish(prepared=True)
    async with brain.running():
        await brain.settle()
        yield found


async def test_devices_stay_taken_until_the_node_has_ended_the_claim(world: World) -> None:
    async with prepared(world) as node:
        node.strip()
        world.api.delete(NodeAllocationState, "other", NAMESPACE)
        world.claim("d", count=2)
        world.pod("q", ["d"], selected="n")
        await node.brain.settle()
        assert devices_of_claims(world) == {}
        assert list(entries(world)) == [node.uid]
        messages = node.brain.events.messages("InsufficientDevices")
        assert messages
        assert all("asked for 2 devices" in message for message in messages), messages
        node.publish(prepared=False)
        await node.brain.settle()
        assert devices_of_claims(world) == {"d": ["n-0", "n-1"]}
        assert list(entries(world)) == [world.read_claim("d").uid]
        assert len(node.brain.events.messages("LedgerEntryRemoved")) == 1


async def test_an_edited_ledger_does_not_free_what_is_prepared(world: World) -> None:
    async with prepared(world) as node:
        node.strip()
        world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": None}})
        world.claim("d")
        world.claim("e")
        world.pod("q", ["d"], selected="n")
        world.pod("r", ["e"], selected="n")
        await node.brain.settle()
        assert devices_of_claims(world) in ({"d": ["n-1"]}, {"e": ["n-1"]})


async def test_a_claim_in_mode_immediate_waits_as_well(world: World) -> None:
    async with prepared(world) as node:
        node.strip()
        world.api.delete(NodeAllocationState, "other", NAMESPACE)
        world.claim("d", count=2, mode="Immediate")
        await node.brain.settle()
        assert devices_of_claims(world) == {}
        node.publish(prepared=False)
        await node.brain.settle()
        assert devices_of_claims(world) == {"d": ["n-0", "n-1"]}


async def test_it_is_told_on_the_node_and_on_the_pod_once(world: World) -> None:
    async with prepared(world) as node:
        node.strip()
        await asyncio.sleep(LOOK_SECONDS / 2)
        await node.brain.settle()
        assert node.brain.events.messages("ClaimLostInUse") == []
        for _ in range(10):
            await asyncio.sleep(ABANDONED_SECONDS)
            await node.brain.settle()
        assert [about for about, reason, _ in node.brain.events.events if reason == "ClaimLostInUse"] == ["n", "p"]
        assert node.abandoned == set(), "a pod that may use it runs"


async def test_a_claim_that_was_created_again_does_not_stand_for_the_one_that_is_gone(world: World) -> None:
    async with prepared(world) as node:
        node.strip()
        world.claim("c")
        await node.brain.settle()
        await asyncio.sleep(2 * ABANDONED_SECONDS)
        assert len(node.brain.events.messages("ClaimLostInUse")) == 2
        assert node.abandoned == set()


STARTED = "2026-01-01T00:00:01Z"
"""A second after objects are created, unless it is said otherwise."""


def recreate(world: World, name: str, *, created: str) -> str:
    """Claim c or its successor, created at another time and reserved for pod p, which started; returns its UID."""
    uid = world.claim(name).uid
    consumer = {"resource": "pods", "name": "p", "uid": world.api.read(Pod, "p", "default").uid}
    changed = {"metadata": {"creationTimestamp": created}, "status": {"reservedFor": [consumer]}}
    world.api.update(ResourceClaim, name, "default", changed)
    return uid


@pytest.mark.parametrize("created", [STARTED, "2026-01-01T00:00:30Z"], ids=["same second", "later"])
@pytest.mark.parametrize("name", ["c", "p-device-x"], ids=["same name", "template"])
async def test_a_claim_that_was_created_again_and_reserved_does_not_stand_for_it_either(
    world: World, name: str, created: str
) -> None:
    """kube-controller-manager reserves it for the pod that runs; from a template, it creates it as well."""
    async with prepared(world) as node:
        world.api.update(Pod, "p", "default", {"status": {"startTime": STARTED}})
        node.strip()
        recreate(world, name, created=created)
        if name != "c":
            template = {"resourceClaims": [{"name": "device", "source": {"resourceClaimTemplateName": "t"}}]}
            made = {"resourceClaimStatuses": [{"name": "device", "resourceClaimName": name}]}
            world.api.update(Pod, "p", "default", {"spec": template, "status": made})
        for _ in range(3):
            await asyncio.sleep(ABANDONED_SECONDS)
            await node.brain.settle()
        assert node.abandoned == set()
        assert len(node.brain.events.messages("ClaimLostInUse")) == 2


async def test_what_another_pod_has_prepared_does_not_stand_for_it(world: World) -> None:
    async with prepared(world) as node:
        world.api.update(Pod, "p", "default", {"status": {"startTime": STARTED}})
        node.strip()
        uid = recreate(world, "c", created=STARTED)
        ours = world.read_claim("c").status.reserved_for[0].uid
        both = [{"resource": "pods", "name": "p", "uid": ours}, {"resource": "pods", "name": "q", "uid": "q"}]
        world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": both}})
        prepare(world, uid)
        for _ in range(3):
            await asyncio.sleep(ABANDONED_SECONDS)
            await node.brain.settle()
        assert node.abandoned == set()


@pytest.mark.parametrize("ended", ["gone", "Succeeded", "Failed"])
async def test_the_plugin_is_told_once_no_pod_can_use_the_claim(world: World, ended: str) -> None:
    """A pod was removed by force while the kubelet was away, which never ends its claim then."""
    async with prepared(world) as node:
        node.strip()
        if ended == "gone":
            world.api.delete(Pod, "p", "default")
        else:
            world.api.update(Pod, "p", "default", {"status": {"phase": ended}})
        await node.brain.settle()
        await asyncio.sleep(ABANDONED_SECONDS / 2)
        assert node.abandoned == set(), "the kubelet may be stopping its containers"
        await asyncio.sleep(ABANDONED_SECONDS)
        assert node.abandoned == {node.uid}
        assert list(entries(world)) == [node.uid], "it is still prepared"
        await node.brain.settle()
        node.publish(prepared=False)
        await node.brain.settle()
        assert node.abandoned == set()
        assert entries(world) == {}
        assert node.brain.events.messages("ClaimLostInUse") == []


@pytest.mark.parametrize("how", ["claim before pod", "prepared in the second of its start", "waits for devices"])
async def test_a_pod_with_the_claims_that_it_started_with_uses_no_other(world: World, how: str) -> None:
    async with prepared(world) as node:
        node.strip()
        world.api.delete(Pod, "p", "default")
        claim = world.claim("d")
        world.pod("q", ["d"], selected="n")
        await node.brain.settle()
        uid = world.api.read(Pod, "q", "default").uid
        started = STARTED if how == "claim before pod" else "2026-01-01T00:00:00Z"
        container = {} if how == "waits for devices" else {"containerID": "containerd://1"}
        status = {"phase": "Running", "startTime": started, "containerStatuses": [container]}
        world.api.update(Pod, "q", "default", {"spec": {"nodeName": "n"}, "status": status})
        if how == "prepared in the second of its start":
            prepare(world, claim.uid)
        reserved = [{"resource": "pods", "name": "q", "uid": uid}]
        world.api.update(ResourceClaim, "d", "default", {"status": {"reservedFor": reserved}})
        await asyncio.sleep(2 * ABANDONED_SECONDS)
        await node.brain.settle()
        assert node.abandoned == {node.uid}


async def test_an_extended_resource_is_a_claim_too(world: World) -> None:
    """From Kubernetes 1.34 on the scheduler makes a claim for it that the pod's spec does not name."""
    async with prepared(world) as node:
        node.strip()
        world.api.update(
            Pod,
            "p",
            "default",
            {
                "spec": {"resourceClaims": None},
                "status": {"extendedResourceClaimStatus": {"resourceClaimName": "p-extended-resources-x"}},
            },
        )
        await asyncio.sleep(2 * ABANDONED_SECONDS)
        await node.brain.settle()
        assert node.abandoned == set()


async def test_a_claim_that_is_gone_only_for_a_moment_costs_no_request(world: World) -> None:
    """In ordinary operation a claim is deallocated a moment before the plugin's write is seen."""
    async with prepared(world) as node:
        node.brain.client.calls.clear()
        node.strip()
        await node.brain.settle()
        node.publish(prepared=False)
        await node.brain.settle()
        await asyncio.sleep(2 * ABANDONED_SECONDS)
        assert ("list", "Pod") not in node.brain.client.calls
