"""docs/metrics.md: metrics, panels, alerts and reasons of Events, from the lists of which all of these are made."""

import re
from dataclasses import replace

from fake_dra_driver.api.fake import EVENT_COMPONENT
from fake_dra_driver.codegen import Alert
from fake_dra_driver.dra.program.reasons import REASONS
from fake_dra_driver.driver.metricfamilies import SECTIONS
from fake_dra_driver.driver.reason import MOCK_REASONS
from fake_dra_driver.packaging.alerts import ALERTS
from fake_dra_driver.packaging.dashboard import ROWS
from fake_dra_driver.render import render

__all__ = ["render_metrics"]


def render_metrics(header: str) -> str:
    """The page as Markdown."""
    return render(
        "docs/metrics.md.j2",
        header=header,
        sections=SECTIONS,
        rows=ROWS,
        alerts=[_readable(alert) for alert in ALERTS],
        reasons=(*REASONS, *MOCK_REASONS),
        component=EVENT_COMPONENT,
    )


def _readable(alert: Alert) -> Alert:
    """The alert for people to read: what Prometheus fills in is in italics."""
    summary, description = (
        re.sub(r"{{ \$(?:labels\.)?(\w+).*?}}", r"*\1*", text).replace("<", "&lt;")
        for text in (alert.summary, alert.description)
    )
    return replace(alert, summary=summary, description=description)
