"""The protocol that a program works with: chosen once, by what the API server serves, before anything depends on it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from fake_dra_driver.dra.program.parts import ProgramParts
from fake_dra_driver.dra.servedapi import ApiFinder, DraApi
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ApiChangedError", "ModeSetup"]


class ApiChangedError(RuntimeLayerError):
    """The version of DRA that a program works with is served no more: it ends, and is started again with another."""


class _Runnables(Protocol):
    def add_runnable(self, name: str, run: Callable[[], Awaitable[None]]) -> None: ...


class ModeSetup:
    """Finds the protocol for a program, which is not ready before.

    Args:
        parts: of the program.
        version: of resource.k8s.io, as the settings name it; empty: whichever is served.
    """

    def __init__(self, parts: ProgramParts, version: str) -> None:
        self._cache = parts.cache
        self._finder = ApiFinder(parts.client.discovery, version)
        if parts.healthz is not None:
            parts.healthz.add_readyz("dra-api", self._finder.problem)

    async def find(self, manager: _Runnables) -> DraApi:
        """Returns once there is one. From then on the manager watches that it stays."""
        api = await self._finder.find()

        async def watch() -> None:
            raise ApiChangedError(await self._finder.wait_for_change(api, lambda: bool(self._cache.trouble)))

        manager.add_runnable("dra-api", watch)
        return api
