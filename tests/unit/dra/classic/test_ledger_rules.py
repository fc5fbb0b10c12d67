"""The five rules that keep a device from being given to two claims, one test for each: it fails without its rule.

Two controllers are alive at once and their caches lag. Each test stops one of them at the worst moment, lets the other
act, and goes on. ``assert_sound`` is what must hold at the end, whichever controller won.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

import pytest

from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.runtime.errors import ConflictError, RetryError
from tests.unit.dra.classic.lockers import FINALIZER, LockerProcess, LockerWorld, assert_sound


class Stop:
    """Holds a controller right before or after one of its writes, until ``resume``."""

    def __init__(self, verb: str, kind: str, occurrence: int = 1) -> None:
        self.reached = asyncio.Event()
        self._resumed = asyncio.Event()
        self._wanted = (verb, kind)
        self._left = occurrence

    async def __call__(self, verb: str, kind: str) -> None:
        if (verb, kind) == self._wanted:
            self._left -= 1
            if self._left == 0:
                self.reached.set()
                await self._resumed.wait()

    def resume(self) -> None:
        self._resumed.set()


async def outdated(work: Awaitable[object]) -> None:
    """Awaits a pass of which it is no matter whether it notices that it is outdated."""
    with suppress(ConflictError, RetryError):
        await work


@pytest.fixture
def world() -> LockerWorld:
    """One node with one device, and claims c1 and c2 of pods that both selected it."""
    world = LockerWorld()
    world.node("n", lockers=1)
    for claim in ("c1", "c2"):
        world.claim(claim)
        world.pod(f"pod-{claim}", [claim], selected="n")
    return world


@pytest.fixture
async def brains(world: LockerWorld) -> tuple[LockerProcess, LockerProcess]:
    """Two controllers that have seen everything so far."""
    first, second = LockerProcess(world), LockerProcess(world)
    first.deliver()
    second.deliver()
    return first, second


async def test_two_controllers_that_do_not_see_each_other_give_a_device_to_one_claim_only(
    world: LockerWorld, brains: tuple[LockerProcess, LockerProcess]
) -> None:
    """Rule 1, the value: the second controller's cache shows a free device that the first has just given away."""
    first, second = brains
    await first.pass_over("podschedulingcontext", "pod-c1")
    await outdated(second.pass_over("podschedulingcontext", "pod-c2"))
    assert world.lockers_of_claims() == {"c1": ["n-0"]}
    assert_sound(world)


async def test_a_writer_that_does_not_raise_the_revision_is_noticed(
    world: LockerWorld, brains: tuple[LockerProcess, LockerProcess]
) -> None:
    """Rule 1, the value: a Go driver or a person has given the device away, and left the revision as it was."""
    world.update_rack("n", status={"held": {world.read_claim("c2").uid: ["n-0"]}})
    await outdated(brains[0].pass_over("podschedulingcontext", "pod-c1"))
    assert world.lockers_of_claims() == {}
    assert list(world.ledger("n")) == [world.read_claim("c2").uid]


async def half_state(world: LockerWorld, brain: LockerProcess) -> None:
    """What a stop between ledger and claim status leaves: c1 has a finalizer and an entry, and no allocation."""
    stop = Stop("merge_patch", "ResourceClaim", occurrence=2)
    brain.client.before_write = stop
    async with asyncio.TaskGroup() as group:
        work = group.create_task(brain.pass_over("podschedulingcontext", "pod-c1"))
        await stop.reached.wait()
        work.cancel()
    assert world.read_claim("c1").metadata.finalizers == (FINALIZER,)
    assert world.lockers_of_claims() == {}


async def test_a_removal_notices_that_the_ledger_changed_and_came_back_to_the_same_value(world: LockerWorld) -> None:
    """Rules 1 and 3: the entry was written again. Its value is the same as before; only the revision tells."""
    crashed = LockerProcess(world)
    crashed.deliver()
    await half_state(world, crashed)
    remover, allocator = LockerProcess(world), LockerProcess(world)
    world.select("pod-c1", "elsewhere")
    remover.deliver()
    stop = Stop("json_patch", "Rack")
    remover.client.before_write = stop
    async with asyncio.TaskGroup() as group:
        removal = group.create_task(outdated(remover.pass_over("resourceclaim", "c1")))
        await stop.reached.wait()  # c1 is fenced, its entry not taken out yet
        world.select("pod-c1", "n")
        allocator.deliver()
        await allocator.pass_over("podschedulingcontext", "pod-c1")
        assert world.lockers_of_claims() == {"c1": ["n-0"]}
        stop.resume()
        await removal
    assert_sound(world)


async def test_a_status_write_fails_once_the_claim_was_fenced(
    world: LockerWorld, brains: tuple[LockerProcess, LockerProcess]
) -> None:
    """Rule 2: the entry that the first controller relies on is taken out, rightly, and its device given to another."""
    first, second = brains
    stop = Stop("merge_patch", "ResourceClaim", occurrence=2)
    first.client.before_write = stop
    async with asyncio.TaskGroup() as group:
        allocation = group.create_task(outdated(first.pass_over("podschedulingcontext", "pod-c1")))
        await stop.reached.wait()  # the ledger is written, the claim's status not yet
        world.select("pod-c1", "elsewhere")
        second.deliver()
        await second.pass_over("resourceclaim", "c1")
        second.deliver()
        await second.pass_over("podschedulingcontext", "pod-c2")
        assert world.lockers_of_claims() == {"c2": ["n-0"]}
        stop.resume()
        await allocation
    assert world.lockers_of_claims() == {"c2": ["n-0"]}
    assert_sound(world)


async def test_an_entry_of_a_living_claim_is_fenced_before_it_is_taken_out(
    world: LockerWorld, brains: tuple[LockerProcess, LockerProcess]
) -> None:
    """Rule 4: when the removal is done, a controller that read the claim before can no longer allocate it."""
    first, second = brains
    stop = Stop("merge_patch", "ResourceClaim", occurrence=2)
    first.client.before_write = stop
    async with asyncio.TaskGroup() as group:
        allocation = group.create_task(outdated(first.pass_over("podschedulingcontext", "pod-c1")))
        await stop.reached.wait()
        before = world.read_claim("c1").metadata.resource_version
        world.select("pod-c1", "elsewhere")
        second.deliver()
        second_stop = Stop("json_patch", "Rack")
        second.client.before_write = second_stop
        removal = group.create_task(second.pass_over("resourceclaim", "c1"))
        await second_stop.reached.wait()
        assert world.read_claim("c1").metadata.resource_version != before, "the entry goes before the claim was fenced"
        second_stop.resume()
        await removal
        stop.resume()
        await allocation
    assert world.lockers_of_claims() == {}
    assert_sound(world)


async def test_an_entry_is_fenced_even_when_the_claim_has_no_finalizer_to_take_off(world: LockerWorld) -> None:
    """Rule 4: a controller that is about to add the finalizer has read a version that is outdated by then."""
    crashed = LockerProcess(world)
    crashed.deliver()
    await half_state(world, crashed)
    world.api.update(ResourceClaim, "c1", "default", {"metadata": {"finalizers": []}})
    world.select("pod-c1", "elsewhere")
    brain = LockerProcess(world)
    brain.deliver()
    before = world.read_claim("c1").metadata.resource_version
    await brain.pass_over("resourceclaim", "c1")
    claim = world.read_claim("c1")
    assert claim.metadata.resource_version != before
    assert claim.metadata.finalizers == ()
    assert world.ledger("n") == {}


async def test_a_removal_tests_the_revision_from_before_the_fence(world: LockerWorld) -> None:
    """Rule 5: allocated again between fence and removal, which the revision from after the fence does not tell."""
    crashed = LockerProcess(world)
    crashed.deliver()
    await half_state(world, crashed)
    world.select("pod-c1", "elsewhere")
    remover, allocator = LockerProcess(world), LockerProcess(world)
    remover.deliver()
    stop = Stop("merge_patch", "ResourceClaim")
    remover.client.after_write = stop
    async with asyncio.TaskGroup() as group:
        removal = group.create_task(outdated(remover.pass_over("resourceclaim", "c1")))
        await stop.reached.wait()  # fenced
        world.select("pod-c1", "n")
        allocator.deliver()
        await allocator.pass_over("podschedulingcontext", "pod-c1")
        remover.deliver()  # the remover's cache has the new revision before it goes on
        stop.resume()
        await removal
    assert world.lockers_of_claims() == {"c1": ["n-0"]}
    assert_sound(world)


async def test_own_writes_between_mark_and_removal_do_not_count_as_a_change(world: LockerWorld) -> None:
    """Rule 5: a controller alone does not start again because it has served another claim of the node meanwhile."""
    world.update_rack("n", spec={"lockers": ["n-0", "n-1"]})
    brain = LockerProcess(world)
    brain.deliver()
    await half_state(world, brain)
    world.select("pod-c1", "elsewhere")
    brain.deliver()
    stop = Stop("merge_patch", "ResourceClaim")
    brain.client.before_write = stop
    async with asyncio.TaskGroup() as group:
        removal = group.create_task(brain.pass_over("resourceclaim", "c1"))
        await stop.reached.wait()
        await brain.pass_over("podschedulingcontext", "pod-c2")
        stop.resume()
        await removal
    assert world.lockers_of_claims() == {"c2": ["n-1"]}
    assert_sound(world)
