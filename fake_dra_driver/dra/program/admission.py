"""What the API server refuses the components of a driver although a role allows it.

Each could do more than its own work if its token were stolen: roles cannot say "of its own node", or "this field
alone". The node of a kubelet plugin is that which the API server itself has put into the token of its pod (KEP-4193),
so that a token that was taken from one node is of no use for another.
"""

import json
from collections.abc import Sequence
from typing import Final

from fake_dra_driver.api.kube.core import Event, Node
from fake_dra_driver.api.resource.v1 import ResourceClaim, ResourceSlice
from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen import CLASSIC, STRUCTURED, Check, Guard, definition
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.state import NOT_READY, READY

__all__ = ["guards"]

_LEDGER: Final = "allocatedClaims"
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


def _reported_by(component: str, *, host: str = "") -> str:
    """Whether an Event, also one that is changed, is of a component, and of a host if one is given."""
    shown = json.dumps(component)
    fields = {".?source.?component": shown, ".?reportingComponent": shown}
    if host:
        fields |= {".?source.?host": host, ".?reportingInstance": host}
    same = " && ".join(f'each{field}.orValue("") == {value}' for field, value in fields.items())
    return f"variables.versions.all(each, {same})"


def _others_finalizers(version: str, finalizer: str) -> str:
    return f"{version}.?metadata.?finalizers.orValue([]).filter(each, each != {json.dumps(finalizer)})"


def _others_statuses(version: str, driver: str) -> str:
    own = f"each.driver == {json.dumps(driver)} && each.pool == variables.node"
    return f"{version}.?status.?devices.orValue([]).filter(each, !({own}))"


def _plugins_fields(records: type[CustomResource]) -> Sequence[Sequence[str]]:
    """The paths in the record of a node that the kubelet plugin writes: all but the controller's ledger."""
    (version,) = definition(records)["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return [("status",), *(("spec", name) for name in spec if name != _LEDGER)]


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def guards(names: DriverNames, records: type[CustomResource], *, simulated: str = "") -> tuple[Guard, ...]:
    """What keeps the components of a driver to their own work.

    Args:
        names: of the driver.
        records: its NodeAllocationState. The ledger in it is ``spec.allocatedClaims``.
        simulated: label of the records that the controller writes in the place of a kubelet plugin, where it says
            ``true``; empty: there are none.
    """
    return (
        _plugin_on_records(names, records),
        _plugin_on_slices(names),
        _plugin_on_claims(names),
        _plugin_on_events(names, records),
        _controller_on_records(records, simulated),
        _controller_on_claims(names),
        _controller_on_claim_status(names),
        _controller_on_events(names),
    )


def _plugin_on_records(names: DriverNames, records: type[CustomResource]) -> Guard:
    return Guard(
        "Other nodes would be taken for usable, or for not usable, and get or lose claims.",
        "kubeletplugin",
        records,
        _ALL,
        (
            _OF_A_NODE,
            Check(
                "variables.versions.all(each, each.metadata.name == variables.node)",
                f'{_PLUGIN}only write the {records.resource.kind} of that node."',
            ),
            Check(
                _left_alone(f".?spec.?{_LEDGER}"),
                f'"The kubelet plugin may not change {_LEDGER}: the controller writes it."',
            ),
            *(
                Check(
                    _left_alone(f".metadata.?annotations[?{json.dumps(annotation)}]"),
                    f'"The kubelet plugin may not change the annotation {annotation}: the controller writes it."',
                )
                # The one keeps writes of the controller apart, the other has the plugin end what is prepared.
                for annotation in (names.revision_annotation, names.abandoned_annotation)
            ),
        ),
    )


def _plugin_on_slices(names: DriverNames) -> Guard:
    return Guard(
        "Devices of other nodes, and of other drivers, would be offered that are not there.",
        "kubeletplugin",
        ResourceSlice,
        _ALL,
        (
            _OF_A_NODE,
            Check(
                f"variables.versions.all(each, each.spec.driver == {json.dumps(names.driver)})",
                f'"The kubelet plugin may only write ResourceSlices of the driver {names.driver}."',
            ),
            Check(
                'variables.versions.all(each, each.spec.?nodeName.orValue("") == variables.node)',
                f'{_PLUGIN}only write ResourceSlices of that node."',
            ),
            Check(
                # Claims name a device by driver, pool and device: in another node's pool it would be that node's.
                # What others have published for this node, the plugin deletes.
                'request.operation == "DELETE" || object.spec.pool.name == variables.node',
                f'{_PLUGIN}only write ResourceSlices of the pool of that node."',
            ),
        ),
        only=STRUCTURED,
        needs_own_account=False,
    )


def _plugin_on_claims(names: DriverNames) -> Guard:
    return Guard(
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
                f"each.driver == {json.dumps(names.driver)} && each.pool == variables.node)",
                f'{_PLUGIN}only write the status of claims that hold devices of that node."',
            ),
            Check(
                f"{_others_statuses('object', names.driver)} == {_others_statuses('oldObject', names.driver)}",
                '"The kubelet plugin may not change what other drivers and nodes say in status.devices."',
            ),
        ),
        subresource="status",
        only=STRUCTURED,
        needs_own_account=False,
    )


def _plugin_on_events(names: DriverNames, records: type[CustomResource]) -> Guard:
    return Guard(
        "People would believe that another component, or another node, had said it.",
        "kubeletplugin",
        Event,
        _ALL,
        (
            _OF_A_NODE,
            Check(
                _reported_by(names.event_component, host="variables.node"),
                f'{_PLUGIN}only write Events of {names.event_component} on that node."',
            ),
            Check(
                'variables.versions.all(each, each.involvedObject.?kind.orValue("") == '
                f'"{ResourceClaim.resource.kind}" || each.involvedObject.?kind.orValue("") in '
                f"{json.dumps([Node.resource.kind, records.resource.kind])}"
                ' && each.involvedObject.?name.orValue("") == variables.node)',
                f'{_PLUGIN}only write Events about claims and about that node."',
            ),
        ),
    )


def _controller_on_records(records: type[CustomResource], simulated: str) -> Guard:
    plugins = _plugins_fields(records)
    fields = [*plugins, ("metadata", "labels")] if simulated else plugins
    ledger_alone = 'request.operation == "UPDATE" && ' + " && ".join(_unchanged(*path) for path in fields)
    besides = ""
    if simulated:
        ledger_alone = f"({ledger_alone}) || {_in_place_of_a_plugin(simulated)}"
        besides = f", but for nodes without one, whose records have the label {simulated}"
    return Guard(
        "What a node has, and whether it can be used, is the word of its kubelet plugin.",
        "controller",
        records,
        _ALL,
        (
            Check(
                ledger_alone,
                f'"The controller may only change {_LEDGER}: the kubelet plugin writes '
                f'{_listed([path[-1] for path in plugins])}{besides}."',
            ),
        ),
    )


def _in_place_of_a_plugin(label: str) -> str:
    """Whether a record is written of a node that has no plugin; one that a plugin says is Ready cannot be taken over.

    When the node is not simulated any more, the record is left as a plugin leaves it that stops.
    """

    def says(version: str, word: str) -> str:
        return f'{version}.metadata.?labels[?{json.dumps(label)}].orValue("") == "{word}"'

    was_ours, is_ours = says("oldObject", "true"), says("object", "true")
    stopped = f'oldObject.?status.orValue("") != "{READY}" && {says("oldObject", "")}'
    written = f'{is_ours} && (request.operation == "CREATE" || {was_ours} || {stopped})'
    left = f'request.operation == "UPDATE" && {was_ours} && object.?status.orValue("") == "{NOT_READY}"'
    return f'(request.operation != "DELETE" && {written}) || ({left})'


def _controller_on_claims(names: DriverNames) -> Guard:
    return Guard(
        "Other finalizers protect other things, and labels and owners of claims are their owner's.",
        "controller",
        ResourceClaim,
        ("UPDATE",),
        (
            Check(
                f"{_others_finalizers('object', names.finalizer)} == "
                f"{_others_finalizers('oldObject', names.finalizer)}",
                f'"The controller may only set and remove the finalizer {names.finalizer}."',
            ),
            Check(
                " && ".join(_unchanged("metadata", field) for field in ("labels", "annotations", "ownerReferences")),
                '"The controller may not change labels, annotations and owners of claims."',
            ),
        ),
        only=CLASSIC,
    )


def _controller_on_claim_status(names: DriverNames) -> Guard:
    return Guard(
        "Claims of other drivers would lose their allocation, or get one.",
        "controller",
        ResourceClaim,
        ("UPDATE",),
        (
            Check(
                'variables.versions.all(each, each.?status.?driverName.orValue("") in '
                f"{json.dumps(['', names.driver])})",
                f'"The controller may only write the status of claims of the driver {names.driver}."',
            ),
        ),
        subresource="status",
        only=CLASSIC,
    )


def _controller_on_events(names: DriverNames) -> Guard:
    component = names.event_component
    return Guard(
        "People would believe that another component had said it.",
        "controller",
        Event,
        _ALL,
        (Check(_reported_by(component), f'"The controller may only write Events of {component}."'),),
    )
