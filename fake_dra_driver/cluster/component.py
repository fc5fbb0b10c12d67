"""A program of the control plane: the controllers or the scheduler, with the client, cache and manager of their own.

A restart is like that of a real one on SIGTERM: it starts from scratch, and knows only what the API server knows.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.manager import Manager

__all__ = ["Component", "MakeControllers", "Program"]

MakeControllers = Callable[[Client, Cache, EventRecorder], Sequence[Controller]]
"""Makes the controllers of a program: gets its client, a cache on that, and where it reports Events."""

_GRACE_SECONDS = 2.0
"""For what controllers are doing when the cluster ends; its result no longer matters."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a component runs."""

    name: str
    """Name of its process on a real cluster, and of its client here."""
    event_source: str
    """The component that its Events name."""
    make: MakeControllers
    """Makes its controllers."""


class Component:
    """One such program.

    Args:
        program: what it runs.
        server: the API server that it works on.
        group: the parent of its task, which ends if the program fails.
    """

    def __init__(self, program: Program, server: ApiServer, group: asyncio.TaskGroup) -> None:
        self._program = program
        self._server = server
        self._group = group
        self._running: tuple[Manager, asyncio.Task[None]] | None = None

    def start(self) -> None:
        """Starts it. It reconciles once its caches are synced."""
        client = self._server.client(self._program.name)
        cache, events = Cache(client), EventRecorder(client, self._program.event_source)
        manager = Manager(client, cache, events=events, grace_period_seconds=_GRACE_SECONDS, signals=())
        for controller in self._program.make(client, cache, events):
            manager.add_controller(controller)
        self._running = manager, self._group.create_task(manager.run(), name=self._program.name)

    async def stop(self) -> None:
        """Stops it gracefully. It may have ended already."""
        if self._running is not None:
            (manager, task), self._running = self._running, None
            manager.stop()
            await asyncio.wait((task,))

    async def restart(self) -> None:
        """Stops it, and starts it again with nothing remembered."""
        await self.stop()
        self.start()
