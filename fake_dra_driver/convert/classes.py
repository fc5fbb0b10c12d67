"""ResourceClasses of classic DRA, with what DeviceClassParameters say of them."""

from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, DeviceClassParameters, DeviceClassParametersSpec
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.api.resource.v1 import CelSelector, DeviceClassSpec, DeviceSelector
from fake_dra_driver.api.resource.v1alpha2 import ClassParametersReference
from fake_dra_driver.convert.known import Known
from fake_dra_driver.convert.outcome import (
    CannotConvertError,
    Manifest,
    NotOursError,
    Outcome,
    read,
    substitute,
    unknown_fields,
)
from fake_dra_driver.convert.selector import class_selectors

__all__ = ["convert_class"]

_COSTLY: Final = (".contains(", ".matches(")
"""Functions of CEL of which Kubernetes 1.32 takes the cost for the longest string there is: it has no better bound."""


def convert_class(resource_class: Manifest, known: Known, api: ResourceApi) -> Outcome:
    """A ResourceClass as a DeviceClass. Raises CannotConvertError and NotOursError."""
    driver = resource_class.get("driverName")
    if not driver:
        raise CannotConvertError("driverName: must be set")
    if driver != DRIVER_NAME:
        raise NotOursError(f"it is of driver {driver}")
    remarks: list[str] = []
    uses: NamespacedName | None = None
    parameters: DeviceClassParametersSpec | None = None
    if resource_class.get("parametersRef") is not None:
        uses = _parameters_key(read(ClassParametersReference, resource_class["parametersRef"], "parametersRef"))
        parameters = read(DeviceClassParametersSpec, known.class_parameters(uses.name), f"{uses}: spec")
        remarks += [
            f"{field} of DeviceClassParameters {uses} is no field, and is left out"
            for entry in parameters.device_selector
            for field in unknown_fields(entry, "spec.deviceSelector")
        ]
    if resource_class.get("suitableNodes") is not None:
        remarks.append("suitableNodes has no counterpart: its devices are where ResourceSlices say that they are")
    expressions = class_selectors(parameters.device_selector if parameters else ())
    if api.version == "v1beta1" and any(word in each for each in expressions for word in _COSTLY):
        remarks.append("a glob needs a selector that Kubernetes 1.32 refuses as too complex, and later ones take")
    selectors = tuple(DeviceSelector(cel=CelSelector(expression=expression)) for expression in expressions)
    spec = DeviceClassSpec(selectors=selectors)
    wire = api.classes(spec=spec).to_wire()
    changes = {
        "apiVersion": ("apiVersion", wire["apiVersion"]),
        "kind": ("kind", wire["kind"]),
        "driverName": ("spec", wire["spec"]),
        "parametersRef": None,
        "suitableNodes": None,
        # The scheduler allocates always.
        "structuredParameters": None,
    }
    return Outcome(substitute(resource_class, changes), remarks, uses)


def _parameters_key(reference: ClassParametersReference) -> NamespacedName:
    wanted = DeviceClassParameters.resource
    if (reference.api_group, reference.kind) != (wanted.group, wanted.kind):
        raise CannotConvertError(
            f"its parameters are of kind {reference.kind} in API group {reference.api_group or 'core'}; "
            f"{DRIVER_NAME} takes only kind {wanted.kind} in {wanted.group}"
        )
    return NamespacedName("", reference.name)
