"""What ``status`` reads from a cluster: informers that are filled once or kept up to date. It needs get, list, watch.

Everything is listed first, and any error of that is reported: a person wants to know at once what is missing, while a
cache would keep trying.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.fake import DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import (
    ForbiddenError,
    GoneError,
    NotFoundError,
    RuntimeLayerError,
)
from fake_dra_driver.runtime.listwatch import PAGE_SIZE, Selection
from fake_dra_driver.runtime.store import Entry

__all__ = ["READ_KINDS", "CannotReportError", "ClusterView", "find_namespace"]

READ_KINDS: Final[tuple[type[KubeObject], ...]] = (
    NodeAllocationState,
    ResourceClaim,
    ResourceClass,
    PodSchedulingContext,
    FakeClaimParameters,
    DeviceClassParameters,
    Pod,
    Event,
)
"""Every kind that is read, with get, list and watch."""

UNSCHEDULED: Final = "spec.nodeName="
"""Pods without a node: only their claims can be waiting, and a cluster has few such pods."""
WARNINGS_ABOUT_CLAIMS: Final = "involvedObject.kind=ResourceClaim,type=Warning"
PODS_BY_CLAIM: Final = "claim"
EVENTS_BY_CLAIM: Final = "claim"


class CannotReportError(RuntimeLayerError):
    """The cluster cannot be reported on; the text is a sentence for the person who asked."""


async def find_namespace(client: Client) -> str | None:
    """The namespace that the driver's NodeAllocationState objects are in; None when there are none.

    Raises:
        CannotReportError: there are several, or they cannot be listed.
    """
    try:
        listed = await client.list(NodeAllocationState)
    except RuntimeLayerError as error:
        raise _explained(NodeAllocationState, error) from error
    found = {state.metadata.namespace for state in listed.items}
    found.update(refused.key.namespace for refused in listed.invalid)
    if len(found) > 1:
        raise CannotReportError(
            f"the driver is in several namespaces ({', '.join(sorted(found))}): name one with --namespace"
        )
    return found.pop() if found else None


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Everything that is read."""

    states: Informer[NodeAllocationState]
    claims: Informer[ResourceClaim]
    classes: Informer[ResourceClass]
    contexts: Informer[PodSchedulingContext]
    claim_parameters: Informer[FakeClaimParameters]
    class_parameters: Informer[DeviceClassParameters]
    pods: Informer[Pod]
    """Those without a node."""
    events: Informer[Event]
    """Warnings about claims."""
    nodes: Informer[Node]
    """Never filled: whether a node exists is not asked. The driver's own code wants the cache."""

    @classmethod
    def of(cls, cache: Cache, namespace: str | None) -> "ClusterView":
        """Asks ``cache`` for the informers, and adds the indexes."""
        view = cls(
            cache.informer(NodeAllocationState, namespace=namespace),
            cache.informer(ResourceClaim),
            cache.informer(ResourceClass),
            cache.informer(PodSchedulingContext),
            cache.informer(FakeClaimParameters),
            cache.informer(DeviceClassParameters),
            cache.informer(Pod, field_selector=UNSCHEDULED),
            cache.informer(Event, field_selector=WARNINGS_ABOUT_CLAIMS),
            Informer(Node, Selection(Node.resource)),
        )
        view.pods.add_index(PODS_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        view.events.add_index(EVENTS_BY_CLAIM, lambda event: (event.involved_object.uid,))
        return view

    @property
    def read(self) -> tuple[Informer[Any], ...]:
        """The informers that are filled."""
        return (
            *(self.states, self.claims, self.classes, self.contexts),
            *(self.claim_parameters, self.class_parameters, self.pods, self.events),
        )

    async def load(self, client: Client, timeout_seconds: float) -> None:
        """Fills every informer once, all at the same time.

        Raises:
            CannotReportError: something cannot be listed; the first that was found.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for informer in self.read:
                    name = f"list {informer.selection.kind}"
                    group.create_task(_load(client, informer, timeout_seconds), name=name)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    def subscribe(self, changed: Callable[[], None]) -> None:
        """``changed`` is called for every change of what is read."""
        for informer in self.read:
            informer.subscribe(lambda _change: changed())


async def _load(client: Client, informer: Informer[Any], timeout_seconds: float) -> None:
    try:
        for page_size in (PAGE_SIZE, 0):
            try:
                return await _list(client, informer, page_size, timeout_seconds)
            except GoneError:  # compacted between two pages: again, all in one page, as client-go's pager does
                if not page_size:
                    raise
    except RuntimeLayerError as error:
        raise _explained(informer.kind, error) from error


async def _list(client: Client, informer: Informer[Any], page_size: int, timeout_seconds: float) -> None:
    entries: list[Entry[Any]] = []
    version = ""
    pages = client.list_watch.pages(informer.selection, page_size=page_size, timeout_seconds=timeout_seconds)
    async with aclosing(pages):
        async for page in pages:
            version = page.resource_version
            entries += informer.read_items(page.items)
    informer.replace(entries, int(version) if version.isdecimal() else 0)


def _explained(kind: type[KubeObject], error: RuntimeLayerError) -> RuntimeLayerError:
    """The error in words that say what to do, where that is known."""
    name = kind.resource.kind
    if isinstance(error, NotFoundError) and kind.resource.group == ResourceClaim.resource.group:
        return CannotReportError(
            f"the cluster does not serve {kind.resource.api_version}: classic Dynamic Resource Allocation is in "
            "Kubernetes 1.27 to 1.30, behind the feature gate DynamicResourceAllocation and --runtime-config"
        )
    if isinstance(error, NotFoundError):
        return CannotReportError(
            f"the cluster does not know the kind {name}: the driver is not installed, or its CRDs are missing"
        )
    if isinstance(error, ForbiddenError):
        return CannotReportError(
            f"may not list {kind.resource.plural}: {error.message}; status needs get, list and watch, see Permissions "
            "in docs/status.md"
        )
    return error
