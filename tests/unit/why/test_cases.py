"""What ``why`` says about each thing that keeps a pod from its devices."""

from datetime import UTC, datetime

import pytest

from fake_dra_driver.why.table import table
from tests.support.whycases import CASES, Case
from tests.unit.why.world import explained

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_reason_is_named_with_device_and_number(case: Case) -> None:
    report = explained(case.objects)
    text = table(report, NOW)
    assert report.verdict == case.verdict, text
    for piece in case.says:
        assert piece in text
