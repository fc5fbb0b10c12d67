"""What ``kubectl describe`` prints for an object of any kind, and how kubectl lays columns out.

Follows kubectl's generic describer (k8s.io/kubectl/pkg/describe, printUnstructuredContent) and Go's text/tabwriter.
Pure: objects and events in, text out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from fake_dra_driver.cluster.apiserver.tables.humanduration import human_duration

__all__ = ["columns", "describe"]

_DESCRIBE_PADDING = 2
_SHOWN_ABOVE = frozenset(
    f".metadata.{name}" for name in ("managedFields", "name", "namespace", "labels", "annotations")
)
"""Not shown below ``Metadata``: most of it is shown at the top, and managedFields are of no interest to people."""
_ACRONYMS = frozenset({"API", "URL", "UID", "OSB", "GUID"})
"""Words of a label that are written in capitals."""
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]+|[a-z]+|[A-Z]+|[^A-Za-z]+")


def columns(rows: Sequence[Sequence[str]], padding: int) -> str:
    """Lines whose cells are aligned in columns. The last cell of a row is in no column.

    As in text/tabwriter, a column is as wide as its widest cell among neighbouring rows that all have it.
    """
    width: dict[tuple[int, int], int] = {}
    for column in range(max((len(row) for row in rows), default=0)):
        numbered = enumerate(rows)
        for has_it, run in groupby(numbered, key=lambda item: len(item[1]) > column + 1):
            members = list(run)
            if has_it:
                widest = max(len(row[column]) for _, row in members)
                width |= {(number, column): widest + padding for number, _ in members}
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.ljust(width[number, column]) for column, cell in enumerate(row[:-1])]
        lines.append("".join([*cells, row[-1]]))
    return "".join(f"{line}\n" for line in lines)


def describe(raw: Mapping[str, Any], events: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """The description of an object.

    Args:
        raw: the object as the API server sends it.
        events: the Events about it, as the API server sends them.
        now: what ages are relative to.
    """
    metadata = raw["metadata"]
    rows: list[Sequence[str]] = [("Name:", metadata["name"]), ("Namespace:", metadata.get("namespace", ""))]
    rows += _map_rows("Labels:", metadata.get("labels") or {}, "=")
    rows += _map_rows("Annotations:", metadata.get("annotations") or {}, ": ")
    rows += _content(raw, 0, "")
    if not events:
        return columns([*rows, ("Events:", "<none>")], _DESCRIBE_PADDING)
    listed: list[Sequence[str]] = [
        ("  Type", "Reason", "Age", "From", "Message"),
        ("  ----", "------", "----", "----", "-------"),
    ]
    for event in sorted(events, key=_last_seen):
        listed.append(  # noqa: PERF401 - a row is easier to read like this
            (
                f"  {event.get('type', '')}",
                str(event.get("reason", "")),
                _event_age(event, now),
                str((event.get("source") or {}).get("component") or event.get("reportingComponent") or ""),
                str(event.get("message", "")).strip(),
            )
        )
    return columns(rows, _DESCRIBE_PADDING) + "Events:\n" + columns(listed, _DESCRIBE_PADDING)


def _map_rows(heading: str, entries: Mapping[str, str], sign: str) -> Iterator[Sequence[str]]:
    shown = [f"{key}{sign}{value}" for key, value in sorted(entries.items())] or ["<none>"]
    for number, text in enumerate(shown):
        yield (heading if number == 0 else "", text)


def _content(found: Mapping[str, Any], level: int, path: str) -> Iterator[Sequence[str]]:
    indent = "  " * level
    for field in sorted(found):
        value, here = found[field], f"{path}.{field}"
        if here in _SHOWN_ABOVE:
            continue
        label = f"{indent}{_label(field)}:"
        if isinstance(value, Mapping):
            yield (label,)
            yield from _content(value, level + 1, here)
        elif isinstance(value, list):
            yield (label,)
            for member in value:
                if isinstance(member, Mapping):
                    yield from _content(member, level + 1, here)
                else:
                    yield (f"{indent}  {_text(member)}",)
        else:
            yield (label, _text(value))


def _label(field: str) -> str:
    """``parentUUID`` becomes ``Parent UUID``. What has digits or signs in it is a key, and stays as it is."""
    if not all(letter.isalpha() or letter == "-" for letter in field):
        return field
    words = _WORD.findall(field)
    return " ".join(word.upper() if word.upper() in _ACRONYMS else word[:1].upper() + word[1:] for word in words)


def _text(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _last_seen(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _event_age(event: Mapping[str, Any], now: datetime) -> str:
    age = human_duration(_seconds_since(_last_seen(event), now))
    count = event.get("count") or 0
    first = event.get("firstTimestamp")
    return f"{age} (x{count} over {human_duration(_seconds_since(first, now))})" if count > 1 and first else age


def _seconds_since(timestamp: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(timestamp)).total_seconds() if timestamp else 0.0
