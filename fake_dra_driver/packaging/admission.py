"""What the API server refuses although a role allows it: roles cannot say "of its own node", or "this field alone".

Each guard is a ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1, Kubernetes 1.30 and later) on what one
component's ServiceAccount writes; what others write does not concern it. The node of a kubelet plugin is that which the
API server itself has put into the token of its pod (KEP-4193), so that a token that was taken from one node is of no
use for another.
"""

import json
from typing import Final

from fake_dra_driver.api.fake import (
    ABANDONED_ANNOTATION,
    CLAIM_FINALIZER,
    DRIVER_NAME,
    EVENT_COMPONENT,
    LEDGER_REVISION_ANNOTATION,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Event, Node
from fake_dra_driver.api.resource.v1 import ResourceClaim, ResourceSlice
from fake_dra_driver.codegen import CLASSIC, STRUCTURED, Check, Guard

__all__ = ["GUARDS"]

_ALL: Final = ("CREATE", "UPDATE", "DELETE")
_PLUGIN: Final = '"The kubelet plugin on the node " + variables.node + " may '
_OF_A_NODE: Final = Check(
    'variables.node != ""',
    '"The token of the kubelet plugin does not say on which node it runs; it has to be the token of its own pod."',
)


def _unchanged(*path: str) -> str:
    """Whether an update leaves a field as it is."""
    field = "".join(f".?{name}" for name in path)
    return f"object{field} == oldObject{field}"


def _left_alone(field: str) -> str:
    """Whether a field has not been touched, neither by an update nor by a creation."""
    return (
        f'request.operation == "UPDATE" ? object{field} == oldObject{field} : '
        f'request.operation == "DELETE" || !object{field}.hasValue()'
    )


def _reported_by(*, host: str = "") -> str:
    """Whether an Event, also one that is changed, is of this driver, and of a host if one is given."""
    component = json.dumps(EVENT_COMPONENT)
    fields = {".?source.?component": component, ".?reportingComponent": component}
    if host:
        fields |= {".?source.?host": host, ".?reportingInstance": host}
    same = " && ".join(f'each{field}.orValue("") == {value}' for field, value in fields.items())
    return f"variables.versions.all(each, {same})"


def _others_finalizers(version: str) -> str:
    own = json.dumps(CLAIM_FINALIZER)
    return f"{version}.?metadata.?finalizers.orValue([]).filter(each, each != {own})"


def _others_statuses(version: str) -> str:
    own = f"each.driver == {json.dumps(DRIVER_NAME)} && each.pool == variables.node"
    return f"{version}.?status.?devices.orValue([]).filter(each, !({own}))"


GUARDS: Final = (
    Guard(
        "Other nodes would be taken for usable, or for not usable, and get or lose claims.",
        "kubeletplugin",
        NodeAllocationState,
        _ALL,
        (
            _OF_A_NODE,
            Check(
                "variables.versions.all(each, each.metadata.name == variables.node)",
                f'{_PLUGIN}only write the NodeAllocationState of that node."',
            ),
            Check(
                _left_alone(".?spec.?allocatedClaims"),
                '"The kubelet plugin may not change allocatedClaims: the controller writes it."',
            ),
            *(
                Check(
                    _left_alone(f".metadata.?annotations[?{json.dumps(annotation)}]"),
                    f'"The kubelet plugin may not change the annotation {annotation}: the controller writes it."',
                )
                # The one keeps writes of the controller apart, the other has the plugin end what is prepared.
                for annotation in (LEDGER_REVISION_ANNOTATION, ABANDONED_ANNOTATION)
            ),
        ),
    ),
    Guard(
        "Devices of other nodes, and of other drivers, would be offered that are not there.",
        "kubeletplugin",
        ResourceSlice,
        _ALL,
        (
            _OF_A_NODE,
            Check(
                f"variables.versions.all(each, each.spec.driver == {json.dumps(DRIVER_NAME)})",
                f'"The kubelet plugin may only write ResourceSlices of the driver {DRIVER_NAME}."',
            ),
            Check(
                'variables.versions.all(each, each.spec.?nodeName.orValue("") == variables.node)',
                f'{_PLUGIN}only write ResourceSlices of that node."',
            ),
            Check(
                # Claims name a device by driver, pool and device: in another node's pool it would be that node's. What
                # others have published for this node, the plugin deletes.
                'request.operation == "DELETE" || object.spec.pool.name == variables.node',
                f'{_PLUGIN}only write ResourceSlices of the pool of that node."',
            ),
        ),
        only=STRUCTURED,
        needs_own_account=False,
    ),
    Guard(
        "Claims that are allocated elsewhere would say untruths about their devices, or lose their allocation.",
        "kubeletplugin",
        ResourceClaim,
        ("UPDATE",),
        (
            _OF_A_NODE,
            Check(
                f"{_unchanged('status', 'allocation')} && {_unchanged('status', 'reservedFor')}",
                '"The kubelet plugin may not change what a claim is allocated, nor for whom it is reserved."',
            ),
            Check(
                "oldObject.?status.?allocation.?devices.?results.orValue([]).exists(each, "
                f"each.driver == {json.dumps(DRIVER_NAME)} && each.pool == variables.node)",
                f'{_PLUGIN}only write the status of claims that hold devices of that node."',
            ),
            Check(
                f"{_others_statuses('object')} == {_others_statuses('oldObject')}",
                '"The kubelet plugin may not change what other drivers and nodes say in status.devices."',
            ),
        ),
        subresource="status",
        only=STRUCTURED,
        needs_own_account=False,
    ),
    Guard(
        "People would believe that another component, or another node, had said it.",
        "kubeletplugin",
        Event,
        _ALL,
        (
            _OF_A_NODE,
            Check(
                _reported_by(host="variables.node"),
                f'{_PLUGIN}only write Events of {EVENT_COMPONENT} on that node."',
            ),
            Check(
                f'variables.versions.all(each, each.involvedObject.?kind.orValue("") == "{ResourceClaim.resource.kind}"'
                f' || each.involvedObject.?kind.orValue("") in '
                f"{json.dumps([Node.resource.kind, NodeAllocationState.resource.kind])}"
                ' && each.involvedObject.?name.orValue("") == variables.node)',
                f'{_PLUGIN}only write Events about claims and about that node."',
            ),
        ),
    ),
    Guard(
        "What a node has, and whether it can be used, is the word of its kubelet plugin.",
        "controller",
        NodeAllocationState,
        _ALL,
        (
            Check(
                'request.operation == "UPDATE" && '
                + " && ".join(
                    _unchanged(*path)
                    for path in (("status",), ("spec", "allocatableDevice"), ("spec", "preparedDevices"))
                ),
                '"The controller may only change allocatedClaims: the kubelet plugin writes status, allocatableDevice '
                'and preparedDevices."',
            ),
        ),
    ),
    Guard(
        "Other finalizers protect other things, and labels and owners of claims are their owner's.",
        "controller",
        ResourceClaim,
        ("UPDATE",),
        (
            Check(
                f"{_others_finalizers('object')} == {_others_finalizers('oldObject')}",
                f'"The controller may only set and remove the finalizer {CLAIM_FINALIZER}."',
            ),
            Check(
                " && ".join(_unchanged("metadata", field) for field in ("labels", "annotations", "ownerReferences")),
                '"The controller may not change labels, annotations and owners of claims."',
            ),
        ),
        only=CLASSIC,
    ),
    Guard(
        "Claims of other drivers would lose their allocation, or get one.",
        "controller",
        ResourceClaim,
        ("UPDATE",),
        (
            Check(
                'variables.versions.all(each, each.?status.?driverName.orValue("") in '
                f"{json.dumps(['', DRIVER_NAME])})",
                f'"The controller may only write the status of claims of the driver {DRIVER_NAME}."',
            ),
        ),
        subresource="status",
        only=CLASSIC,
    ),
    Guard(
        "People would believe that another component had said it.",
        "controller",
        Event,
        _ALL,
        (Check(_reported_by(), f'"The controller may only write Events of {EVENT_COMPONENT}."'),),
    ),
)
"""What each component could do beyond its own work, if its token were stolen."""
