"""Alerting rules of Prometheus: when a person has to be alerted, and what that person can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fake_dra_driver.render import render

__all__ = ["Alert", "alert_rules"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule."""

    name: str
    expression: str
    """In PromQL."""
    lasts: str
    """How long the expression has to hold, as Prometheus writes it."""
    severity: Literal["critical", "warning", "info"]
    """critical: claims are not served; warning: some are not, or will not be; info: worth a look."""
    summary: str
    """What has happened. Both texts are templates of Prometheus."""
    description: str
    """What follows from it, and what to do."""
    only: str = ""
    """CLASSIC or STRUCTURED: the mode in which alone it can fire; empty: both."""


def alert_rules(group: str, alerts: Sequence[Alert], header: str) -> str:
    """A rule file of Prometheus, for ``Project.alerts``.

    Args:
        group: name of the group of all alerts.
        alerts: in the order of the file.
        header: says what the file is generated from.
    """
    return render("helm/files/alerts.yaml.j2", header=header, group=group, alerts=alerts)
