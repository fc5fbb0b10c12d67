"""Semantic versions (Kubernetes' pkg/cel/library/semverlib.go), as the Go package blang/semver reads them."""

import re
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.costs import read
from fake_dra_driver.cel.overload import Library, function, method
from fake_dra_driver.cel.types import BOOL, INT, STRING, Type, structure
from fake_dra_driver.cel.value import Extension

__all__ = ["EARLY_SEMVERS", "SEMVERS", "Semver", "parse_semver"]

_SEMVER = structure("kubernetes.Semver")
_IDENTIFIER = re.compile(r"[0-9A-Za-z-]+", re.ASCII)
_LIMIT = 2**64


@dataclass(frozen=True, slots=True)
class Semver(Extension):
    """A version."""

    kind: ClassVar[Type] = _SEMVER
    unhashable_name: ClassVar[str] = "cel.Semver"
    numbers: tuple[int, int, int]
    pre_release: tuple[int | str, ...] = ()
    build: tuple[str, ...] = ()

    def order(self, other: "Semver") -> int:
        """-1, 0 or 1: whether it comes before the other, which the build does not tell."""
        if self.numbers != other.numbers:
            return -1 if self.numbers < other.numbers else 1
        if not self.pre_release or not other.pre_release:
            return bool(other.pre_release) - bool(self.pre_release)
        one, two = (tuple(map(_rank, each.pre_release)) for each in (self, other))
        return (one > two) - (one < two)

    @override
    def equals(self, other: object) -> bool:
        if not isinstance(other, Semver):
            return Extension.equals(self, other)
        return self.order(other) == 0


def _rank(identifier: int | str) -> tuple[bool, int, str]:
    """Numbers come before words."""
    return (False, identifier, "") if isinstance(identifier, int) else (True, 0, identifier)


def parse_semver(text: str) -> Semver:
    """A version with all three numbers. Raises CelError."""
    if not text:
        raise CelError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise CelError("No Major.Minor.Patch elements found")
    major, minor = _number(parts[0], "major"), _number(parts[1], "minor")
    rest, plus, build = parts[2].partition("+")
    patch, dash, pre_release = rest.partition("-")
    builds = tuple(build.split(".")) if plus else ()
    for each in builds:
        if not each:
            raise CelError("Build meta data is empty")
        if not _IDENTIFIER.fullmatch(each):
            raise CelError(f'Invalid character(s) found in build meta data "{each}"')
    releases = tuple(map(_identifier, pre_release.split("."))) if dash else ()
    return Semver((major, minor, _number(patch, "patch")), releases, builds)


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        if not text:
            raise CelError('strconv.ParseUint: parsing "": invalid syntax')
        raise CelError(f'Invalid character(s) found in {name} number "{text}"')
    if len(text) > 1 and text[0] == "0":
        raise CelError(f'{name.capitalize()} number must not contain leading zeroes "{text}"')
    if len(text) > 20 or int(text) >= _LIMIT:
        raise CelError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _identifier(text: str) -> int | str:
    if not text:
        raise CelError("Prerelease is empty")
    if text.isascii() and text.isdigit():
        if len(text) > 1 and text[0] == "0":
            raise CelError(f'Numeric PreRelease version must not contain leading zeroes "{text}"')
        if len(text) > 20 or int(text) >= _LIMIT:
            raise CelError(f'strconv.ParseUint: parsing "{text}": value out of range')
        return int(text)
    if not _IDENTIFIER.fullmatch(text):
        raise CelError(f'Invalid character(s) found in prerelease "{text}"')
    return text


def _normalized(text: str) -> Semver:
    """A version that may begin with a v, lack its last numbers, and have leading zeros."""
    parts = [_without_zeros(part) for part in text.removeprefix("v").split(".", 2)]
    if len(parts) < 3:
        if "+" in parts[-1] or "-" in parts[-1]:
            raise CelError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return parse_semver(".".join(parts))


def _without_zeros(part: str) -> str:
    if len(part) < 2:
        return part
    stripped = part.lstrip("0")
    return stripped if stripped[:1] and stripped[0] in "0123456789" else f"0{stripped}"


def _parse(text: str, normalize: bool = False) -> Semver:
    return _normalized(text) if normalize else parse_semver(text)


def _can_parse(text: str, normalize: bool = False) -> bool:
    try:
        _parse(text, normalize)
    except CelError:
        return False
    return True


_READ = read()
_FUNCTIONS = {
    "semver": (function("string_to_semver", (STRING,), _SEMVER, _parse, cost=_READ),),
    "isSemver": (function("is_semver_string", (STRING,), BOOL, _can_parse, cost=_READ),),
    "isGreaterThan": (
        method("semver_is_greater_than", (_SEMVER, _SEMVER), BOOL, lambda one, other: one.order(other) > 0),
    ),
    "isLessThan": (method("semver_is_less_than", (_SEMVER, _SEMVER), BOOL, lambda one, other: one.order(other) < 0),),
    "compareTo": (method("semver_compare_to", (_SEMVER, _SEMVER), INT, Semver.order),),
    "major": (method("semver_major", (_SEMVER,), INT, lambda version: version.numbers[0]),),
    "minor": (method("semver_minor", (_SEMVER,), INT, lambda version: version.numbers[1]),),
    "patch": (method("semver_patch", (_SEMVER,), INT, lambda version: version.numbers[2]),),
}
EARLY_SEMVERS = Library(_FUNCTIONS)
"""Version 0, without normalization."""
SEMVERS = Library(
    {
        **_FUNCTIONS,
        "semver": (
            *_FUNCTIONS["semver"],
            function("string_bool_to_semver", (STRING, BOOL), _SEMVER, _parse, cost=_READ),
        ),
        "isSemver": (
            *_FUNCTIONS["isSemver"],
            function("is_semver_string_bool", (STRING, BOOL), BOOL, _can_parse, cost=_READ),
        ),
    }
)
