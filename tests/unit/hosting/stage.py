"""A loop for instances, and one of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fake_dra_driver.hosting.instance import Instance, InstanceThreads, make_task

__all__ = ["Stage", "prepared_stage"]

Program = Callable[[], Coroutine[Any, Any, int]]


class Stage:
    """One instance, and what it has written."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.instance = Instance({"NAME": "a"}, self.written.append)

    @property
    def output(self) -> str:
        return "".join(self.written)

    async def run(self, program: Program) -> int:
        async with asyncio.timeout(10):
            return await self.instance.run(program)

    @asynccontextmanager
    async def running(self, program: Program) -> AsyncIterator["asyncio.Task[int]"]:
        """The program runs on; it has begun to wait for what never comes."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.run(program), name="instance under test")
            await asyncio.sleep(0)  # the instance begins
            await asyncio.sleep(0)  # its program does
            await asyncio.sleep(0)  # what that has started does
            assert self.instance.tasks
            yield task


@asynccontextmanager
async def prepared_stage(threads: int = 2) -> AsyncIterator[Stage]:
    """The running loop is one for instances while the block runs, with so many threads."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(make_task)  # type: ignore[arg-type]  # typeshed has no generic factories
    executor = InstanceThreads(threads)
    loop.set_default_executor(executor)
    try:
        yield Stage()
    finally:
        loop.set_task_factory(None)
        executor.shutdown()
