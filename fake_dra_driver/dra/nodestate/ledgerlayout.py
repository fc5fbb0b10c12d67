"""How a kind of object carries the ledger of a node: the only thing that a ledger has to know about a driver."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol, TypeVar

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject
from fake_dra_driver.dra.nodestate.sharing import Holding, Share

__all__ = ["LedgerLayout"]

StateT = TypeVar("StateT", bound=KubeObject)
EntryT = TypeVar("EntryT")


class LedgerLayout(Protocol[StateT, EntryT]):
    """Where in an object of a node its ledger is, and what an entry of it says. Pure.

    Each node has one such object, of its name, in the driver's namespace. The entries are a map by the UID of a claim.
    """

    kind: type[StateT]
    """Kind of the object."""
    path: Sequence[str]
    """Names in JSON of the fields that lead to the map of entries. A field that is missing is made."""
    revision_annotation: str
    """Annotation that holds the revision, which each write raises."""

    def entries_of(self, state: StateT) -> Mapping[str, EntryT]:
        """The map of entries; empty where it is missing."""
        ...

    def to_wire(self, entry: EntryT) -> object:
        """An entry as it is in JSON, as it was read: it is compared with what the API server has."""
        return entry.to_wire() if isinstance(entry, ApiModel) else entry

    def devices_of(self, entry: EntryT) -> Sequence[Hashable]:
        """Keys of the devices that an entry names, unique on their node.

        No device is ever in two entries, but for shares of one, which its capacity has room for.
        """
        ...

    def holding_of(self, entry: EntryT) -> Holding:
        """What an entry gives of each of these devices. By default all of it."""
        return dict.fromkeys(self.devices_of(entry))

    def capacities_of(self, state: StateT) -> Mapping[Hashable, Share]:  # noqa: ARG002 - a default
        """The capacity of each device of the node that claims share. By default they share none."""
        return {}

    def prepared_of(self, state: StateT) -> Mapping[str, Sequence[Hashable]]:  # noqa: ARG002 - a default
        """By the UID of a claim: keys of the devices that the node has ready for its containers. By default none.

        For a driver whose nodes say so, these devices stay taken whatever becomes of the claim: containers may use them
        until the node has ended it.
        """
        return {}

    def prepared_holdings_of(self, state: StateT) -> Mapping[str, Holding]:
        """What of these devices is ready for each of the claims. By default all of each."""
        return {uid: dict.fromkeys(devices) for uid, devices in self.prepared_of(state).items()}

    def annotations_of(self, state: StateT, entries: Mapping[str, EntryT]) -> Mapping[str, str]:  # noqa: ARG002
        """Annotations to be written with the entries, for people: nothing is decided on them. By default none."""
        return {}
