"""CEL selectors of structured DRA for what classic parameters say of devices (KEP-4381).

Selectors are tried on devices of every driver, and one that asks for an attribute that a device does not have ends the
search for all of them. So the driver comes first: a device that does not match a selector is not tried on the next, and
those of a claim come after those of its class.
"""

import fnmatch
import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, DeviceSelector

__all__ = ["class_selectors", "model_selector"]

_ATTRIBUTES: Final = f"device.attributes[{json.dumps(DRIVER_NAME)}]"
_GLOB: Final = re.compile(r"\*+|\?|\[!?\]?+[^\]]*\]|.", re.DOTALL)
"""The parts of a glob: stars, ``?``, ``[...]``, which may begin with a ``]`` of its own, and single characters."""


def model_selector(model: str) -> str:
    """Matches devices of exactly this model."""
    return f"{_ATTRIBUTES}.model == {_string(model)}"


def class_selectors(entries: Sequence[DeviceSelector]) -> Sequence[str]:
    """Match this driver's devices; where there are entries, only those devices that at least one of them matches."""
    driver = f"device.driver == {_string(DRIVER_NAME)}"
    alternatives = [" && ".join(_conditions(entry)) for entry in entries]
    if not alternatives or "" in alternatives:
        return [driver]
    if len(alternatives) == 1:
        return [driver, *alternatives]
    return [driver, " || ".join(f"({each})" if " && " in each else each for each in alternatives)]


def _conditions(entry: DeviceSelector) -> Iterator[str]:
    for attribute, glob in (("type", entry.type), ("model", entry.name)):
        if condition := _matching(f"{_ATTRIBUTES}.{attribute}", glob):
            yield condition


def _matching(value: str, glob: str) -> str:
    """An expression that is true where a glob of DeviceClassParameters matches; empty where it always does."""
    parts = ["*" if part.startswith("*") else part for part in _GLOB.findall(glob)]
    if any(part == "?" or len(part) > 1 for part in parts):
        return _matches(value, parts)
    match "".join(parts).split("*"):
        case [whole]:
            return f"{value} == {_string(whole)}"
        case ["", ""]:
            return ""
        case ["", end]:
            return f"{value}.endsWith({_string(end)})"
        case [start, ""]:
            return f"{value}.startsWith({_string(start)})"
        case [start, end] if not _overlap(start, end):
            return f"{value}.startsWith({_string(start)}) && {value}.endsWith({_string(end)})"
        case ["", inner, ""]:
            return f"{value}.contains({_string(inner)})"
    return _matches(value, parts)


def _overlap(start: str, end: str) -> bool:
    """Whether a text can begin with the one and end with the other, and yet be shorter than both together."""
    return any(start.endswith(end[:length]) for length in range(1, min(len(start), len(end)) + 1))


def _matches(value: str, parts: Sequence[str]) -> str:
    return f"{value}.matches({_string('(?s)^' + ''.join(map(_regex, parts)) + '$')})"


def _regex(part: str) -> str:
    """A part of a glob as an expression of RE2, which CEL has."""
    if part == "*":
        return ".*"
    if part == "?":
        return "."
    if len(part) == 1:
        return re.escape(part)
    characters = fnmatch.translate(part).removeprefix("(?s:").removesuffix(r")\Z")
    if characters == "(?!)":
        return r"[^\s\S]"  # a range whose end comes before its start: nothing
    negation = "^" if characters.startswith("[^") else ""
    # RE2 takes "[:" for the name of a class.
    return f"[{negation}{characters[1 + len(negation) : -1].replace('[', chr(92) + '[')}]"


def _string(text: str) -> str:
    """A string of CEL, which has all escapes that JSON's writer makes."""
    return json.dumps(text, ensure_ascii=False)
