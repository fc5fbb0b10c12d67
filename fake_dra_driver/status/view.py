"""What ``status`` reads from a cluster: informers that are filled once or kept up to date. It needs get, list, watch.

Everything is listed first, and any error of that is reported: a person wants to know at once what is missing, while a
cache would keep trying. Nodes and DeviceFaults alone may be hidden: many people may read what is in namespaces, and
nothing else.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Generic, Self

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.installeddrivers import options_of_drivers
from fake_dra_driver.dra.nodestate.layout import EntryT, StateT
from fake_dra_driver.dra.servedapi import API_VERSIONS, DraApi, advice
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import (
    ForbiddenError,
    GoneError,
    NotFoundError,
    RuntimeLayerError,
)
from fake_dra_driver.runtime.listwatch import PAGE_SIZE, Selection
from fake_dra_driver.runtime.objectidentity import version_number
from fake_dra_driver.runtime.store import Entry
from fake_dra_driver.status.claimsource import ClaimSource
from fake_dra_driver.status.faults import Availability, Faults
from fake_dra_driver.status.nodes import Nodes
from fake_dra_driver.status.reporteddriver import ReportedDriver

__all__ = [
    "CannotReportError",
    "ClusterView",
    "availability_of",
    "check_namespace",
    "find_api",
    "find_namespace",
    "nodes_are_hidden",
]


class CannotReportError(RuntimeLayerError):
    """The cluster cannot be reported on; the text is a sentence for the person who asked."""


async def find_api(client: Client) -> DraApi:
    """How the cluster speaks DRA.

    Raises:
        CannotReportError: it does not.
        RuntimeLayerError: it cannot be asked.
    """
    served = await client.discovery.group(v1.GROUP)
    version = served.first_of(*API_VERSIONS)
    if version is None:
        raise CannotReportError(advice(served))
    return DraApi(version)


async def find_namespace(client: Client, driver: ReportedDriver[Any, Any]) -> str | None:
    """The namespace that the driver's NodeAllocationState objects are in; None when there are none.

    Raises:
        CannotReportError: there are several, or they cannot be listed.
    """
    try:
        found = await _namespaces(client, driver)
    except RuntimeLayerError as error:
        raise await _explained(client, driver.layout.kind, error) from error
    if len(found) > 1:
        raise CannotReportError(f"the driver is in several namespaces ({', '.join(found)}): name one with --namespace")
    return found[0] if found else None


async def check_namespace(client: Client, driver: ReportedDriver[Any, Any], namespace: str) -> None:
    """To be called where the namespace that was asked for has no NodeAllocationState objects of the driver.

    Raises:
        CannotReportError: they are in another one.
        RuntimeLayerError: the API server cannot be asked.
    """
    try:
        found = await _namespaces(client, driver)
    except ForbiddenError:  # a person who may read that namespace alone is told what is there
        return
    if found:
        raise CannotReportError(
            f"the driver is not in namespace {namespace}, but in {' and '.join(found)}: correct --namespace"
        )


async def _namespaces(client: Client, driver: ReportedDriver[Any, Any]) -> Sequence[str]:
    listed = await client.list(driver.layout.kind)
    found = {state.metadata.namespace for state in listed.items if driver.includes(state)}
    # What cannot be read does not say either which of several drivers it is of.
    others = {state.metadata.namespace for state in listed.items} - found
    return sorted(found | {refused.key.namespace for refused in listed.invalid} - others)


async def nodes_are_hidden(client: Client, timeout_seconds: float) -> bool:
    """Whether the person who asks may not read Nodes. The report is possible without, and says so."""
    return await availability_of(client, Node, timeout_seconds) == "hidden"


async def availability_of(client: Client, kind: type[KubeObject], timeout_seconds: float) -> Availability:
    """Whether the objects of a kind can be read by the person who asks."""
    pages = client.list_watch.pages(Selection(kind.resource), page_size=1, timeout_seconds=timeout_seconds)
    async with aclosing(pages):
        try:
            await anext(pages)
        except ForbiddenError:
            return "hidden"
        except NotFoundError:
            return "absent"
    return "readable"


class ClusterView(Generic[StateT, EntryT]):
    """Everything that is read.

    Args:
        driver: whose devices are reported.
        states: the NodeAllocationState objects.
        nodes: the Node objects.
        claims: what the mode of DRA wants to know of claims.
        faults: what goes wrong on purpose.
    """

    def __init__(
        self,
        driver: ReportedDriver[StateT, EntryT],
        states: Informer[StateT],
        nodes: Nodes,
        claims: ClaimSource[StateT, EntryT],
        faults: Faults,
    ) -> None:
        self.driver = driver
        self.states = states
        self.nodes = nodes
        self.claims = claims
        self.faults = faults

    @classmethod
    def of(
        cls,
        driver: ReportedDriver[StateT, EntryT],
        cache: Cache,
        client: Client,
        api: DraApi,
        namespace: str | None,
        *,
        nodes_hidden: bool = False,
        faults: Availability = "absent",
    ) -> Self:
        """Asks ``cache`` for what the mode of DRA that the cluster speaks needs.

        Args:
            driver: whose devices are reported.
            cache: gives informers.
            client: not used to read; the driver's own code wants one.
            api: how the cluster speaks DRA.
            namespace: of the NodeAllocationState objects; None when there are none.
            nodes_hidden: whether Nodes may not be read.
            faults: whether DeviceFaults can be read.
        """
        nodes = Nodes.of(cache, hidden=nodes_hidden)
        found = Faults.of(cache, driver.names.driver, faults)
        states = cache.informer(driver.layout.kind, namespace=namespace)
        if api.structured is not None:
            return cls(driver, states, nodes, driver.structured_claims(cache, api.structured), found)
        claims = driver.classic_claims(cache, states, client, namespace or "", nodes)
        return cls(driver, states, nodes, claims, found)

    @property
    def read(self) -> tuple[Informer[Any], ...]:
        """The informers that are filled."""
        optional = [informer for informer in (self.nodes.informer, self.faults.informer) if informer is not None]
        return (self.states, *optional, *self.claims.informers)

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
        raise await _explained(client, informer.kind, error) from error


async def _list(client: Client, informer: Informer[Any], page_size: int, timeout_seconds: float) -> None:
    entries: list[Entry[Any]] = []
    version = ""
    pages = client.list_watch.pages(informer.selection, page_size=page_size, timeout_seconds=timeout_seconds)
    async with aclosing(pages):
        async for page in pages:
            version = page.resource_version
            entries += informer.read_items(page.items)
    informer.replace(entries, version_number(version) if version else 0)


async def _explained(client: Client, kind: type[KubeObject], error: RuntimeLayerError) -> RuntimeLayerError:
    """The error in words that say what to do, where that is known."""
    name = kind.resource.kind
    if isinstance(error, NotFoundError) and kind.resource.group == v1.GROUP:
        return CannotReportError(f"the cluster does not serve {kind.resource.plural} of {kind.resource.api_version}")
    if isinstance(error, NotFoundError):
        hint = " or ".join(await options_of_drivers(client))
        return CannotReportError(
            f"the cluster does not know the kind {name}: the driver is not installed, or its CRDs are missing "
            f"({kind.resource.plural}.{kind.resource.group})" + (f"; for one that is, use {hint}" if hint else "")
        )
    if isinstance(error, ForbiddenError):
        return CannotReportError(
            f"may not list {kind.resource.plural}: {error.message}; status needs get, list and watch, see Permissions "
            "in docs/status.md"
        )
    return error
