"""The Fake devices in ``status``: claims are judged by the driver's own code."""

from typing import Final

from typing_extensions import override

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import (
    DRIVER_ANNOTATION,
    PROFILE_ANNOTATION,
    PROFILE_PROBLEM_ANNOTATION,
    AllocatedDevices,
    DeviceClassParameters,
    FakeClaimParameters,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.api.resource.v1alpha2 import (
    PodSchedulingContext,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceClass,
)
from fake_dra_driver.dra.classic.allocation import Allocator
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.driver.classic.allocation import FakeControllerDriver
from fake_dra_driver.driver.classic.parameters import ParametersResolver
from fake_dra_driver.driver.names import NAMES, names_of
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.driver.structured.driver import FakeStructuredDriver
from fake_dra_driver.driver.structured.profilekinds import ProfileKinds
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.status.claimsource import ClaimSource
from fake_dra_driver.status.classic.allocatorjudge import AllocatorJudge
from fake_dra_driver.status.classic.claims import ClassicClaims
from fake_dra_driver.status.classic.view import ClassicView
from fake_dra_driver.status.faults import Availability
from fake_dra_driver.status.nodes import Nodes
from fake_dra_driver.status.reporteddriver import ReportedDriver
from fake_dra_driver.status.structured.claims import StructuredClaims
from fake_dra_driver.status.unchecked import Unchecked

__all__ = ["CLASSIC_KINDS", "STRUCTURED_KINDS", "OurDriver", "release_of"]

CLASSIC_KINDS: Final[tuple[type[KubeObject], ...]] = (
    NodeAllocationState,
    Node,
    DeviceFault,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceClass,
    PodSchedulingContext,
    FakeClaimParameters,
    DeviceClassParameters,
    Pod,
    Event,
)
"""Every kind that is read in classic DRA, with get, list and watch."""
STRUCTURED_KINDS: Final[tuple[type[KubeObject], ...]] = (
    NodeAllocationState,
    Node,
    DeviceFault,
    DeviceProfile,
    v1.ResourceClaim,
    v1.ResourceClaimTemplate,
    v1.ResourceSlice,
    v1.DeviceClass,
    Pod,
    Event,
)
"""Every kind that is read in structured DRA; those of ``resource.k8s.io`` in the version that is served."""


class OurDriver(ReportedDriver[NodeAllocationState, AllocatedDevices]):
    """The driver of mock devices.

    Args:
        name: under which it runs.
        profiles: whether DeviceProfiles can be read, which say which parameters claims may have.
    """

    layout = FakeStateLayout()
    has_faults = True

    def __init__(self, name: str = NAMES.driver, profiles: Availability = "absent") -> None:
        self.names = names_of(name)
        self._profiles = profiles

    @override
    def includes(self, state: NodeAllocationState) -> bool:
        return release_of(state) == self.names.driver

    @override
    def profile_of(self, state: NodeAllocationState) -> str:
        return state.metadata.annotations.get(PROFILE_ANNOTATION, "")

    @override
    def profile_problem_of(self, state: NodeAllocationState) -> str:
        return state.metadata.annotations.get(PROFILE_PROBLEM_ANNOTATION, "")

    @override
    def classic_claims(
        self, cache: Cache, states: Informer[NodeAllocationState], client: Client, namespace: str, nodes: Nodes
    ) -> ClaimSource[NodeAllocationState, AllocatedDevices]:
        view = ClassicView.of(cache, self.names.driver)
        claim_parameters, class_parameters = cache.informer(FakeClaimParameters), cache.informer(DeviceClassParameters)
        ledger = Ledger(self.layout, client, states, namespace)
        name = self.names.driver
        driver = FakeControllerDriver(ParametersResolver(claim_parameters, class_parameters, name), name)
        allocator = Allocator(driver, ledger, view.claims, unusable_reason=nodes.unusable_reason)
        judge = AllocatorJudge(view, allocator, ledger)
        parameters = (claim_parameters, class_parameters)
        return ClassicClaims(view, self.layout, judge, self.names.event_component, parameters)

    @override
    def structured_claims(self, cache: Cache, api: ResourceApi) -> ClaimSource[NodeAllocationState, AllocatedDevices]:
        name = self.names.driver
        if self._profiles == "hidden":
            # Which kinds of parameters there are is not known, and what the controller has said of them is.
            return StructuredClaims(cache, api, _Unjudged(name), self.names, is_observed=True)
        if self._profiles == "absent":
            return StructuredClaims(cache, api, FakeStructuredDriver(name), self.names)
        profiles = cache.informer(DeviceProfile)
        driver = FakeStructuredDriver(name, ProfileKinds(name, profiles.list))
        return StructuredClaims(cache, api, driver, self.names, judged_by=(profiles,))


def release_of(state: NodeAllocationState) -> str:
    """The name under which the driver runs that a node's object is of."""
    return state.metadata.annotations.get(DRIVER_ANNOTATION) or NAMES.driver


class _Unjudged(FakeStructuredDriver):
    """Shows what was allocated, and finds nothing wrong with parameters."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.check = Unchecked(name)
