"""A node's NodeAllocationState: what it says of the node, and how the node's kubelet plugin writes it.

``set-nas-status`` is here too: it runs before the plugin starts and when it is about to be stopped, by itself.
"""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.core import Node, ObjectReference
from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.dra.nodestate.layout import NodeStateLayout, StateT
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import AlreadyExistsError, ConflictError, NotFoundError
from fake_dra_driver.runtime.patch import Operation, pointer
from fake_dra_driver.untrustedtext import one_line

__all__ = [
    "NOT_READY",
    "READY",
    "AnyLayout",
    "StateClient",
    "StatePatcher",
    "abandoned_of",
    "closed_reason",
    "difference",
    "make_state",
    "owner_of",
    "patch_state",
    "reference_of",
    "set_status",
]

READY: Final = "Ready"
"""The status of a node whose plugin, or whoever stands in for it, prepares claims."""
NOT_READY: Final = "NotReady"
"""The status of a node whose plugin has been stopped: the controller allocates nothing there."""
MAX_STATUS: Final = 60
"""Characters of a status that a message repeats: the API server takes any text."""

_STATUS_PAUSES_SECONDS: Final = (0.01, 0.05, 0.2, 0.5)
"""Between tries to set the status of an object that others change at the same moment."""

log = logger.bind(component="nodestate")
AnyLayout = NodeStateLayout[StateT, Any, Any, Any]
"""The layout of a kind of objects, where devices, entries and prepared devices do not matter."""
K = TypeVar("K", bound=KubeObject)


class StatePatcher(Protocol):
    """What is needed of ``runtime.client.Client`` to change objects."""

    async def json_patch(self, kind: type[K], key: NamespacedName, operations: Sequence[Mapping[str, Any]]) -> K:
        """Applies a JSON patch (RFC 6902)."""
        ...


class StateClient(StatePatcher, Protocol):
    """What is needed of it to write all of them."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads an object."""
        ...

    async def list(self, kind: type[K]) -> ListResult[K]:
        """Reads all objects of a kind."""
        ...

    async def create(self, obj: K) -> K:
        """Creates an object."""
        ...

    async def merge_patch(self, kind: type[K], key: NamespacedName, patch: Mapping[str, Any]) -> K:
        """Applies a merge patch (RFC 7386)."""
        ...


def closed_reason(layout: AnyLayout[StateT], state: StateT) -> str | None:
    """Why a node takes no claims at all; None when it does."""
    if state.is_deleting:
        return "its NodeAllocationState is being deleted"
    if (status := layout.status_of(state)) != READY:
        shown = one_line(status, MAX_STATUS) or "empty"
        return f"its kubelet plugin is not ready (NodeAllocationState status is {shown})"
    return None


def abandoned_of(layout: AnyLayout[StateT], state: StateT) -> AbstractSet[str]:
    """The claims, by UID, that are prepared on the node, and that no pod there can use, as the controller has said."""
    return frozenset(filter(None, state.metadata.annotations.get(layout.abandoned_annotation, "").split(",")))


def reference_of(kind: type[KubeObject], state_key: NamespacedName) -> ObjectReference:
    """The object for Events, as far as it is known before it is seen: without a UID."""
    resource = kind.resource
    return ObjectReference(
        api_version=resource.api_version, kind=resource.kind, namespace=state_key.namespace, name=state_key.name
    )


async def make_state(client: StateClient, layout: AnyLayout[StateT], key: NamespacedName, status: str) -> StateT:
    """Creates a node's object, owned by the Node so that it goes with it; returns the one that is there, if it is.

    Raises:
        NotFoundError: there is no such Node, or the CRD is not installed.
        ApiError, DeadlineError, TransportError: as the API calls.
    """
    owner = await owner_of(client, key.name)
    metadata = ObjectMeta(name=key.name, namespace=key.namespace, owner_references=(owner,))
    try:
        return await client.create(layout.make(metadata, status))
    except AlreadyExistsError:
        return await client.get(layout.kind, key)


async def owner_of(client: StateClient, node: str) -> OwnerReference:
    """The reference that makes an object go with its Node. Raises as the API calls."""
    return OwnerReference(
        api_version="v1", kind="Node", name=node, uid=(await client.get(Node, NamespacedName("", node))).uid
    )


async def patch_state(
    client: StatePatcher, layout: AnyLayout[StateT], state: StateT, operations: Sequence[Operation]
) -> bool:
    """Changes an object, and no successor of its name. Returns whether it is still there. Raises as the API calls."""
    try:
        await client.json_patch(
            layout.kind, state.key, [patch.test(pointer("metadata", "uid"), state.uid), *operations]
        )
    except NotFoundError:
        return False
    return True


async def set_status(client: StateClient, layout: AnyLayout[StateT], key: NamespacedName, status: str) -> None:
    """Sets the status of a node's object, and makes the object when there is none.

    Raises:
        ValueError: there is no such status.
        ApiError, DeadlineError, TransportError: as the API calls; conflicts only after a few tries.
    """
    if status not in (READY, NOT_READY):
        raise ValueError(f"no such status: {status!r}; use {READY} or {NOT_READY}")
    for pause in _STATUS_PAUSES_SECONDS:
        try:
            await client.merge_patch(layout.kind, key, {"status": status})
            return
        except NotFoundError:
            if layout.status_of(await make_state(client, layout, key, status)) == status:
                return
        except ConflictError as error:
            log.debug("Trying again", error=str(error))
        await asyncio.sleep(pause)
    await client.merge_patch(layout.kind, key, {"status": status})


def difference(layout: AnyLayout[StateT], state: StateT, wanted: ApiModel, status: str) -> list[Operation]:
    """What a JSON patch has to do so that the object says this. Fields that are not the plugin's are left alone.

    What is empty is left out of the object, so that its initial state comes back.

    Args:
        wanted: a ``spec`` with the plugin's fields.
    """
    there, spec = layout.spec_of(state).to_wire(), wanted.to_wire()
    operations: list[Operation] = []
    if "spec" not in state.model_fields_set:
        # The test keeps an allocation that the controller has written in the meantime from being replaced.
        operations += [patch.test(pointer("spec"), None), patch.add(pointer("spec"), {})]
    for field in layout.plugin_fields:
        if spec.get(field) and spec[field] != there.get(field):
            operations.append(patch.add(pointer("spec", field), spec[field]))
        elif not spec.get(field) and field in there:
            operations.append(patch.remove(pointer("spec", field)))
    if layout.status_of(state) != status:
        operations.append(patch.add(pointer("status"), status))
    return operations
