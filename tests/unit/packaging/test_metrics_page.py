"""docs/metrics.md has every metric, alert and reason that there is, with all that is to be known about them."""

import pytest

from fake_dra_driver.cli import REFERENCE
from fake_dra_driver.codegen import Alert
from fake_dra_driver.dra.program.reasons import REASONS
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.driver.metricfamilies import SECTIONS
from fake_dra_driver.packaging.alerts import ALERTS
from fake_dra_driver.packaging.generate import outputs
from fake_dra_driver.runtime.metricfamily import Family


def rows() -> dict[str, list[str]]:
    """The cells of each row of a table, by what its first cell names."""
    lines = [line for line in outputs(REFERENCE)["docs/metrics.md"].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


@pytest.mark.parametrize(
    "family", [family for section in SECTIONS for family in section.families], ids=lambda family: family.name
)
def test_a_metric_with_type_unit_labels_and_a_sentence(family: Family) -> None:
    type_, unit, labels, about = rows()[family.name]
    assert (type_, unit) == (family.type, family.unit)
    assert [label.split("`")[1] for label in labels.split("<br>") if label] == list(family.label_names)
    assert about.startswith(family.about)
    assert about.endswith(".")
    assert not about.endswith("..")


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.name)
def test_a_reason_with_what_a_person_can_do(reason: Reason) -> None:
    assert rows()[reason.name] == [reason.kind, reason.type, reason.about, reason.meaning, reason.advice]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_with_what_a_person_can_do(alert: Alert) -> None:
    dra, severity, lasts, summary, description = rows()[alert.name]
    assert (dra, severity, lasts) == (alert.only or "both", alert.severity, alert.lasts)
    assert summary.split("*")[0] == alert.summary.split("{{")[0].replace("<", "&lt;")
    assert description.split("*")[0] == alert.description.split("{{")[0].replace("<", "&lt;")
    assert "{{" not in summary + description
