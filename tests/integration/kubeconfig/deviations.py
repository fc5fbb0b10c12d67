"""The shapes in which ``status`` is not like kubectl, and how it differs."""

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS"]

DEVIATIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "server: a path with an escape that is none",
            "server: a space before it",
            "server: a line's end after it",
            "value: 0o17 is no text",
            "value: 1e3 is no text",
            "value: y is no text",
            "value: N is no text",
            "files: a file with a slash at its end",
            "proxy: proxy-url with a space before it",
            "proxy: proxy-url of socks5h",
        ),
        "It is read, where kubectl refuses.",
    ),
    **dict.fromkeys(
        (
            "trust: an authority that is none beside one",
            "user: a token in a file not of UTF-8",
            "value: = is a text",
            "value: !other text is a text",
            "value: 1:30 is a text",
            "user: another user with extra fields of many signs",
            "document: nothing for an entry",
        ),
        "It is refused, where kubectl reads it.",
    ),
    **dict.fromkeys(
        (
            "server: a path with other signs",
            "server: a path with a fragment",
            "proxy: proxy-url, for a name not of ASCII",
        ),
        "It is written otherwise on the wire.",
    ),
    **dict.fromkeys(
        ("proxy: proxy-url of SOCKS5 where nothing is",),
        "The sentence shows what a library has said.",
    ),
}
"""By the name of the shape. One that is like kubectl fails its test until it is taken out."""
