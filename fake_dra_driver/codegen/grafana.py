"""From rows of panels to the JSON of a Grafana dashboard.

Panels are placed from left to right in the 24 columns of Grafana's grid, so that none can cover another. The JSON is
that of dashboard schema 39 (Grafana 10.4), which later releases migrate by themselves. grafanalib and Grafana's own
foundation SDK make such JSON too; either would be one more dependency for three kinds of panels.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = ["COLUMNS", "DashboardRow", "Panel", "Query", "dashboard_json"]

COLUMNS: Final = 24
"""Width of Grafana's grid."""
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA_VERSION: Final = 39


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and what its series are called."""

    expression: str
    legend: str
    """With ``{{label}}`` for the value of a label; in a table, the heading of the column."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel."""

    title: str
    about: str
    queries: tuple[Query, ...]
    kind: Literal["stat", "timeseries", "table"] = "timeseries"
    unit: str = "short"
    """As Grafana calls it: short (a number), s (seconds), bytes, ops, reqps, percentunit."""
    width: int = 8
    height: int = 8
    is_stacked: bool = False
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    """Colors of a stat: each applies from a value on, the first always."""
    colors: Mapping[str, str] = field(default_factory=dict)
    """Colors of series for which a color has a meaning."""
    row_label: str = ""
    """In a table: the label of which each line shows one value."""


@dataclass(frozen=True, slots=True)
class DashboardRow:
    """A heading, and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


def dashboard_json(
    title: str, about: str, rows: Sequence[DashboardRow], variables: Mapping[str, str], tags: Sequence[str] = ()
) -> str:
    """The dashboard, byte for byte the same for the same rows.

    Args:
        title: of the dashboard; its UID is made of it.
        about: what it is, shown beside the title.
        rows: from top to bottom.
        variables: name of each variable to choose by, and the query for its values.
        tags: by which Grafana finds dashboards.
    """
    document = {
        "description": about,
        "uid": title.lower().replace(" ", "-"),
        "title": title,
        "tags": list(tags),
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_SOURCE_VARIABLE, *(_variable(*item) for item in variables.items())]},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_panels(rows)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


_SOURCE_VARIABLE: Final = {
    "name": "datasource",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "hide": 0,
}


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panels(rows: Sequence[DashboardRow]) -> Iterator[dict[str, Any]]:
    """Rows and panels, numbered and placed."""
    number, y = 1, 0
    for row in rows:
        yield _row(row, number, y)
        number, y = number + 1, y + 1
        x, height = 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            number, x, height = number + 1, x + panel.width, max(height, panel.height)
        y += height


def _row(row: DashboardRow, number: int, y: int) -> dict[str, Any]:
    place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
    return {"id": number, "gridPos": place, "type": "row", "title": row.title, "collapsed": False, "panels": []}


def _panel(panel: Panel) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": [_target(panel, index, query) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": [_color(*item) for item in panel.colors.items()]},
        "options": _OPTIONS[panel.kind],
    }
    if panel.kind == "table":
        found["transformations"] = [{"id": "merge", "options": {}}, {"id": "organize", "options": _columns(panel)}]
    return found


_OPTIONS: Final[Mapping[str, Any]] = {
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "textMode": "value",
    },
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "table": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}},
}


def _target(panel: Panel, index: int, query: Query) -> dict[str, Any]:
    target = {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": query.expression}
    if panel.kind == "timeseries":
        return {**target, "legendFormat": query.legend, "range": True}
    if panel.kind == "table":
        return {**target, "format": "table", "instant": True}
    return {**target, "legendFormat": query.legend, "range": True}


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": color, "value": start} for start, color in panel.steps]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind != "timeseries":
        return {**defaults, "color": {"mode": "thresholds"}}
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if panel.is_stacked else 10,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
    }
    return {**defaults, "min": 0, "color": {"mode": "palette-classic"}, "custom": custom}


def _color(series: str, color: str) -> dict[str, Any]:
    properties = [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]
    return {"matcher": {"id": "byName", "options": series}, "properties": properties}


def _columns(panel: Panel) -> dict[str, Any]:
    """Names of a table's columns: after ``merge``, the value of each query is called by its letter."""
    names = {f"Value #{chr(ord('A') + index)}": query.legend for index, query in enumerate(panel.queries)}
    label = panel.row_label
    order = {name: place for place, name in enumerate((label, *names))}
    headings = {label: label.capitalize(), **names}
    return {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": headings}
