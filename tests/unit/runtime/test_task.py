import asyncio

import pytest

from fake_dra_driver.runtime.task import cancel_until_done, is_being_cancelled

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def hang(times: int, *, found: list[bool]) -> None:
    """Ends only when it is cancelled for the last of so many times."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            found.append(is_being_cancelled())
    raise asyncio.CancelledError


async def test_a_willing_task_ends_at_once() -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(1000), name="willing")
        await cancel_until_done(task, now() + 100)
        assert task.cancelled()
    assert now() == 0


async def test_an_unwilling_task_has_until_the_deadline_and_is_then_cancelled_each_second() -> None:
    found: list[bool] = []
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hang(3, found=found), name="unwilling")
        await asyncio.sleep(0)
        await cancel_until_done(task, now() + 10)
    assert now() == 10 + 1
    assert found == [True, True, True]


async def test_an_error_at_the_end_is_left_to_the_owner_of_the_task() -> None:
    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("at the end")

    async def end_it() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(fail(), name="failing")
            await asyncio.sleep(0)
            await cancel_until_done(task, now() + 10)

    with pytest.raises(ExceptionGroup) as raised:
        await end_it()
    assert isinstance(raised.value.exceptions[0], ValueError)


async def test_a_finished_task_needs_nothing() -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(0), name="finished")
    await cancel_until_done(task, now())
    assert not task.cancelled()


async def test_a_cancellation_that_came_from_elsewhere_is_told_apart() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await future
    assert not is_being_cancelled()
