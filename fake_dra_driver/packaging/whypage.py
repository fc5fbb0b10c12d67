"""docs/why.md: what ``why`` prints and means, from its own code: examples, words, fields, permissions."""

from fake_dra_driver.packaging.fieldtable import fields_of
from fake_dra_driver.packaging.permissions import why_reader
from fake_dra_driver.packaging.whyexamples import busy_cluster, drawn, partitioned_cards, unevaluable_selector
from fake_dra_driver.render import render
from fake_dra_driver.why.report import CHANGES, DEVICE_REASONS, NODE_REASONS, PROBLEMS, VERDICTS, Report
from fake_dra_driver.why.table import GROUPS, SUGGESTIONS

__all__ = ["render_why_page"]


def render_why_page(header: str) -> str:
    """The page as Markdown."""
    return render(
        "docs/why.md.j2",
        header=header,
        busy=drawn(busy_cluster()),
        partitioned=drawn(partitioned_cards()),
        unevaluable=drawn(unevaluable_selector()),
        groups=GROUPS,
        most_suggestions=SUGGESTIONS,
        verdicts=VERDICTS,
        problems=PROBLEMS,
        node_reasons=NODE_REASONS,
        device_reasons=DEVICE_REASONS,
        changes=CHANGES,
        fields=list(fields_of(Report)),
        rules=why_reader(),
    )
