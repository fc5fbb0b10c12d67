"""What containers have printed, for people: a log in JSON as lines, without what is there for debugging. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fake_dra_driver.untrustedtext import one_line

__all__ = ["last_lines"]

_BEFORE_THE_REST = ("ts", "level", "component", "msg")
"""Fields of this framework's logs (``runtime.log``) that have a place of their own in a line."""
_DEBUG = ("debug", "trace")


def last_lines(text: str, most: int) -> Sequence[str]:
    """The last lines that say something; of a log that is at the level of debugging alone, the last of those."""
    lines = [(line, _record(line)) for line in text.splitlines() if line.strip()]
    telling = [(line, record) for line, record in lines if record is None or record.get("level") not in _DEBUG]
    return [
        one_line(line if record is None else " ".join(_words(record))) for line, record in (telling or lines)[-most:]
    ]


def _record(line: str) -> Mapping[str, Any] | None:
    """A line of a log in JSON; None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "msg" in found else None


def _words(record: Mapping[str, Any]) -> Iterator[str]:
    yield str(record.get("ts", "")).partition("T")[2].removesuffix("Z")
    yield str(record.get("level", "")).upper()
    if "component" in record:
        yield f"{record['component']}:"
    yield str(record["msg"])
    for name, value in record.items():
        if name not in _BEFORE_THE_REST:
            yield f"{name}={value if isinstance(value, str) else json.dumps(value)}"
