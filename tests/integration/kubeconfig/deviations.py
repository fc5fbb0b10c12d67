"""The shapes in which ``status`` is not like kubectl, and how it differs."""

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS"]

DEVIATIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "value: 0o17 is no text",
            "value: 1e3 is no text",
            "value: y is no text",
            "value: N is no text",
            "files: a file with a slash at its end",
        ),
        "It is read, where kubectl refuses.",
    ),
    "user: a token in a file not of UTF-8": "It is written otherwise on the wire.",
}
"""By the name of the shape. One that is like kubectl fails its test until it is taken out."""
