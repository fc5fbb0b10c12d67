"""Fields of a profile as what they are for one device: their templates rendered, and read as what the field holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from fake_dra_driver.dra import FieldProblem
from fake_dra_driver.dra.structured import Quantity, QuantityError, text_problems, version_problems
from fake_dra_driver.valuetemplate import Template, TemplateError

__all__ = [
    "Field",
    "FieldError",
    "Problems",
    "read_bool",
    "read_int",
    "read_quantity",
    "read_text",
    "read_value",
    "read_version",
]

T = TypeVar("T")
MAX_PROBLEMS: Final = 20
"""How many problems of a profile are told: a mistake in one template is one for each device."""
_MAX_SHOWN: Final = 60
_MAX_QUANTITY: Final = 64


class FieldError(ValueError):
    """A field cannot be what it is to be for a device."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


@dataclass(slots=True)
class Problems:
    """What is wrong with a profile, each field told of once."""

    found: dict[str, FieldProblem] = field(default_factory=dict)
    """By path."""

    def add(self, path: str, message: str, device: str = "") -> None:
        """Notes a problem, of a device if the field is one thing for this device and another for the next."""
        if len(self.found) < MAX_PROBLEMS:
            self.found.setdefault(path, FieldProblem(path, f"{message} (device {device})" if device else message))

    @contextmanager
    def noted(self, device: str = "") -> Iterator[None]:
        """A field that cannot be rendered in there is a problem."""
        try:
            yield
        except FieldError as error:
            self.add(error.path, error.message, device)


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """A field that is a template, and what reads the text that it makes."""

    path: str
    template: Template
    read: Callable[[str], T]

    @classmethod
    def compile(cls, path: str, text: int | str, read: Callable[[str], T]) -> "Field[T]":
        """The field with this value in a profile. Raises FieldError if it is no template."""
        try:
            return cls(path, Template.compile(str(text)), read)
        except TemplateError as error:
            raise FieldError(path, str(error)) from error

    def value(self, variables: Mapping[str, Any]) -> T:
        """What it is for the device with these variables. Raises FieldError."""
        try:
            text = self.template.render(variables)
        except TemplateError as error:
            raise FieldError(self.path, f"{shown(self.template.text)} cannot be rendered: {error}") from error
        try:
            return self.read(text)
        except ValueError as error:
            made = f", made of {shown(self.template.text)}" if text != self.template.text else ""
            raise FieldError(self.path, f"{error}, is {shown(text)}{made}") from error

    def depends_on(self, names: Sequence[str] | frozenset[str]) -> bool:
        """Whether it can change with one of these variables."""
        return not self.template.names.isdisjoint(names)


def read_text(text: str) -> str:
    """Any text."""
    return text


def read_value(text: str) -> str:
    """A text that is the value of an attribute. Raises ValueError."""
    for problem in text_problems("", text):
        raise ValueError(problem.removeprefix(": "))
    return text


def read_version(text: str) -> str:
    """A version that is the value of an attribute. Raises ValueError."""
    if [*version_problems("", text)]:
        raise ValueError("must be a semantic version such as 1.2.3")
    return read_value(text)


def read_int(text: str) -> int:
    """A whole number of 64 bits. Raises ValueError."""
    try:
        number = int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError("must fit into 64 bits")
    return number


def read_bool(text: str) -> bool:
    """``true`` or ``false``. Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def read_quantity(text: str) -> str:
    """A quantity, as it was written. Raises ValueError."""
    if len(text) > _MAX_QUANTITY:
        raise ValueError(f"must be a quantity of at most {_MAX_QUANTITY} characters")
    try:
        Quantity.parse(text)
    except QuantityError:
        raise ValueError("must be a quantity such as 80Gi") from None
    return text


def shown(text: str) -> str:
    """A text as a message shows it, on one line."""
    printable = "".join(each if each.isprintable() else " " for each in text[: _MAX_SHOWN + 1])
    return f'"{printable}"' if len(text) <= _MAX_SHOWN else f'"{printable[:_MAX_SHOWN]}..."'
