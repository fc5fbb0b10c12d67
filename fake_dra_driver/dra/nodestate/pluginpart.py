"""What a kubelet plugin says of its node in the node's NodeAllocationState: all but ``spec.allocatedClaims``. Pure.

As a rule the plugin itself writes it. Of a node that has no plugin, a driver's controller may write it in its place:
such an object has a label that says so, by which the two never write the same object for long.

========================  ========  ==================================================================================
The label                 status    Whose word it is
========================  ========  ==================================================================================
none                      Ready     a plugin's that serves the node, or was killed while it did
none                      NotReady  a plugin's that was stopped: a controller may take the object over
``true``                  any       the controller's: a plugin that starts on the node takes it over, with ``false``
``false``                 any       a plugin's; it removes the label when it is stopped
========================  ========  ==================================================================================
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.nodestate.columns import models_of, recount
from fake_dra_driver.dra.nodestate.layout import DeviceT, NodeStateLayout, StateT
from fake_dra_driver.dra.nodestate.state import NOT_READY, READY, AnyLayout, difference
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.patch import Operation, pointer

__all__ = [
    "PluginPart",
    "by_controller",
    "by_plugin",
    "is_by_controller",
    "is_served_by_plugin",
    "left_by_controller",
    "owned_by",
]

_BY_CONTROLLER: Final = "true"
_BY_PLUGIN: Final = "false"


@dataclass(frozen=True, slots=True)
class PluginPart(Generic[DeviceT, PreparedT]):
    """What there is to say about a node."""

    inventory: Sequence[DeviceT]
    """The devices that it has."""
    prepared: Mapping[str, PreparedClaim[PreparedT]]
    """By UID: the claims that are prepared there."""
    status: str
    """READY, NOT_READY, or what a person has written there."""
    problem: str = ""
    """Why the inventory may be out of date; empty where it is not."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """What else is said of the node; an empty text removes an annotation."""

    def missing(self, layout: NodeStateLayout[StateT, DeviceT, Any, PreparedT], state: StateT) -> list[Operation]:
        """What a JSON patch has to do so that the object says this; nothing else of it changes."""
        return [
            *difference(layout, state, self._spec(layout), self.status),
            *recount(layout, state, self.inventory, self.annotations),
        ]

    def made(
        self, layout: NodeStateLayout[StateT, DeviceT, Any, PreparedT], key: NamespacedName, owner: OwnerReference
    ) -> StateT:
        """The object of a node that has none yet, as a controller writes it."""
        spec = self._spec(layout)
        stated = {name: value for name, value in spec.to_wire().items() if value}
        texts = {
            layout.models_annotation: models_of(layout, self.inventory),
            layout.allocated_annotation: layout.allocated_text({}, len(self.inventory)),
            **{name: text for name, text in self.annotations.items() if text},
        }
        metadata = ObjectMeta(
            name=key.name,
            namespace=key.namespace,
            owner_references=(owner,),
            annotations=texts,
            labels={layout.simulated_label: _BY_CONTROLLER},
        )
        return layout.make(metadata, self.status).model_copy(update={"spec": type(spec).model_validate(stated)})

    def _spec(self, layout: NodeStateLayout[Any, DeviceT, Any, PreparedT]) -> ApiModel:
        spec = layout.spec_for(self.inventory, self.prepared)
        return layout.with_problem(spec, self.problem) if self.problem else spec


def is_by_controller(layout: AnyLayout[StateT], state: StateT) -> bool:
    """Whether a controller writes this part of the object."""
    return _word_of(layout, state) == _BY_CONTROLLER


def is_served_by_plugin(layout: AnyLayout[StateT], state: StateT) -> bool:
    """Whether it is the word of a plugin, which may be at work."""
    word = _word_of(layout, state)
    return word == _BY_PLUGIN or (not word and layout.status_of(state) == READY)


def by_controller(layout: AnyLayout[StateT], state: StateT, operations: Sequence[Operation]) -> Sequence[Operation]:
    """What a JSON patch has to do so that the object is a controller's, and these operations.

    It is refused where a plugin has taken the object over in the meantime. Nothing is to be done where the object is
    the controller's, and there are no operations.
    """
    if not is_by_controller(layout, state):
        return [*_label(layout, state, _BY_CONTROLLER), *operations]
    still = patch.test(pointer("metadata", "labels", layout.simulated_label), _BY_CONTROLLER)
    return [still, *operations] if operations else ()


def by_plugin(layout: AnyLayout[StateT], state: StateT) -> Sequence[Operation]:
    """What a JSON patch has to do so that the object is a plugin's: nothing unless it is a controller's."""
    return _label(layout, state, _BY_PLUGIN) if is_by_controller(layout, state) else ()


def left_by_controller(layout: AnyLayout[StateT], state: StateT) -> Sequence[Operation]:
    """What a JSON patch has to do so that an object of a controller is as a plugin leaves it that stops.

    Nothing is prepared there any more: containers that could have it are on nodes with a plugin alone.
    """
    path = pointer("metadata", "labels", layout.simulated_label)
    left: PluginPart[Any, Any] = PluginPart(layout.inventory_of(state), {}, NOT_READY)
    return [patch.test(path, _BY_CONTROLLER), patch.remove(path), *left.missing(layout, state)]


def owned_by(state: KubeObject, owner: OwnerReference) -> Sequence[Operation]:
    """What a JSON patch has to do so that an object that was made by hand goes with its Node."""
    owners = state.metadata.owner_references
    if any(each.kind == owner.kind for each in owners):
        return ()
    there, path = [each.to_wire() for each in owners], pointer("metadata", "ownerReferences")
    return [patch.test(path, there or None), patch.add(path, [*there, owner.to_wire()])]


def _label(layout: AnyLayout[StateT], state: StateT, word: str) -> Sequence[Operation]:
    # Tested, so that of two who take it at the same moment one gets it.
    return patch.label(state.metadata.labels, {layout.simulated_label: word}, tested=[layout.simulated_label])


def _word_of(layout: AnyLayout[StateT], state: StateT) -> str:
    return state.metadata.labels.get(layout.simulated_label, "") if layout.simulated_label else ""
