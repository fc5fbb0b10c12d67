"""A driver in ``status`` of which nothing is known but its name: claims are judged by what others have said of them."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.state import DriverStateLayout
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.kind import ClaimedDevice, ClaimEntry, NodeState
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.controllerdriver import EntryMaker, StructuredDriver
from fake_dra_driver.dra.structured.waiting import DriverClaims
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.status.claimsource import ClaimSource
from fake_dra_driver.status.classic.claims import ClassicClaims
from fake_dra_driver.status.classic.observerjudge import ObserverJudge
from fake_dra_driver.status.classic.view import ClassicView
from fake_dra_driver.status.nodes import Nodes
from fake_dra_driver.status.reporteddriver import ReportedDriver
from fake_dra_driver.status.structured.claims import StructuredClaims
from fake_dra_driver.status.unchecked import Unchecked

__all__ = ["AnyDriver"]


class AnyDriver(ReportedDriver[NodeState, ClaimEntry]):
    """A driver whose NodeAllocationState is of the kind that any driver can have.

    Args:
        name: of the driver.
    """

    has_faults = False

    def __init__(self, name: str) -> None:
        self.names = DriverNames.of(name)
        self.layout = DriverStateLayout(name)

    @override
    def classic_claims(
        self, cache: Cache, states: Informer[NodeState], client: Client, namespace: str, nodes: Nodes
    ) -> ClaimSource[NodeState, ClaimEntry]:
        view = ClassicView.of(cache, self.names.driver)
        component = self.names.event_component
        return ClassicClaims(view, self.layout, ObserverJudge(view, component), component)

    @override
    def structured_claims(self, cache: Cache, api: ResourceApi) -> ClaimSource[NodeState, ClaimEntry]:
        driver = _StructuredDriver(self.names.driver, self.layout)
        return StructuredClaims(cache, api, driver, self.names, is_observed=True)


class _StructuredDriver(StructuredDriver[NodeState, Device, ClaimEntry]):
    """Shows what was allocated, and finds nothing wrong with parameters, which it does not know."""

    def __init__(self, name: str, layout: DriverStateLayout) -> None:
        self.check = Unchecked(name)
        self.claims = DriverClaims(name, (name,))  # the chart names its class after the driver
        self.layout = layout

    @override
    def entry_maker(self, inventory: Sequence[Device]) -> EntryMaker[ClaimEntry]:
        return lambda held: ClaimEntry(devices=tuple(map(_held, held.results)))

    @override
    def check_allocation(self, allocated: AllocatedClaim, inventory: Sequence[Device]) -> None:
        """Whatever was allocated, nothing is known to be wrong with it."""


def _held(result: v1.DeviceRequestAllocationResult) -> ClaimedDevice:
    shares: dict[str, Any] = {"shared": True, "capacity": result.consumed_capacity} if result.share_id else {}
    return ClaimedDevice(name=result.device, **shares)
