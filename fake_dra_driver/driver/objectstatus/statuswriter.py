"""Writes the status of a cluster-scoped object: the fields that are the controller's, and no others."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.driver.objectstatus.condition import Conditions
from fake_dra_driver.runtime import NotFoundError

__all__ = ["StatusApplier", "StatusWriter"]

K = TypeVar("K", bound=KubeObject)


class StatusApplier(Protocol):
    """What is needed of ``runtime.Client``."""

    async def apply(
        self,
        kind: type[K],
        key: NamespacedName,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
    ) -> K:
        """Server-side apply."""
        ...


class StatusWriter:
    """Applies what one controller has found.

    Args:
        client: writes; the cache must see its writes at once.
        manager: in whose name.
    """

    def __init__(self, client: StatusApplier, manager: str) -> None:
        self._client = client
        self._manager = manager

    async def write(self, obj: KubeObject, fields: Mapping[str, Any], conditions: Conditions) -> None:
        """Has the object say this. Does nothing when it is gone.

        Raises:
            ConflictError: another object has its name by now.
        """
        status = {**fields, "conditions": [each.to_wire() for each in conditions.found]}
        body = {"metadata": {"uid": obj.uid}, "status": status}
        try:
            await self._client.apply(
                type(obj), obj.key, body, field_manager=self._manager, force=True, subresource="status"
            )
        except NotFoundError:
            return
