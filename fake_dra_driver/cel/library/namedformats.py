"""Formats of names and values (Kubernetes' pkg/cel/library/format.go), with the words that its validation has."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from typing_extensions import override

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.urls import UrlError, parse_url
from fake_dra_driver.cel.overload import CallEstimate, Cost, Library, Operand, function, method
from fake_dra_driver.cel.types import STRING, Type, list_of, optional_of, structure
from fake_dra_driver.cel.value import NONE, Extension, Optional, parse_timestamp

__all__ = ["NAMED_FORMATS"]

_FORMAT = structure("kubernetes.NamedFormat")
_MAX_PATTERN = 128
"""MaxNameFormatRegexSize."""
Validate = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class NamedFormat(Extension):
    """A format."""

    kind: ClassVar[Type] = _FORMAT
    name: str
    validate: Validate
    pattern_size: int

    @override
    def equals(self, other: object) -> bool:
        if not isinstance(other, NamedFormat):
            return Extension.equals(self, other)
        return self.name == other.name


@dataclass(frozen=True, slots=True)
class _Name:
    """The rule of a name, in the words of k8s.io/apimachinery/pkg/util/validation."""

    pattern: str
    words: str
    examples: tuple[str, ...]
    longest: int

    def problems(self, text: str) -> list[str]:
        """What is wrong with a text."""
        found = []
        if len(text.encode()) > self.longest:
            found.append(f"must be no more than {self.longest} characters")
        if not re.fullmatch(self.pattern, text, re.ASCII):
            found.append(self.sentence)
        return found

    @property
    def sentence(self) -> str:
        """How it should be."""
        examples = " or ".join(f"'{each}', " for each in self.examples)
        return f"{self.words} (e.g. {examples}regex used for validation is '{self.pattern}')"


_DASHED = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_MIXED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_ENDS = "and must start and end with an alphanumeric character"
_LABEL = _Name(
    _DASHED,
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}",
    ("my-name", "123-abc"),
    63,
)
_SUBDOMAIN = _Name(
    rf"{_DASHED}(\.{_DASHED})*",
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}",
    ("example.com",),
    253,
)
_EARLY_LABEL = _Name(
    "[a-z]([-a-z0-9]*[a-z0-9])?",
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    ("my-name", "abc-123"),
    63,
)
_KEY = _Name(
    _MIXED,
    f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    ("MyName", "my.name", "123-abc"),
    63,
)
_LABEL_VALUE = _Name(
    f"({_MIXED})?",
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    ("MyValue", "my_value", "12345"),
    63,
)


def _prefix(rule: _Name) -> Validate:
    """Of a text to which something is appended: it may end with a dash."""
    return lambda text: rule.problems(f"{text[:-2]}a" if len(text) > 1 and text.endswith("-") else text)


def _qualified_name(text: str) -> list[str]:
    parts = text.split("/")
    if len(parts) > 2:
        sentence = f"a valid label key {_KEY.sentence}"
        return [f"{sentence} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    problems = []
    name = parts[-1]
    if len(parts) == 2:
        found = _SUBDOMAIN.problems(parts[0]) if parts[0] else ["must be non-empty"]
        problems += [f"prefix part {each}" for each in found]
    if not name:
        problems.append("name part must be non-empty")
    return problems + [f"name part {each}" for each in _KEY.problems(name)]


def _uri(text: str) -> list[str]:
    try:
        parse_url(text)
    except UrlError as error:
        return [str(error)]
    return []


def _byte(text: str) -> list[str]:
    try:
        is_valid = bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        is_valid = False
    return [] if is_valid else ["invalid base64"]


def _date(text: str) -> list[str]:
    try:
        date.fromisoformat(text)
    except ValueError:
        return ["invalid date"]
    return [] if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else ["invalid date"]


def _datetime(text: str) -> list[str]:
    try:
        found = parse_timestamp(text.upper().replace(" ", "T"))
    except CelError:
        return ["invalid datetime"]
    return ["invalid datetime"] if found is None else []


_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_FORMATS: Mapping[str, NamedFormat] = {
    "dns1123Label": NamedFormat("DNS1123Label", _LABEL.problems, 30),
    "dns1123Subdomain": NamedFormat("DNS1123Subdomain", _SUBDOMAIN.problems, 60),
    "dns1035Label": NamedFormat("DNS1035Label", _EARLY_LABEL.problems, 30),
    "qualifiedName": NamedFormat("QualifiedName", _qualified_name, 60),
    "dns1123LabelPrefix": NamedFormat("DNS1123LabelPrefix", _prefix(_LABEL), 30),
    "dns1123SubdomainPrefix": NamedFormat("DNS1123SubdomainPrefix", _prefix(_SUBDOMAIN), 60),
    "dns1035LabelPrefix": NamedFormat("DNS1035LabelPrefix", _prefix(_EARLY_LABEL), 30),
    "labelValue": NamedFormat("LabelValue", _LABEL_VALUE.problems, 40),
    "uri": NamedFormat("URI", _uri, 1103),
    "uuid": NamedFormat("uuid", lambda text: [] if _UUID.fullmatch(text) else ["does not match the UUID format"], 73),
    "byte": NamedFormat("byte", _byte, 84),
    "date": NamedFormat("date", _date, 129),
    "datetime": NamedFormat("datetime", _datetime, 129),
}


def _validate(named: NamedFormat, text: str) -> Optional:
    problems = list(named.validate(text))
    return Optional(has_value=True, value=problems) if problems else NONE


def _named(name: str) -> Optional:
    return Optional(has_value=True, value=_FORMATS[name]) if name in _FORMATS else NONE


def _estimate(operands: Sequence[Operand]) -> CallEstimate:
    return CallEstimate(operands[1].size.read.scaled(_MAX_PATTERN * 0.25))


def _actual(named: NamedFormat, text: str) -> int:
    return -(-(1 + len(text)) // 10) * -(-named.pattern_size // 4)


def _constant(named: NamedFormat) -> Callable[[], Any]:
    return lambda: named


NAMED_FORMATS = Library(
    {
        **{
            f"format.{name}": (function(f"format.{name}", (), _FORMAT, _constant(each)),)
            for name, each in _FORMATS.items()
        },
        "format.named": (function("format-named", (STRING,), optional_of(_FORMAT), _named),),
        "validate": (
            method(
                "format-validate",
                (_FORMAT, STRING),
                optional_of(list_of(STRING)),
                _validate,
                cost=Cost(_estimate, _actual),
            ),
        ),
    }
)
