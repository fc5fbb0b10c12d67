"""Quantities, such as ``1500m`` and ``4Gi``, in the canonical form that an API server returns.

Follows k8s.io/apimachinery/pkg/api/resource (quantity.go, suffix.go): a number without a fraction, and the largest
suffix that allows that.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal, localcontext

__all__ = ["Quantity", "QuantityError", "canonical", "number_of"]

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eEinumkKMGTP]*)([+-]?\d*)", re.ASCII)
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_NAMES = {exponent: name for name, exponent in _DECIMAL.items()}
_MAX_EXPONENT_CHARACTERS = 3
"""Of an exponent, with its sign: what an API server keeps has 64 bits, and nine places behind the point."""
_FORM = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"  # ErrFormatWrong
_SUFFIX = "unable to parse quantity's suffix"  # ErrSuffix


class QuantityError(ValueError):
    """The text is not a quantity; the message is that of an API server."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity to reckon with: an exact number, and the form in which it is written."""

    nanos: int
    """In billionths, the smallest unit that there is."""
    form: str = "decimal"
    """``decimal``, ``binary`` or ``exponent``."""

    @classmethod
    def parse(cls, text: str) -> "Quantity":
        """The quantity that the text stands for. Raises QuantityError."""
        with localcontext() as context:
            context.prec = 60
            value, form = _parse(text)
            return cls(int(value.scaleb(9).to_integral_value(rounding=ROUND_UP)), form)

    def __str__(self) -> str:
        """The canonical form."""
        with localcontext() as context:
            context.prec = 60
            value = Decimal(self.nanos).scaleb(-9)
            return _binary(value) if self.form == "binary" else _decimal(value, is_exponent=self.form == "exponent")


def canonical(text: str) -> str:
    """The same quantity as an API server writes it. Raises QuantityError."""
    with localcontext() as context:
        context.prec = 60
        value, form = _parse(text)
        return _binary(value) if form == "binary" else _decimal(value, is_exponent=form == "exponent")


def number_of(text: str) -> Decimal:
    """The quantity as a number. Raises QuantityError."""
    return _parse(text)[0]


def _parse(text: str) -> tuple[Decimal, str]:
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise QuantityError(_FORM)
    digits, suffix, exponent = found[1], found[2], found[3]
    if suffix in _BINARY[1:] and not exponent:
        return Decimal(digits) * 1024 ** _BINARY.index(suffix), "binary"
    if suffix in ("e", "E") and exponent:
        # Anyone may write it, and a number of so many digits would take minutes.
        if len(exponent) > _MAX_EXPONENT_CHARACTERS:
            raise QuantityError(_SUFFIX)
        return Decimal(digits).scaleb(int(exponent)), "exponent"
    if suffix not in _DECIMAL or exponent:
        raise QuantityError(_SUFFIX)
    return Decimal(digits).scaleb(_DECIMAL[suffix]), "decimal"


def _binary(value: Decimal) -> str:
    if -1024 < value < 1024 or value != value.to_integral_value():
        return _decimal(value, is_exponent=False)
    number, power = int(value), 0
    while number % 1024 == 0 and power < len(_BINARY) - 1:
        number, power = number // 1024, power + 1
    return f"{number}{_BINARY[power]}"


def _decimal(value: Decimal, *, is_exponent: bool) -> str:
    # A nano is the smallest unit; the rest is rounded away from zero.
    nanos = int(value.scaleb(9).to_integral_value(rounding=ROUND_UP))
    if nanos == 0:
        return "0"
    exponent = -9
    while nanos % 1000 == 0 and exponent < 18:
        nanos, exponent = nanos // 1000, exponent + 3
    if is_exponent:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_DECIMAL_NAMES[exponent]}"
