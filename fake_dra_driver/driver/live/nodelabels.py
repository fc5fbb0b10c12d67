"""The labels of the plugin's own Node, which DeviceProfiles and DeviceFaults select nodes by."""

from collections.abc import Callable, Mapping

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.runtime import Cache, Change, Informer

__all__ = ["NodeLabels"]


class NodeLabels:
    """Watches them, from the first time that they matter: a cluster without profiles and faults pays nothing for them.

    Args:
        node: its name.
    """

    def __init__(self, node: str) -> None:
        self._key = NamespacedName("", node)
        self._cache: Cache | None = None
        self._nodes: Informer[Node] | None = None
        self._subscribers: list[Callable[[], None]] = []

    def connect(self, cache: Cache) -> None:
        """They are read from this cache."""
        self._cache = cache

    def subscribe(self, changed: Callable[[], None]) -> None:
        """``changed`` is called after each change of the Node, once they are watched."""
        self._subscribers.append(changed)

    async def read(self) -> Mapping[str, str]:
        """The labels; waits for the API server the first time."""
        if self._cache is None:
            raise RuntimeError("labels are read before there is anything to read them from")
        if self._nodes is None:
            self._nodes = self._cache.informer(
                Node, field_selector=f"metadata.name={self._key.name}", metadata_only=True
            )
            self._nodes.subscribe(self._see)
        await self._nodes.wait_for_sync()
        return self.current()

    def current(self) -> Mapping[str, str]:
        """The labels as they were last seen; none before they have been read."""
        node = None if self._nodes is None else self._nodes.get(self._key)
        return {} if node is None else node.metadata.labels

    def _see(self, change: Change[Node]) -> None:
        before, after = (None if node is None else node.metadata.labels for node in (change.old, change.new))
        if before != after:  # the kubelet writes its Node every few minutes
            for tell in self._subscribers:
                tell()
