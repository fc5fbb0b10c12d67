"""What the API server has of the nodes of a cluster: their Nodes, which anybody may create and delete as well."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from loguru import logger

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.controllers.podgc import delete_orphan
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import loop_time, utc_now
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    DeadlineError,
    NotFoundError,
    RuntimeLayerError,
    ServerError,
    TransportError,
)

__all__ = ["NodeObjects"]

log = logger.bind(component="nodes")

_PATIENCE_SECONDS: Final = 120.0
"""For the API server to do it; it may be away for 100 s (``restart-apiserver``)."""


class NodeObjects:
    """The Nodes, as the part of a real cluster sees them that asks the cloud for its machines.

    Args:
        server: the API server; which Nodes there are is known even while it does not answer.
    """

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._client: Client = server.client("cloud-controller-manager")
        self._is_ending = False

    def end(self) -> None:
        """From now on nothing is tried again."""
        self._is_ending = True

    async def close(self) -> None:
        """Closes the client."""
        await self._client.close()

    def names(self) -> frozenset[str]:
        """Of all Nodes that there are, whoever created them."""
        return self._server.stored_names("", Node.resource.plural)

    async def create(self, manifest: dict[str, Any]) -> None:
        """Creates a Node, also while the API server is away for a moment.

        Raises:
            AlreadyExistsError: there is one of its name, which somebody else created.
            RuntimeLayerError: the API server refuses it, or is away for too long.
        """
        tries = 0

        async def create() -> None:
            nonlocal tries
            tries += 1
            try:
                await self._client.create(Node.from_wire(manifest))
            except AlreadyExistsError:
                if tries == 1:  # else the answer to an earlier try was lost
                    raise

        await self._persist("create", manifest["metadata"]["name"], create, DeadlineError, ServerError, TransportError)

    async def delete(self, name: str) -> None:
        """Deletes a Node, then the pods that are bound to it: whoever knows of the deletion binds no more of them.

        Raises:
            RuntimeLayerError: the API server does not do it in time, or the cluster ends.
        """

        async def delete() -> None:
            with contextlib.suppress(NotFoundError):
                await self._client.delete(Node, NamespacedName("", name))
            for pod in (await self._client.list(Pod, field_selector=f"spec.nodeName={name}")).items:
                await delete_orphan(self._client, pod, utc_now())

        await self._persist("delete", name, delete, RuntimeLayerError)

    async def mark(self, name: str, *, unschedulable: bool) -> bool:
        """Marks a Node as unschedulable, or no longer. Returns whether it was not so already.

        Raises:
            NotFoundError: there is no such Node.
            RuntimeLayerError: the API server does not answer.
        """
        key = NamespacedName("", name)
        node = await self._client.get(Node, key)
        if node.spec.unschedulable == unschedulable:
            return False
        await self._client.merge_patch(Node, key, {"spec": {"unschedulable": unschedulable or None}})
        return True

    async def _persist(
        self, verb: str, name: str, work: Callable[[], Awaitable[None]], *passing: type[RuntimeLayerError]
    ) -> None:
        """Tries again after errors that may pass. Raises the last one."""
        backoff, deadline = Backoff(0.2, 2.0), loop_time() + _PATIENCE_SECONDS
        while True:
            try:
                return await work()
            except passing as error:
                if self._is_ending or loop_time() > deadline:
                    raise
                log.warning("Node not written, trying again", verb=verb, node=name, error=str(error))
            await asyncio.sleep(backoff.next())
