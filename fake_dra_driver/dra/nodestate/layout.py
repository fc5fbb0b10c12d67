"""How a kind of object carries all that is known of a node: the seam between ``nodestate`` and a driver.

One object of such a layout serves the ledger of classic DRA, which needs the ``LedgerLayout`` in it, the publisher of
the plugin, the projection of structured DRA, the search for abandoned claims, the metrics, and ``status``.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, ObjectMeta
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.nodestate.ledgerlayout import LedgerLayout

__all__ = ["DeviceT", "EntryT", "NodeStateLayout", "StateT"]

StateT = TypeVar("StateT", bound=KubeObject)
DeviceT = TypeVar("DeviceT")
EntryT = TypeVar("EntryT")


class NodeStateLayout(LedgerLayout[StateT, EntryT], Protocol[StateT, DeviceT, EntryT, PreparedT]):
    """Where in an object of a node what is, and how it is written. Pure.

    Each node has one such object, of its name, in the driver's namespace. It has a ``spec``, part of which the kubelet
    plugin of the node writes, part the controller, and a ``status`` of one word. Devices have keys that are unique on
    their node. A device may be given to a claim in parts, which have keys as well.
    """

    plugin_fields: Sequence[str]
    """Names in JSON of the fields of ``spec`` that the plugin writes."""
    allocated_annotation: str
    """Annotation for people: how many devices claims hold, such as ``5/8``."""
    models_annotation: str
    """Annotation for people: which models the devices have."""
    abandoned_annotation: str
    """Annotation in which the controller tells the plugin which prepared claims no pod can use."""

    simulated_label: str = ""
    """Label of objects that a controller writes in the place of a plugin (``pluginpart``); empty: there are none."""

    def make(self, metadata: ObjectMeta, status: str) -> StateT:
        """A node's object as it begins: with an empty ``spec``."""
        ...

    def spec_of(self, state: StateT) -> ApiModel:
        """``spec`` as it was read."""
        ...

    def status_of(self, state: StateT) -> str:
        """``status``: READY, NOT_READY, or what a person has written there."""
        ...

    def inventory_of(self, state: StateT) -> Sequence[DeviceT]:
        """The devices of the node, as its plugin has published them."""
        ...

    def key_of(self, device: DeviceT) -> str:
        """The key of a device, by which entries name it."""
        ...

    def model_of(self, device: DeviceT) -> str:
        """The model of a device, for people; empty where it has none."""
        ...

    def name_of(self, device: DeviceT) -> str:
        """The name of a device in ResourceSlices, where it is known. By default it is its key."""
        return self.key_of(device)

    def problem_of(self, device: DeviceT) -> str:  # noqa: ARG002 - a default
        """Why no claim can get a device although it is there, for people. By default nothing: empty."""
        return ""

    def spec_for(self, inventory: Sequence[DeviceT], prepared: Mapping[str, PreparedClaim[PreparedT]]) -> ApiModel:
        """A ``spec`` in which the ``plugin_fields`` say which devices the node has, and by UID what is prepared there.

        What a claim only looks at (adminAccess) is not in use by it, and left out.
        """
        ...

    def with_problem(self, spec: ApiModel, problem: str) -> ApiModel:  # noqa: ARG002 - a default
        """The ``spec``, which also says why its inventory may be out of date. By default it does not say it.

        Args:
            spec: as ``spec_for`` makes it.
            problem: for people; not empty.
        """
        return spec

    def inventory_problem_of(self, state: StateT) -> str:  # noqa: ARG002 - a default
        """Why the inventory may be out of date, for people. By default nothing: empty."""
        return ""

    @override
    def devices_of(self, entry: EntryT) -> Sequence[str]: ...

    @override
    def prepared_of(self, state: StateT) -> Mapping[str, Sequence[str]]: ...

    def parts_of(self, entry: EntryT) -> Mapping[str, int]:
        """By key of each device of an entry: into how many parts a claim has it divided. By default it is whole: 0."""
        return dict.fromkeys(self.devices_of(entry), 0)

    def prepared_parts_of(self, state: StateT) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """By the UID of a claim, and by key of each device that is ready for it: keys of the parts that are.

        Where all of the device is ready, as by default, none.
        """
        return {uid: dict.fromkeys(keys, ()) for uid, keys in self.prepared_of(state).items()}

    def being_prepared_of(self, state: StateT) -> Collection[str]:  # noqa: ARG002 - a default
        """UIDs of those claims of ``prepared_of`` whose devices are taken, but not ready yet. By default none."""
        return ()

    def part_keys(self, key: str, parts: int) -> Sequence[str]:  # noqa: ARG002 - a default
        """Keys of the parts of a device that is divided, as far as there can be so many. By default none."""
        return ()

    @override
    def annotations_of(self, state: StateT, entries: Mapping[str, EntryT]) -> Mapping[str, str]:
        return {self.allocated_annotation: self.allocated_text(entries, len(self.inventory_of(state)))}

    def allocated_text(self, entries: Mapping[str, EntryT], devices: int) -> str:
        """Such as ``5/8``: devices that entries hold, of so many. One that several claims share counts once."""
        return f"{len({key for entry in entries.values() for key in self.devices_of(entry)})}/{devices}"
