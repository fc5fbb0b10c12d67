"""docs/metrics.md: every metric and every reason of an Event, from the lists of which the programs make them."""

from fake_dra_driver.api.fake import EVENT_COMPONENT
from fake_dra_driver.driver.metricfamilies import SECTIONS
from fake_dra_driver.driver.reasons import REASONS
from fake_dra_driver.render import render

__all__ = ["render_metrics"]


def render_metrics(header: str) -> str:
    """The page as Markdown."""
    return render("docs/metrics.md.j2", header=header, sections=SECTIONS, reasons=REASONS, component=EVENT_COMPONENT)
