"""What a claim asks for: FakeClaimParameters and DeviceClassParameters, turned into a DeviceRequest.

The API server refuses bad parameters through the CRDs; objects that are older than a bound, or that came in through
other doors, are checked here once more, with the same words.
"""

from typing import Final

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    MAX_CHILDREN,
    DeviceClassParameters,
    FakeClaimParameters,
    FakeClaimParametersSpec,
)
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import (
    ClaimParametersReference,
    ClassParametersReference,
    ResourceClaim,
    ResourceClass,
)
from fake_dra_driver.device.request import DeviceRequest, Selector
from fake_dra_driver.dra.classic.driver import ParametersError
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.untrustedtext import short_name

__all__ = ["ParametersResolver", "check_claim_parameters"]

WITHOUT_PARAMETERS: Final = FakeClaimParametersSpec(count=1, split=0)
"""A claim that names no parameters gets one whole device."""


class ParametersResolver:
    """Turns claim and class into a DeviceRequest, from caches alone."""

    def __init__(
        self,
        claim_parameters: Informer[FakeClaimParameters],
        class_parameters: Informer[DeviceClassParameters],
    ) -> None:
        self._claim_parameters = claim_parameters
        self._class_parameters = class_parameters

    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> DeviceRequest:
        """What the claim asks for. Raises ParametersError."""
        spec = self._claim_spec(claim)
        return DeviceRequest(
            count=spec.count,
            split=spec.split,
            model=spec.selector.model if spec.selector is not None else None,
            selectors=self.selectors_of(resource_class),
        )

    def selectors_of(self, resource_class: ResourceClass) -> tuple[Selector, ...]:
        """Which devices the class is about; no selectors: all. Raises ParametersError."""
        reference = resource_class.parameters_ref
        if reference is None:
            return ()
        owner = f"ResourceClass {resource_class.metadata.name}"
        _check_reference(reference, DeviceClassParameters, owner, "class")
        key = NamespacedName("", reference.name)
        try:
            parameters = self._class_parameters.get(key)
        except InvalidObjectError as error:
            raise ParametersError(f"{owner} uses invalid parameters: {error}", at_fault="class") from error
        if parameters is None:
            raise ParametersError(
                f"{owner} names DeviceClassParameters {short_name(reference.name)}, which do not exist: create them, "
                "or correct the name in parametersRef",
                at_fault="class",
                missing=True,
            )
        return tuple(Selector(type=entry.type, name=entry.name) for entry in parameters.spec.device_selector)

    def _claim_spec(self, claim: ResourceClaim) -> FakeClaimParametersSpec:
        reference = claim.spec.parameters_ref
        if reference is None:
            return WITHOUT_PARAMETERS
        _check_reference(reference, FakeClaimParameters, f"ResourceClaim {claim.key}", "claim")
        key = NamespacedName(claim.metadata.namespace, reference.name)
        try:
            parameters = self._claim_parameters.get(key)
        except InvalidObjectError as error:
            raise ParametersError(f"the claim's parameters are invalid: {error}", at_fault="claim") from error
        if parameters is None:
            named = NamespacedName(key.namespace, short_name(key.name))
            raise ParametersError(
                f"FakeClaimParameters {named} do not exist: create them, and the claim goes on by itself",
                at_fault="claim",
                missing=True,
            )
        if problem := check_claim_parameters(parameters):
            raise ParametersError(f"FakeClaimParameters {key} are invalid: {problem}", at_fault="claim")
        return parameters.spec


def check_claim_parameters(parameters: FakeClaimParameters) -> str | None:
    """What is wrong with parameters whose fields are each within their bounds; None when nothing is."""
    spec = parameters.spec
    if spec.count * spec.split > MAX_CHILDREN:
        return (
            f"count {spec.count} times split {spec.split} is {spec.count * spec.split}; "
            f"count times split must be at most {MAX_CHILDREN}"
        )
    return None


def _check_reference(
    reference: ClaimParametersReference | ClassParametersReference,
    wanted: type[KubeObject],
    owner: str,
    at_fault: str,
) -> None:
    kind = wanted.resource.kind
    if (reference.api_group, reference.kind) != (wanted.resource.group, kind):
        found = f"{reference.kind}.{reference.api_group}" if reference.api_group else reference.kind
        named = f"{short_name(found)} {short_name(reference.name)}"
        raise ParametersError(
            f"{owner} names {named} as its parameters; driver {DRIVER_NAME} takes only "
            f"kind {kind} with apiGroup {wanted.resource.group}: correct parametersRef",
            at_fault="class" if at_fault == "class" else "claim",
        )
