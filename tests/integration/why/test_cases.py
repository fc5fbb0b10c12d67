"""What ``why`` says of clusters as API servers of several releases keep them, a real one among them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fake_dra_driver.why.table import table
from tests.integration.why.conftest import REAL, Cluster
from tests.support.whycases import CASES, NAMESPACE, Case

OLDER = ("1.32", "1.34")


def _clusters() -> Iterator[Any]:
    """Every case in an embedded cluster of today and in a real one, and in older ones what those know."""
    for case in CASES:
        for release in (*(() if case.is_young else OLDER), "1.37"):
            yield pytest.param(release, case, id=f"{release}-{case.name}")
        mark = pytest.mark.apiserver(structured=True, today=case.is_young)
        yield pytest.param(REAL, case, id=f"{REAL}-{case.name}", marks=mark)


@pytest.mark.parametrize(("cluster", "case"), list(_clusters()), indirect=["cluster"])
async def test_each_reason_is_named_with_device_and_number(cluster: Cluster, case: Case) -> None:
    await cluster.set_up(case)
    try:
        report = await cluster.why()
    finally:
        await cluster.clean_up(*case.objects)
    text = table(report, datetime.now(UTC)).replace(cluster.namespace, NAMESPACE)
    assert report.verdict == case.verdict, text
    for piece in case.says:
        assert piece in text
