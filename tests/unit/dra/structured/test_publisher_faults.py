"""Whatever goes wrong with a write, and whenever a publisher ends, the slices are in the end as the devices are."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import Pool
from fake_dra_driver.runtime.errors import (
    ConflictError,
    NotFoundError,
    RetryError,
    RuntimeLayerError,
    Status,
    TransportError,
    api_error,
)
from tests.support.memory_api import no_fault
from tests.support.slice_world import NODE, PublisherProcess, SliceWorld, devices, pool_of, taint

pytestmark = pytest.mark.looptime

KIND = v1.ResourceSlice.resource
ANY = NamespacedName("", "a-slice")


class KilledError(Exception):
    """The process is no more."""


HISTORY: tuple[tuple[Pool, ...], ...] = (
    (pool_of(devices(130)),),
    (pool_of(devices(129), devices(1, first=200)),),
    (pool_of(devices(65, taints=(taint(),)), devices(130, first=65)),),
    (pool_of(devices(3)),),
    (pool_of(devices(3)), pool_of(devices(1), name="second")),
    (pool_of(devices(0)),),
)
"""What a driver wants, one after the other: growth, a change, another split, shrinking, a second pool, nothing."""
SHORT_HISTORY = (
    (pool_of(devices(65, taints=(taint(),))),),
    (pool_of(devices(1, taints=(taint(),)), devices(65, first=10)), pool_of(devices(1), name="second")),
    (pool_of(devices(1)),),
)


def wanted(pools: tuple[Pool, ...]) -> dict[str, list[str]]:
    return {pool.name: [device.name for device in pool.devices] for pool in pools}


def offered(world: SliceWorld) -> dict[str, list[str] | None]:
    pools = {NODE, "second"} & {one.spec.pool.name for one in world.slices()}
    return {pool: world.offered(pool) for pool in sorted(pools)}


def check(world: SliceWorld, *histories: tuple[Pool, ...]) -> None:
    """A scheduler sees one of these states of each pool, or that the pool is not complete."""
    for pool, names in offered(world).items():
        assert names is None or names in [wanted(pools).get(pool, []) for pools in histories]


async def reach(world: SliceWorld, pools: tuple[Pool, ...]) -> PublisherProcess:
    """A new process brings the slices in line, and the one after it has nothing to do."""
    process = PublisherProcess(world, *pools)
    await process.settle()
    assert offered(world) == {pool: names for pool, names in wanted(pools).items() if names}
    again = PublisherProcess(world, *pools)
    await again.settle()
    assert again.writes() == []
    return process


@pytest.mark.parametrize("step", range(len(HISTORY)))
@pytest.mark.parametrize("has_happened", [True, False])
async def test_a_publisher_that_is_killed_at_any_write_is_succeeded(step: int, has_happened: bool) -> None:
    before, after = HISTORY[step - 1] if step else (), HISTORY[step]
    writes = 0
    for position in range(100):
        world = SliceWorld()
        if before:
            await reach(world, before)
        process = PublisherProcess(world, *after)
        countdown = position

        async def die(verb: str, kind: str) -> None:
            nonlocal countdown
            check(world, before, after)  # noqa: B023 - this round's world
            countdown -= 1
            if countdown < 0:
                raise KilledError

        if has_happened:
            process.client.after_write = die
        else:
            process.client.before_write = die
        try:
            await process.settle()
        except KilledError:
            check(world, before, after)
            await reach(world, after)
        else:
            writes = position
            break
    assert writes > 0, "a step without writes tests nothing"


Fault = Callable[[str], RuntimeLayerError]
"""Gets the verb."""

REFUSALS: dict[str, Fault] = {
    "conflict": lambda verb: api_error(Status(409, "Conflict"), verb, KIND, ANY),
    "busy": lambda verb: api_error(Status(429, "TooManyRequests", retry_after_seconds=1), verb, KIND, ANY),
    "broken": lambda verb: api_error(Status(500, "InternalError"), verb, KIND, ANY),
}


def cut_off(verb: str) -> RuntimeLayerError:
    """The write has happened, and its answer is lost: the watch tells what it would have told."""
    return TransportError(verb, KIND, ANY, "connection reset")


@pytest.mark.parametrize(
    ("fault", "has_happened"),
    [*(pytest.param(fault, False, id=name) for name, fault in REFUSALS.items()), (cut_off, False), (cut_off, True)],
)
async def test_after_a_fault_at_any_write_the_same_process_goes_on(fault: Fault, has_happened: bool) -> None:
    for position in range(100):
        world = SliceWorld()
        process = PublisherProcess(world)
        countdown, failures = position, 0

        async def fail(verb: str, kind: str) -> None:
            nonlocal countdown, failures
            countdown -= 1
            if countdown == -1:
                failures += 1
                raise fault(verb)

        if has_happened:
            process.client.after_write = fail
        else:
            process.client.before_write = fail
        for step, pools in enumerate(SHORT_HISTORY):
            process.publisher.publish(pools)
            for _ in range(3):
                try:
                    await process.settle()
                except ExceptionGroup:
                    check(world, *SHORT_HISTORY[: step + 1])
                    process.deliver()
            assert offered(world) == {pool: names for pool, names in wanted(pools).items() if names}
        if not failures:
            return
    raise AssertionError("more writes than expected")


async def test_what_comes_of_a_cache_that_lags_is_retried_quietly() -> None:
    world = SliceWorld()
    process = PublisherProcess(world, pool_of(devices(1)))
    other = PublisherProcess(world, pool_of(devices(1)))
    await process.settle()
    with pytest.raises(ExceptionGroup) as created:  # the other process has not seen the slice yet
        await other.reconcile()
    assert created.group_contains(RetryError)
    assert len(world.slices()) == 1
    other.deliver()
    world.edit(world.names()[0], devices=[])
    process.publisher.publish([pool_of(devices(2))])
    with pytest.raises(ExceptionGroup) as edited:
        await process.reconcile()
    assert edited.group_contains(ConflictError)
    world.delete()
    with pytest.raises(ExceptionGroup) as deleted:
        await process.reconcile()
    assert deleted.group_contains(RetryError)


async def test_two_publishers_of_a_rolling_update_never_make_a_device_twice() -> None:
    world = SliceWorld()
    pool = pool_of(devices(200))
    processes = [PublisherProcess(world, pool) for _ in range(2)]
    await processes[0].settle()
    for _ in range(3):
        world.delete()  # as a kubelet does at its start: all of them, and both see it
        for process in processes:
            process.deliver()
        for _ in range(3):
            for process in processes:
                with suppress(ExceptionGroup):  # what it would create is there, and it has not seen it yet
                    await process.reconcile()
                assert world.offered() in (None, [device.name for device in pool.devices])
                process.deliver()
    assert world.offered() == [device.name for device in pool.devices]
    for process in processes:
        process.writes()
        await process.settle()
        assert process.writes() == []


async def test_nothing_is_created_again_before_the_watch_tells_of_it() -> None:
    world = SliceWorld()
    process = PublisherProcess(world, pool_of(devices(200)))
    for _ in range(3):
        await process.reconcile()
    assert [verb for verb, _ in process.writes()] == ["create", "create"]


async def test_slices_need_a_node_to_go_with() -> None:
    world = SliceWorld()
    process = PublisherProcess(world, pool_of(devices(1)))
    world.api.delete(Node, NODE)
    with pytest.raises(ExceptionGroup) as failed:
        await process.reconcile()
    assert failed.group_contains(NotFoundError)
    assert world.slices() == []
    reason = process.publisher.not_published_reason()
    assert reason is not None
    assert reason.startswith("the ResourceSlices are not published yet: pool node-0: get nodes")


async def test_one_pool_does_not_wait_for_another() -> None:
    world = SliceWorld()
    process = PublisherProcess(world, pool_of(devices(1), name="first"), pool_of(devices(1, first=1), name="second"))

    async def refuse_the_first(verb: str, kind: str) -> None:
        process.client.before_write = no_fault
        raise api_error(Status(422, "Invalid", "no such device"), verb, KIND, ANY)

    process.client.before_write = refuse_the_first
    with pytest.raises(ExceptionGroup):
        await process.reconcile()
    assert world.offered("second") == ["dev-1"]
    reason = process.publisher.not_published_reason()
    assert reason is not None
    assert "pool first: " in reason
    assert "no such device" in reason
    await process.settle()
    assert process.publisher.not_published_reason() is None
