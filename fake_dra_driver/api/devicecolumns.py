"""The devices that a node lists, in a thirtieth of the memory: a controller's cache has those of thousands of nodes.

Nodes of one profile differ in the UUIDs of their devices and in nothing else. So what they have in common is kept once
for all of them, and the UUIDs as one text. An entry becomes an object when it is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar, overload

from typing_extensions import override

__all__ = ["DeviceColumns", "DeviceRow"]

EntryT = TypeVar("EntryT")
Kinds = tuple[tuple[str, str, str], ...]

_BETWEEN: Final = "\n"
_TEXTS: Final = ("name", "type", "device")


class DeviceRow(NamedTuple):
    """What an entry says, as ``FakeDevice`` has it."""

    uuid: str
    name: str
    type: str = ""
    device: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The entry as JSON."""
        fake = {"uuid": self.uuid, "name": self.name}
        if self.type:
            fake["type"] = self.type
        if self.device:
            fake["device"] = self.device
        return {"fake": fake}


class DeviceColumns(Sequence[EntryT], Generic[EntryT]):
    """A sequence of entries. Immutable.

    Args:
        rows: what they say.
        make: makes an entry of a row.
    """

    __slots__ = ("_kinds", "_make", "_uuids")

    def __init__(self, rows: Iterable[DeviceRow], make: Callable[[DeviceRow], EntryT]) -> None:
        rows = list(rows)
        self._uuids = _BETWEEN.join(row.uuid for row in rows)
        self._kinds = _shared(tuple((row.name, row.type, row.device) for row in rows))
        self._make = make

    @classmethod
    def of_wire(cls, wire: object, make: Callable[[DeviceRow], EntryT]) -> Self | None:
        """Reads entries from JSON; None where there are none, or where one is not just what a row is."""
        if not isinstance(wire, list) or not wire:
            return None
        rows = [_row(entry) for entry in wire]
        return None if None in rows else cls((row for row in rows if row is not None), make)

    def rows(self) -> Iterator[DeviceRow]:
        """What the entries say."""
        if self._kinds:
            for uuid, kind in zip(self._uuids.split(_BETWEEN), self._kinds, strict=True):
                yield DeviceRow(uuid, *kind)

    def to_wire(self) -> list[dict[str, Any]]:
        """All of them as JSON."""
        return [row.to_wire() for row in self.rows()]

    @override
    def __len__(self) -> int:
        return len(self._kinds)

    @override
    def __iter__(self) -> Iterator[EntryT]:
        return map(self._make, self.rows())

    @overload
    def __getitem__(self, index: int) -> EntryT: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[EntryT]: ...

    @override
    def __getitem__(self, index: int | slice) -> EntryT | Sequence[EntryT]:
        found = list(self.rows())[index]
        return self._make(found) if isinstance(found, DeviceRow) else tuple(map(self._make, found))

    @override
    def __eq__(self, other: object) -> bool:
        if isinstance(other, DeviceColumns):
            return self._uuids == other._uuids and self._kinds == other._kinds
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # tuples that are equal to it would have another hash

    @override
    def __repr__(self) -> str:
        return repr(tuple(self))


def _row(entry: object) -> DeviceRow | None:
    """None: there is more to it, or something else, for the model to read or to refuse."""
    fake = entry.get("fake") if isinstance(entry, dict) and len(entry) == 1 else None
    if not isinstance(fake, dict) or not fake.keys() <= {"uuid", *_TEXTS}:
        return None
    if not all(isinstance(text, str) and text for text in fake.values()) or "name" not in fake:
        return None
    return DeviceRow(**fake) if _BETWEEN not in fake.get("uuid", _BETWEEN) else None


@lru_cache(maxsize=1024)
def _shared(kinds: Kinds) -> Kinds:
    """The first of all that are equal."""
    return kinds
