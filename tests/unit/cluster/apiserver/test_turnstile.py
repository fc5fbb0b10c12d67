"""Many requests of this process leave the event loop to others, in order, and without holding each other up."""

import asyncio

from fake_dra_driver.cluster.apiserver.http.turnstile import Turnstile


async def test_no_more_than_so_many_pass_in_a_turn_and_all_pass_in_order() -> None:
    turnstile, passed, at_turn = Turnstile(3), list[int](), list[int]()

    async def enter(number: int) -> None:
        await turnstile.enter()
        passed.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(enter(number))
        while len(passed) < 20:
            await asyncio.sleep(0)
            at_turn.append(len(passed))
    assert passed == list(range(20))
    assert max(after - before for before, after in zip([0, *at_turn], at_turn, strict=False)) <= 2 * 3


async def test_one_that_is_cancelled_while_it_waits_is_passed_over() -> None:
    turnstile = Turnstile(1)
    async with asyncio.TaskGroup() as group:
        first, second, third = (group.create_task(turnstile.enter()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait((first, third))
    assert (first.exception(), third.exception(), second.cancelled()) == (None, None, True)


def test_another_event_loop_can_use_it_whatever_the_last_one_has_left() -> None:
    turnstile = Turnstile(1)

    async def leave_some() -> None:
        waiting = [asyncio.ensure_future(turnstile.enter()) for _ in range(5)]
        await asyncio.sleep(0)
        for each in waiting:
            each.cancel()

    async def enter() -> int:
        async with asyncio.timeout(10):
            await asyncio.gather(*(turnstile.enter() for _ in range(5)))
        return 5

    asyncio.run(leave_some())
    assert asyncio.run(enter()) == 5
