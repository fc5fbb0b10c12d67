"""Bodies of PATCH requests: JSON patch operations (RFC 6902) and the content type of each kind of patch.

The one place that knows how an operation is written and how a path is escaped (RFC 6901). ``test`` operations compare
and swap a field without the resourceVersion of the whole object: writers of other fields then do not stand in the way.
A failed test is PatchTestFailedError.
"""

from collections.abc import Collection, Mapping
from typing import Literal, NotRequired, TypedDict

__all__ = [
    "APPLY",
    "JSON_PATCH",
    "MERGE_PATCH",
    "Operation",
    "add",
    "annotate",
    "label",
    "pointer",
    "remove",
    "replace",
    "test",
]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML, and servers before 1.34 know no ``apply-patch+json``."""


class Operation(TypedDict):
    """One JSON patch operation. Made by the functions below, not by hand."""

    op: Literal["test", "add", "replace", "remove"]
    path: str
    value: NotRequired[object]


def pointer(*segments: str | int) -> str:
    """A JSON pointer from unescaped segments, such as an annotation's name with its slash."""
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


def test(path: str, value: object) -> Operation:
    """The patch is refused unless ``path`` holds ``value``; None also holds where nothing is (seen on 1.27 to 1.30)."""
    return {"op": "test", "path": path, "value": value}


def add(path: str, value: object) -> Operation:
    """Sets a field, there or not, or inserts into a list (``-``: at its end). The parent has to be there."""
    return {"op": "add", "path": path, "value": value}


def replace(path: str, value: object) -> Operation:
    """Sets a field that has to be there."""
    return {"op": "replace", "path": path, "value": value}


def remove(path: str) -> Operation:
    """Removes a field that has to be there."""
    return {"op": "remove", "path": path}


def annotate(before: Mapping[str, str], wanted: Mapping[str, str], *, tested: Collection[str] = ()) -> list[Operation]:
    """Sets annotations of an object that was read with the annotations ``before``.

    Args:
        before: all annotations that the object had. Where it had none, the patch is refused once it has any: there is
            no map to add to, and adding one would replace what another writer has put there.
        wanted: the annotations to set; the others stay as they are.
        tested: the patch is refused when one of these no longer has the value that it has in ``before``.
    """
    return _set_in(pointer("metadata", "annotations"), before, wanted, tested)


def label(before: Mapping[str, str], wanted: Mapping[str, str], *, tested: Collection[str] = ()) -> list[Operation]:
    """Sets labels, as ``annotate`` does annotations."""
    return _set_in(pointer("metadata", "labels"), before, wanted, tested)


def _set_in(
    path: str, before: Mapping[str, str], wanted: Mapping[str, str], tested: Collection[str]
) -> list[Operation]:
    if not before:
        return [test(path, None), add(path, dict(wanted))]
    return [
        *(test(path + pointer(name), before.get(name)) for name in tested),
        *(add(path + pointer(name), value) for name, value in wanted.items()),
    ]
