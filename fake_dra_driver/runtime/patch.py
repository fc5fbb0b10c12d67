"""Bodies of PATCH requests: JSON patch operations (RFC 6902) and the content type of each kind of patch.

``test`` operations are how a field is compared and swapped without the resourceVersion of the whole object: writers of
other fields then do not stand in the way. A failed test is PatchTestFailedError.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["APPLY", "JSON_PATCH", "MERGE_PATCH", "add", "json_pointer", "remove", "replace", "test"]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML, and servers before 1.34 know no ``apply-patch+json``."""


def json_pointer(*segments: str | int) -> str:
    """A JSON pointer (RFC 6901) from unescaped segments, such as an annotation's name with its slash."""
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


def test(path: str, value: Any) -> Mapping[str, Any]:
    """The patch is refused unless ``path`` holds ``value``; None also holds where nothing is (seen on 1.27 to 1.30)."""
    return {"op": "test", "path": path, "value": value}


def add(path: str, value: Any) -> Mapping[str, Any]:
    """Sets a field, there or not, or inserts into a list (``-``: at its end). The parent has to be there."""
    return {"op": "add", "path": path, "value": value}


def replace(path: str, value: Any) -> Mapping[str, Any]:
    """Sets a field that has to be there."""
    return {"op": "replace", "path": path, "value": value}


def remove(path: str) -> Mapping[str, Any]:
    """Removes a field that has to be there."""
    return {"op": "remove", "path": path}
