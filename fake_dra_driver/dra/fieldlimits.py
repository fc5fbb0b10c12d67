"""What an API server takes as names and values of devices, by resource.k8s.io: each as what is wrong and allowed.

Follows pkg/apis/resource/validation and pkg/apis/resource/types.go of Kubernetes 1.37. ``path`` is what a message
begins with: the field, as its reader knows it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fake_dra_driver.quantity import QuantityError, canonical

__all__ = [
    "MAX_ATTRIBUTES_AND_CAPACITIES",
    "MAX_TAINTS",
    "domain_problems",
    "int_problems",
    "label_name_problems",
    "label_problems",
    "label_value_problems",
    "qualified_name_problems",
    "quantity_problems",
    "repeated",
    "slashed_name_problems",
    "text_problems",
    "version_problems",
]

MAX_ATTRIBUTES_AND_CAPACITIES: Final = 32
"""ResourceSliceMaxAttributesAndCapacitiesPerDevice."""
MAX_TAINTS: Final = 16
"""DeviceTaintsMaxLength of 1.35 and later; 1.33 and 1.34, where taints are an alpha feature, take 4."""

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NUMBER, _WORD = r"(0|[1-9]\d*)", r"[0-9A-Za-z-]+"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(-({_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)(\.({_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+{_WORD}(\.{_WORD})*)?",
    re.ASCII,
)

_MAX_LABEL: Final = 63
_MAX_SUBDOMAIN: Final = 253
_MAX_DOMAIN: Final = 63
"""DriverNameMaxLength; DeviceMaxDomainLength is the same."""
_MAX_IDENTIFIER: Final = 32
"""DeviceMaxIDLength."""
_MAX_VALUE_BYTES: Final = 64
"""DeviceAttributeMaxValueLength."""
_INT64: Final = range(-(2**63), 2**63)


# --- Names


def label_problems(path: str, name: str) -> Iterator[str]:
    """The name of a device, say."""
    yield from _name_problems(path, name, _LABEL, _MAX_LABEL, "a DNS label in lower case")


def qualified_name_problems(path: str, name: str) -> Iterator[str]:
    """A C identifier, with or without a domain before it."""
    domain, slash, identifier = name.rpartition("/")
    yield from _name_problems(path, identifier, _IDENTIFIER, _MAX_IDENTIFIER, "a C identifier, or domain/identifier")
    if slash:
        yield from domain_problems(path, domain, "domain/identifier with a DNS subdomain")


def domain_problems(path: str, domain: str, words: str = "a DNS subdomain") -> Iterator[str]:
    """The name of a driver, or a domain in which attributes have their names. Capitals get no more than a warning."""
    yield from _name_problems(path, domain.lower(), _SUBDOMAIN, _MAX_DOMAIN, words)


def slashed_name_problems(path: str, name: str) -> Iterator[str]:
    """The name of a pool."""
    if len(name) > _MAX_SUBDOMAIN or not all(map(_SUBDOMAIN.fullmatch, name.split("/"))):
        yield f"{path}: must be DNS subdomains with slashes between, at most {_MAX_SUBDOMAIN} characters"


def label_name_problems(path: str, name: str) -> Iterator[str]:
    """The name of a label, with or without a domain before it: the key of a taint, say."""
    domain, slash, label = name.rpartition("/")
    yield from _name_problems(path, label, _LABEL_VALUE, _MAX_LABEL, "the name of a label, or domain/name")
    if slash:
        yield from _name_problems(path, domain, _SUBDOMAIN, _MAX_SUBDOMAIN, "domain/name with a DNS subdomain")


def label_value_problems(path: str, value: str) -> Iterator[str]:
    """The value of a label, which is not empty: that of a taint, say."""
    yield from _name_problems(path, value, _LABEL_VALUE, _MAX_LABEL, "the value of a label")


def repeated(names: Iterable[str]) -> list[str]:
    """Those that are there more than once."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _name_problems(path: str, name: str, form: re.Pattern[str], longest: int, words: str) -> Iterator[str]:
    if not form.fullmatch(name):
        yield f"{path}: must be {words}, is {name or 'empty'}"
    elif len(name) > longest:
        yield f"{path}: at most {longest} characters, has {len(name)}"


# --- Values


def int_problems(path: str, value: int) -> Iterator[str]:
    """A number that is the value of an attribute."""
    if value not in _INT64:
        yield f"{path}: must fit into 64 bits, is {value}"


def text_problems(path: str, text: str) -> Iterator[str]:
    """A text, or a version, that is the value of an attribute."""
    if len(text.encode()) > _MAX_VALUE_BYTES:
        yield f"{path}: at most {_MAX_VALUE_BYTES} bytes, has {len(text.encode())}"


def version_problems(path: str, version: str) -> Iterator[str]:
    """A version that is the value of an attribute."""
    if not _SEMVER.fullmatch(version):
        yield f"{path}: must be a semantic version such as 1.2.3, is {version}"


def quantity_problems(path: str, value: Any) -> Iterator[str]:
    """A quantity, as text."""
    try:
        canonical(value)
    except QuantityError:
        yield f"{path}: must be a quantity such as 80Gi, is {value or 'empty'}"
