"""What a claim asks for: FakeClaimParameters and DeviceClassParameters, turned into a DeviceRequest."""

from typing import Final

from fake_dra_driver.api.fake import (
    MAX_CHILDREN,
    DeviceClassParameters,
    FakeClaimParameters,
    FakeClaimParametersSpec,
)
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.device.request import DeviceRequest, Selector
from fake_dra_driver.dra.classic import ClaimParameters, ClassParameters
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.runtime import Informer

__all__ = ["ParametersResolver"]

WITHOUT_PARAMETERS: Final = FakeClaimParametersSpec(count=1, split=0)
"""A claim that names no parameters gets one whole device."""


class ParametersResolver:
    """Turns claim and class into a DeviceRequest, from caches alone.

    Args:
        claim_parameters: what claims name.
        class_parameters: what classes name.
        driver: name of the driver.
    """

    def __init__(
        self,
        claim_parameters: Informer[FakeClaimParameters],
        class_parameters: Informer[DeviceClassParameters],
        driver: str = NAMES.driver,
    ) -> None:
        self.of_claims = ClaimParameters(claim_parameters, driver, _problem)
        self.of_classes = ClassParameters(class_parameters, driver)

    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> DeviceRequest:
        """What the claim asks for. Raises ParametersError."""
        parameters = self.of_claims.of_claim(claim)
        spec = WITHOUT_PARAMETERS if parameters is None else parameters.spec
        return DeviceRequest(
            count=spec.count,
            split=spec.split,
            model=spec.selector.model if spec.selector is not None else None,
            selectors=self.selectors_of(resource_class),
        )

    def selectors_of(self, resource_class: ResourceClass) -> tuple[Selector, ...]:
        """Which devices the class is about; no selectors: all. Raises ParametersError."""
        parameters = self.of_classes.of_class(resource_class)
        entries = () if parameters is None else parameters.spec.device_selector
        return tuple(Selector(type=entry.type, name=entry.name) for entry in entries)


def _problem(parameters: FakeClaimParameters) -> str | None:
    """What is wrong with parameters whose fields are each within their bounds; None when nothing is."""
    spec = parameters.spec
    if spec.count * spec.split > MAX_CHILDREN:
        return (
            f"count {spec.count} times split {spec.split} is {spec.count * spec.split}; "
            f"count times split must be at most {MAX_CHILDREN}"
        )
    return None
