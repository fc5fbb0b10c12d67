"""The controllers that look after DeviceProfiles and DeviceFaults, put together."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.driver.objectstatus.catalog import CatalogOpener, MockCatalog
from fake_dra_driver.driver.objectstatus.faultstatus import FaultStatusReconciler
from fake_dra_driver.driver.objectstatus.nomatch import KnownNode
from fake_dra_driver.driver.objectstatus.profilestatus import ProfileStatusReconciler
from fake_dra_driver.driver.objectstatus.statuswriter import StatusWriter
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime import Cache, Client, Controller, Informer

__all__ = ["ObjectStatus"]

_DELAY_SECONDS: Final = 0.2
"""How long changes are collected: nodes come many at once, and each may concern each profile."""


class ObjectStatus:
    """What the controller knows and says of them.

    Args:
        client: writes.
        cache: reads.
        driver: whose profiles and faults count.
        namespace: of the NodeAllocationState objects.
        now: the wall clock.
    """

    def __init__(
        self, client: Client, cache: Cache, driver: str, *, namespace: str, now: Callable[[], datetime]
    ) -> None:
        self.catalog = MockCatalog(client, cache, driver)
        self._layout = FakeStateLayout()
        self._states: Informer[NodeAllocationState] = cache.informer(NodeAllocationState, namespace=namespace)
        writer = StatusWriter(client, f"{driver}-controller")
        opener = CatalogOpener(self.catalog)
        self._profiles = Controller("deviceprofile", ProfileStatusReconciler(self.catalog, writer, now))
        self._entries_beside: Callable[[DeviceFault], Mapping[str, FaultOnNode] | None] = lambda _fault: {}
        faults = FaultStatusReconciler(
            self.catalog, self._known_nodes, writer, now, lambda fault: self._entries_beside(fault)
        )
        self._faults = Controller("devicefault", faults)
        self.catalog.subscribe(self._judge_profiles, self._judge_faults)
        opener.start()
        self.controllers: Sequence[Controller] = (opener.controller, self._profiles, self._faults)
        """All of them."""

    def count_beside(self, entries_of: Callable[[DeviceFault], Mapping[str, FaultOnNode] | None]) -> None:
        """What a fault does on nodes without a plugin, by node, counts as well. None: that is not known yet; whoever
        counts them has each fault judged when it is."""
        self._entries_beside = entries_of

    def judge_fault(self, fault: NamespacedName) -> None:
        """Something has changed of what a fault does, beside its status. Returns at once."""
        self._faults.enqueue(fault, after=_DELAY_SECONDS)

    def _judge_profiles(self) -> None:
        for profile in self.catalog.profiles.list():
            self._profiles.enqueue(profile.key, after=_DELAY_SECONDS)

    def _judge_faults(self) -> None:
        for fault in self.catalog.faults.list():
            self._faults.enqueue(fault.key, after=_DELAY_SECONDS)

    def _known_nodes(self) -> Sequence[KnownNode]:
        return [
            KnownNode(
                state.metadata.name,
                self._layout.inventory_of(state),
                self.catalog.labels_of(state.metadata.name),
            )
            for state in self._states.list()
        ]
