"""What the API server refuses the components of this driver, beyond what it refuses those of any driver."""

import json
from dataclasses import replace
from typing import Final

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.fake import SIMULATED_LABEL
from fake_dra_driver.api.resource.v1 import ResourceClaim, ResourceSlice
from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen import STRUCTURED, Check, Guard
from fake_dra_driver.dra import DriverNames
from fake_dra_driver.dra.program.admission import guards
from fake_dra_driver.dra.structured.slices import published_annotation

__all__ = ["driver_guards"]

_NODES: Final = "?status.?nodes"


def driver_guards(names: DriverNames, records: type[CustomResource]) -> tuple[Guard, ...]:
    """What keeps the components to their own work.

    Args:
        names: of the driver.
        records: its NodeAllocationState.
    """
    return (
        *map(_of_one_of_two_writers, guards(names, records, simulated=SIMULATED_LABEL)),
        _plugin_on_faults(),
        _controller_on_faults(),
        _controller_on_binding(names),
        _controller_on_slices(names),
    )


def _of_one_of_two_writers(guard: Guard) -> Guard:
    """The controller of this driver writes the status of claims of structured DRA as well, and slices of nodes that
    have no kubelet plugin."""
    if guard.kind is ResourceSlice:
        return replace(guard, is_simulators=True)
    is_about_claims = guard.kind is ResourceClaim and guard.subresource == "status"
    return replace(guard, needs_own_account=True) if is_about_claims else guard


def _plugin_on_faults() -> Guard:
    return Guard(
        "People would believe that a fault had hit other nodes, or that it had not.",
        "kubeletplugin",
        DeviceFault,
        ("UPDATE",),
        (
            Check(
                'variables.node != ""',
                '"The token of the kubelet plugin does not say on which node it runs; it has to be the token of its '
                'own pod."',
            ),
            Check(
                f"{_of_other_nodes('object')} == {_of_other_nodes('oldObject')}",
                '"The kubelet plugin on the node " + variables.node + " may only say in status.nodes what is with '
                'that node."',
            ),
            Check(
                "object.?status.?conditions == oldObject.?status.?conditions",
                '"The kubelet plugin may not change status.conditions: the controller writes them."',
            ),
        ),
        subresource="status",
    )


def _of_other_nodes(version: str) -> str:
    return f"{version}.{_NODES}.orValue([]).filter(each, each.node != variables.node)"


def _controller_on_faults() -> Guard:
    entries = {version: f"{version}.{_NODES}.orValue([])" for version in ("object", "oldObject")}
    marked = " + ".join(
        f"{listed}.filter(each, each.?simulated.orValue(false)).map(each, each.node)" for listed in entries.values()
    )
    # Once for all entries: 512 times 512 is more than an API server lets an expression cost.
    by_plugins = "filter(each, !each.?simulated.orValue(false) && !(each.node in variables.simulated))"
    return Guard(
        "What a fault has hit is the word of the nodes' kubelet plugins.",
        "controller",
        DeviceFault,
        ("UPDATE",),
        (
            Check(
                # An entry that has the mark before or after is at a node that plugin and controller take over from
                # each other.
                " == ".join(f"{listed}.{by_plugins}" for listed in entries.values()),
                '"The controller may not change status.nodes but for entries that are simulated, before or after: the '
                'kubelet plugins write it."',
            ),
        ),
        subresource="status",
        own_variables={"simulated": marked},
    )


def _controller_on_binding(names: DriverNames) -> Guard:
    return Guard(
        "Claims would say untruths about devices of other drivers, or lose their allocation.",
        "controller",
        ResourceClaim,
        ("UPDATE",),
        (
            Check(
                "object.?status.?allocation == oldObject.?status.?allocation && "
                "object.?status.?reservedFor == oldObject.?status.?reservedFor",
                '"The controller may not change what a claim is allocated, nor for whom it is reserved."',
            ),
            Check(
                f"{_of_other_drivers('object', names)} == {_of_other_drivers('oldObject', names)}",
                '"The controller may not change what other drivers say in status.devices."',
            ),
        ),
        subresource="status",
        only=STRUCTURED,
    )


def _controller_on_slices(names: DriverNames) -> Guard:
    published = json.dumps(published_annotation(names.driver))
    return Guard(
        # Whether a node has a plugin, no expression can know.
        "Devices of other drivers, or of several nodes at once, would be offered that are not there, and slices of "
        "kubelet plugins deleted.",
        "controller",
        ResourceSlice,
        ("CREATE", "UPDATE", "DELETE"),
        (
            Check(
                f"variables.versions.all(each, each.spec.driver == {json.dumps(names.driver)})",
                f'"The controller may only write ResourceSlices of the driver {names.driver}."',
            ),
            Check(
                'variables.versions.all(each, each.spec.?nodeName.orValue("") == each.spec.pool.name)',
                '"The controller may only write ResourceSlices of single nodes, in the pool of the node\'s name."',
            ),
            Check(
                # What a plugin has left at a node that has none any more is taken over: the controller marks it.
                f'(request.operation == "DELETE" ? oldObject : object).metadata.?annotations[?{published}].hasValue()',
                '"The controller may only write ResourceSlices with the annotation '
                f'{published_annotation(names.driver)}, and delete none without it: those are of kubelet plugins."',
            ),
        ),
        only=STRUCTURED,
    )


def _of_other_drivers(version: str, names: DriverNames) -> str:
    return f"{version}.?status.?devices.orValue([]).filter(each, each.driver != {json.dumps(names.driver)})"
