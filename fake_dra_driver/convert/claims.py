"""ResourceClaims and ResourceClaimTemplates of classic DRA, with what FakeClaimParameters say of them."""

from typing import Any, Final

from fake_dra_driver.api.fake import (
    CLAIM_FINALIZER,
    DRIVER_NAME,
    MAX_CHILDREN,
    FakeClaimParameters,
    FakeClaimParametersSpec,
)
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.api.resource.v1 import (
    MAX_RESULTS,
    CelSelector,
    DeviceClaim,
    DeviceClaimConfiguration,
    DeviceRequest,
    DeviceSelector,
    ExactDeviceRequest,
    OpaqueDeviceConfiguration,
    ResourceClaimSpec,
)
from fake_dra_driver.api.resource.v1alpha2 import ClaimParametersReference
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaimSpec as ClassicSpec
from fake_dra_driver.convert.known import Known, key_of
from fake_dra_driver.convert.outcome import (
    CannotConvertError,
    Manifest,
    NotOursError,
    Outcome,
    read,
    substitute,
    unknown_fields,
)
from fake_dra_driver.convert.selector import model_selector

__all__ = ["REQUEST_NAME", "convert_claim", "convert_template"]

REQUEST_NAME: Final = "fake"
"""Name of the one request of a converted claim."""


def convert_claim(claim: Manifest, known: Known, api: ResourceApi) -> Outcome:
    """A ResourceClaim as one of structured DRA. Raises CannotConvertError and NotOursError."""
    spec = _Spec(claim.get("spec"), "spec", key_of(claim).namespace, known, api)
    remarks = list(spec.remarks)
    changes = {
        "apiVersion": ("apiVersion", api.claims.resource.api_version),
        "metadata": ("metadata", _metadata(claim.get("metadata"), remarks)),
        "spec": ("spec", spec.converted),
        "status": None,
    }
    return Outcome(substitute(claim, changes), remarks, spec.uses)


def convert_template(template: Manifest, known: Known, api: ResourceApi) -> Outcome:
    """A ResourceClaimTemplate as one of structured DRA. Raises CannotConvertError and NotOursError."""
    outer = template.get("spec")
    if not isinstance(outer, dict):
        raise CannotConvertError("spec: must be set")
    spec = _Spec(outer.get("spec"), "spec.spec", key_of(template).namespace, known, api)
    changes = {
        "apiVersion": ("apiVersion", api.templates.resource.api_version),
        "spec": ("spec", substitute(outer, {"spec": ("spec", spec.converted)})),
    }
    return Outcome(substitute(template, changes), spec.remarks, spec.uses)


def _metadata(metadata: Any, remarks: list[str]) -> Any:
    """Metadata without the finalizer that only the controller of classic DRA takes off."""
    finalizers = metadata.get("finalizers") if isinstance(metadata, dict) else None
    if not isinstance(finalizers, list) or CLAIM_FINALIZER not in finalizers:
        return metadata
    remarks.append(f"finalizer {CLAIM_FINALIZER} is left out: nothing would take it off")
    others = [each for each in finalizers if each != CLAIM_FINALIZER]
    return substitute(metadata, {"finalizers": ("finalizers", others) if others else None})


class _Spec:
    """The spec of a classic claim, and what becomes of it."""

    def __init__(self, raw: Any, path: str, namespace: str, known: Known, api: ResourceApi) -> None:
        classic = read(ClassicSpec, raw, path)
        driver = known.drivers.get(classic.resource_class_name)
        self.remarks: list[str] = []
        self.uses: NamespacedName | None = None
        parameters = FakeClaimParametersSpec()
        if not classic.resource_class_name:
            raise CannotConvertError(f"{path}.resourceClassName: must be set")
        if driver not in (None, DRIVER_NAME):
            raise NotOursError(f"its class {classic.resource_class_name} is of driver {driver}")
        if classic.parameters_ref is not None:
            self.uses = _parameters_key(classic.parameters_ref, namespace, is_ours=driver == DRIVER_NAME)
            parameters = self._parameters(known.claim_parameters(self.uses))
        self.remarks += [f"{field} is no field, and is left out" for field in unknown_fields(classic, path)]
        if classic.allocation_mode == "Immediate":
            self.remarks.append(
                "allocationMode Immediate has no counterpart: the claim is allocated with the first pod that uses it"
            )
        spec = ResourceClaimSpec(devices=_devices(classic.resource_class_name, parameters))
        self.converted: Any = api.claims(spec=spec).to_wire()["spec"]

    def _parameters(self, raw: Any) -> FakeClaimParametersSpec:
        kind = FakeClaimParameters.resource.kind
        try:
            parameters = read(FakeClaimParametersSpec, {} if raw is None else raw, "spec")
        except CannotConvertError as error:
            raise CannotConvertError(f"its {kind} {self.uses} cannot be used: {error}") from error
        children = parameters.count * parameters.split
        if children > MAX_CHILDREN:
            raise CannotConvertError(
                f"its {kind} {self.uses} cannot be used: count times split is {children}, and at most {MAX_CHILDREN}"
            )
        self.remarks += [
            f"{field} of {kind} {self.uses} is no field, and is left out"
            for field in unknown_fields(parameters, "spec")
        ]
        if parameters.count > MAX_RESULTS:
            self.remarks.append(
                f"count {parameters.count} has no counterpart: a claim gets at most {MAX_RESULTS} devices, so this one "
                "will never be allocated"
            )
        return parameters


def _parameters_key(reference: ClaimParametersReference, namespace: str, *, is_ours: bool) -> NamespacedName:
    wanted = FakeClaimParameters.resource
    if (reference.api_group, reference.kind) != (wanted.group, wanted.kind):
        found = f"its parameters are of kind {reference.kind} in API group {reference.api_group or 'core'}"
        if is_ours:
            raise CannotConvertError(f"{found}; {DRIVER_NAME} takes only kind {wanted.kind} in {wanted.group}")
        raise NotOursError(found)
    return NamespacedName(namespace, reference.name)


def _devices(class_name: str, parameters: FakeClaimParametersSpec) -> DeviceClaim:
    """What the claim asks for. What is the default is left out."""
    exactly: dict[str, Any] = {"device_class_name": class_name}
    if parameters.selector is not None:
        exactly["selectors"] = (DeviceSelector(cel=CelSelector(expression=model_selector(parameters.selector.model))),)
    if parameters.count != 1:
        exactly["count"] = parameters.count
    requests = (DeviceRequest(name=REQUEST_NAME, exactly=ExactDeviceRequest(**exactly)),)
    if parameters.split == 0:
        return DeviceClaim(requests=requests)
    payload = {
        "apiVersion": FakeClaimParameters.resource.api_version,
        "kind": FakeClaimParameters.resource.kind,
        "spec": {"split": parameters.split},
    }
    opaque = OpaqueDeviceConfiguration(driver=DRIVER_NAME, parameters=payload)
    return DeviceClaim(requests=requests, config=(DeviceClaimConfiguration(opaque=opaque),))
