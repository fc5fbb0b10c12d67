"""Which types fit into which, where some are only known by what they meet (type parameters).

Follows cel-go's checker/types.go.
"""

from collections.abc import Mapping, Sequence

from fake_dra_driver.cel.types import DYN, Type

__all__ = ["Substitution", "most_general"]

_NULLABLE = ("abstract", "structure", "any", "duration", "timestamp")


class Substitution:
    """What type parameters stand for, as far as that is known."""

    def __init__(self, known: Mapping[str, Type] | None = None) -> None:
        self._known = dict(known or {})

    def fits(self, wanted: Sequence[Type], given: Sequence[Type]) -> bool:
        """Whether the types fit, all together. If so, what parameters stand for is remembered."""
        before = self._known
        self._known = dict(before)
        if self._all_fit(wanted, given):
            return True
        self._known = before
        return False

    def resolved(self, type_: Type, *, is_final: bool = False) -> Type:
        """The type without parameters that are known; finally, the others are dynamic."""
        while type_.kind == "parameter":
            known = self._known.get(type_.name)
            if known is None:
                return DYN if is_final else type_
            type_ = known
        if not type_.parameters:
            return type_
        parameters = tuple(self.resolved(each, is_final=is_final) for each in type_.parameters)
        return type_ if parameters == type_.parameters else Type(type_.kind, type_.name, parameters, type_.fields)

    def _all_fit(self, wanted: Sequence[Type], given: Sequence[Type]) -> bool:
        return len(wanted) == len(given) and all(map(self._fits, wanted, given))

    def _fits(self, one: Type, other: Type) -> bool:
        if other.kind == "parameter":
            is_valid, is_known = self._may_stand_for(other, one)
            if is_valid or is_known:
                return is_valid
        if one.kind == "parameter":
            return self._may_stand_for(one, other)[0]
        if one.kind in ("dyn", "any", "error") or other.kind in ("dyn", "any", "error"):
            return True
        if "null" in (one.kind, other.kind):
            return one.kind == other.kind or one.kind in _NULLABLE or other.kind in _NULLABLE
        if one.kind == "type":
            return other.kind == "type"
        if one.kind in ("abstract", "list", "map"):
            same = one.kind == other.kind and one.name == other.name
            return same and self._all_fit(one.parameters, other.parameters)
        return one == other

    def _may_stand_for(self, parameter: Type, type_: Type) -> tuple[bool, bool]:
        """Whether the parameter may stand for the type, and whether it stood for one before."""
        if parameter == type_:
            return True, True
        known = self._known.get(parameter.name)
        if known is None:
            if not self._is_free_of(parameter, type_):
                return False, False
            self._known[parameter.name] = type_
            return True, False
        if known == type_:
            return True, True
        if not self._fits(type_, known):
            return False, True
        general = most_general(type_, known)
        if self._is_free_of(parameter, general):
            self._known[parameter.name] = general
        return True, True

    def _is_free_of(self, parameter: Type, type_: Type) -> bool:
        if parameter == type_:
            return False
        if type_.kind == "parameter":
            known = self._known.get(type_.name)
            return known is None or self._is_free_of(parameter, known)
        return all(self._is_free_of(parameter, each) for each in type_.parameters)


def most_general(one: Type, other: Type) -> Type:
    """The one that says less, if that can be told; else the second."""
    return one if _is_as_general(one, other) else other


def _is_as_general(one: Type, other: Type) -> bool:
    if one.is_dynamic or one.kind == "parameter":
        return True
    if other.is_dynamic or other.kind == "parameter" or one.kind != other.kind:
        return False
    if one.kind in ("abstract", "list", "map"):
        same = one.name == other.name and len(one.parameters) == len(other.parameters)
        return same and all(map(_is_as_general, one.parameters, other.parameters))
    return one.kind == "type" or one == other
