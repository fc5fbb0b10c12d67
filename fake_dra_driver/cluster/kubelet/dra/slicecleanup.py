"""Deletes the ResourceSlices of drivers that are not on the node: all at the kubelet's start, later those of one.

Follows k8s.io/kubernetes/pkg/kubelet/cm/dra/plugin (1.31 and later): a driver that was gone for a while (since 1.33 for
30 seconds, before that for a moment) publishes again when it is back. Slices that name no node are never touched.
"""

import asyncio
from collections.abc import Sequence

from loguru import logger

from fake_dra_driver.api.resource import v1
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import ConflictError, NotFoundError, RuntimeLayerError

__all__ = ["SliceCleanup"]

log = logger.bind(component="dra")

_EVERY_DRIVER = ""
_FIRST_BACKOFF_SECONDS = 1.0
_MAX_BACKOFF_SECONDS = 300.0


class SliceCleanup:
    """The cleanup on one node. ``run`` it once.

    Args:
        client: deletes slices.
        kind: ResourceSlice in the version of the kubelet.
        node_name: the node.
        grace_seconds: how long a driver may be gone.
    """

    def __init__(self, client: Client, kind: type[v1.ResourceSlice], node_name: str, grace_seconds: float) -> None:
        self._client = client
        self._kind = kind
        self._node_name = node_name
        self._grace_seconds = grace_seconds
        self._due: dict[str, float] = {_EVERY_DRIVER: 0.0}
        # When to delete the slices of a driver, on the loop's clock.
        self._changed = asyncio.Event()

    def registered(self, driver: str) -> None:
        """The driver is there: its slices stay."""
        self._due.pop(driver, None)

    def gone(self, driver: str) -> None:
        """The driver's last plugin is gone."""
        self._due[driver] = loop_time() + self._grace_seconds
        self._changed.set()

    async def drivers(self) -> Sequence[str]:
        """The drivers that have slices of the node. Raises RuntimeLayerError."""
        return sorted({each.spec.driver for each in await self._list(_EVERY_DRIVER)})

    async def wipe(self, driver: str = _EVERY_DRIVER) -> int:
        """Deletes slices of the node, of a driver or of all, as at the kubelet's start. Returns how many there were.

        Raises:
            RuntimeLayerError: not all could be deleted.
        """
        found = await self._list(driver)
        for each in found:
            try:
                await self._client.delete(self._kind, each.key, uid=each.uid)
            except (ConflictError, NotFoundError):
                continue  # deleted by another writer; its successor is none of those that were listed
            log.info("slice deleted", slice=each.metadata.name, driver=each.spec.driver)
        return len(found)

    async def run(self) -> None:
        """Deletes what is due, until cancelled. What fails is tried again after a second, doubling to five minutes."""
        backoff = Backoff(_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS, jitter=0.1)
        while True:
            self._changed.clear()
            for driver in [driver for driver, due in self._due.items() if due <= loop_time()]:
                try:
                    await self.wipe(driver)
                except RuntimeLayerError as error:
                    self._due[driver] = loop_time() + backoff.next()
                    log.warning("Slices not deleted, trying again", driver=driver, error=str(error))
                else:
                    self._due.pop(driver, None)
                    backoff.reset()
            try:
                async with asyncio.timeout_at(min(self._due.values(), default=None)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _list(self, driver: str) -> Sequence[v1.ResourceSlice]:
        selector = f"spec.nodeName={self._node_name}" + (f",spec.driver={driver}" if driver else "")
        return (await self._client.list(self._kind, field_selector=selector)).items
