"""How the objects of one version look in the version that they are stored in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["Conversion", "renaming"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Both ways between a version and the stored one. The functions may share parts of what they get, not change it."""

    to_stored: Callable[[Object], Object]
    from_stored: Callable[[Object], Object]
    stored_names: Mapping[str, str] = field(default_factory=dict)
    """Fields at the top with another name in the stored version, by the name here: for field selectors."""


def renaming(stored_names: Mapping[str, str]) -> Conversion:
    """A conversion that only renames fields at the top."""
    names = {stored: name for name, stored in stored_names.items()}

    def to_stored(obj: Object) -> Object:
        return {stored_names.get(name, name): value for name, value in obj.items()}

    def from_stored(obj: Object) -> Object:
        return {names.get(name, name): value for name, value in obj.items()}

    return Conversion(to_stored, from_stored, stored_names)
