"""Quantities such as ``4Gi`` (Kubernetes' pkg/cel/library/quantity.go)."""

import re
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.costs import read
from fake_dra_driver.cel.overload import Library, function, method
from fake_dra_driver.cel.types import BOOL, DOUBLE, INT, STRING, Type, structure
from fake_dra_driver.cel.value import Extension
from fake_dra_driver.quantity import Quantity, QuantityError

__all__ = ["QUANTITIES", "QUANTITY", "QuantityValue"]

QUANTITY = structure("kubernetes.Quantity")
_WHOLE = 1_000_000_000
_PARTS = re.compile(r"[+-]?0*(\d*)(?:\.(\d*))?([A-Za-z]*)([+-]?\d*)")
_MAX_LENGTH, _MAX_EXPONENT = 200, 1000
"""Ours: Go has no limit."""
_MAX_DIGITS = 18
"""How many Go's quick form of a quantity can have."""
_BINARY_POWERS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@dataclass(frozen=True, slots=True)
class QuantityValue(Extension):
    """A quantity."""

    kind: ClassVar[Type] = QUANTITY
    nanos: int
    is_whole: bool
    """Whether Go holds it in a form that can become an integer, which not all whole numbers are."""

    @classmethod
    def parse(cls, text: str) -> "QuantityValue":
        """The quantity that the text stands for. Raises CelError."""
        found = _PARTS.fullmatch(text)
        if len(text) > _MAX_LENGTH or (found and len(found[4]) > 1 and abs(int(found[4])) > _MAX_EXPONENT):
            raise CelError("unable to parse quantity's suffix")
        try:
            nanos = Quantity.parse(text).nanos
        except QuantityError as error:
            raise CelError(str(error)) from error
        return cls(nanos, found is not None and _is_quick(*found.groups()))

    @override
    def equals(self, other: object) -> bool:
        if not isinstance(other, QuantityValue):
            return Extension.equals(self, other)
        return self.nanos == other.nanos


def _is_quick(digits: str, fraction: str | None, suffix: str, exponent: str) -> bool:
    """Whether Go holds a quantity as an integer of 64 bits times a power of ten, without a fraction."""
    digits, fraction = digits or "0", fraction or ""
    binary = _BINARY_POWERS.get(suffix)
    if binary is not None:
        # 2^20 has some 6 decimal digits: this is how Go estimates them.
        return not fraction and 15 - len(digits) - int(binary * 3 / 10) - 1 >= 0
    power = int(exponent) if exponent else _DECIMAL_POWERS.get(suffix, 0)
    return power - len(fraction) >= 0 and len(digits) + len(fraction) <= _MAX_DIGITS


def _as_integer(quantity: QuantityValue) -> int:
    number, rest = divmod(quantity.nanos, _WHOLE)
    if not quantity.is_whole or rest or not -(2**63) <= number < 2**63:
        raise CelError("cannot convert value to integer")
    return number


def _is_integer(quantity: QuantityValue) -> bool:
    return quantity.is_whole and not quantity.nanos % _WHOLE and -(2**63) <= quantity.nanos // _WHOLE < 2**63


def _is_quantity(text: str) -> bool:
    try:
        QuantityValue.parse(text)
    except CelError:
        return False
    return True


def _compare(one: QuantityValue, other: QuantityValue) -> int:
    return (one.nanos > other.nanos) - (one.nanos < other.nanos)


def _plus(one: QuantityValue, other: QuantityValue | int, sign: int = 1) -> QuantityValue:
    if isinstance(other, int):
        other = QuantityValue(other * _WHOLE, is_whole=True)
    return QuantityValue(one.nanos + sign * other.nanos, one.is_whole and other.is_whole)


def _minus(one: QuantityValue, other: QuantityValue | int) -> QuantityValue:
    return _plus(one, other, -1)


_READ = read()
QUANTITIES = Library(
    {
        "quantity": (function("string_to_quantity", (STRING,), QUANTITY, QuantityValue.parse, cost=_READ),),
        "isQuantity": (function("is_quantity_string", (STRING,), BOOL, _is_quantity, cost=_READ),),
        "sign": (function("quantity_sign", (QUANTITY,), INT, lambda each: (each.nanos > 0) - (each.nanos < 0)),),
        "isGreaterThan": (
            method("quantity_is_greater_than", (QUANTITY,) * 2, BOOL, lambda one, other: one.nanos > other.nanos),
        ),
        "isLessThan": (
            method("quantity_is_less_than", (QUANTITY,) * 2, BOOL, lambda one, other: one.nanos < other.nanos),
        ),
        "compareTo": (method("quantity_compare_to", (QUANTITY,) * 2, INT, _compare),),
        "asApproximateFloat": (method("quantity_get_float", (QUANTITY,), DOUBLE, lambda each: each.nanos / _WHOLE),),
        "asInteger": (method("quantity_get_int", (QUANTITY,), INT, _as_integer),),
        "isInteger": (method("quantity_is_integer", (QUANTITY,), BOOL, _is_integer),),
        "add": (
            method("quantity_add", (QUANTITY,) * 2, QUANTITY, _plus),
            method("quantity_add_int", (QUANTITY, INT), QUANTITY, _plus),
        ),
        "sub": (
            method("quantity_sub", (QUANTITY,) * 2, QUANTITY, _minus),
            method("quantity_sub_int", (QUANTITY, INT), QUANTITY, _minus),
        ),
    }
)
