"""A lock for each key."""

import asyncio

import pytest

from fake_dra_driver.runtime.keyedlock import KeyedLock


async def test_a_key_is_held_by_one_at_a_time_in_the_order_of_arrival() -> None:
    locks = KeyedLock[str]()
    seen: list[str] = []

    async def work(name: str) -> None:
        async with locks.hold("claim"):
            seen.append(f"{name} begins")
            await asyncio.sleep(0)
            seen.append(f"{name} ends")

    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(work(name))

    assert seen == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]
    assert len(locks) == 0


async def test_other_keys_do_not_wait() -> None:
    locks = KeyedLock[str]()

    async with locks.hold("a"), locks.hold("b"):
        assert len(locks) == 2

    assert len(locks) == 0


async def test_several_keys_are_taken_without_deadlock_whatever_their_order_and_number() -> None:
    locks = KeyedLock[str]()
    holders: list[str] = []

    async def work(*keys: str) -> None:
        async with locks.hold(*keys):
            assert not set(holders).intersection(keys)
            holders.extend(keys)
            await asyncio.sleep(0)
            for key in keys:
                holders.remove(key)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for keys in (("a", "b"), ("b", "a"), ("a", "a"), ("c", "b"), ("a", "c"), ()):
            group.create_task(work(*keys))

    assert len(locks) == 0


@pytest.mark.parametrize("is_holder", [True, False])
async def test_a_task_that_is_cancelled_leaves_the_key_to_the_next(is_holder: bool) -> None:
    locks = KeyedLock[str]()
    got: list[str] = []

    async def hold(name: str) -> None:
        async with locks.hold("claim"):
            got.append(name)
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hold(name)) for name in ("first", "second", "third")]
        await asyncio.sleep(0)
        assert got == ["first"]
        tasks[0 if is_holder else 1].cancel()
        await asyncio.wait([tasks[0 if is_holder else 1]])
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert got == ["first", "second" if is_holder else "third"]
        for task in tasks:
            task.cancel()

    assert len(locks) == 0


async def test_an_error_in_the_block_sets_the_keys_free() -> None:
    locks = KeyedLock[str]()

    with pytest.raises(ZeroDivisionError):
        async with locks.hold("a", "b"):
            raise ZeroDivisionError

    assert len(locks) == 0
