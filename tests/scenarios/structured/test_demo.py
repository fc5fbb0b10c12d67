"""Each manifest of the demo by itself, on the cluster's own node."""

import pytest

from tests.e2e.driver import Driver
from tests.e2e.protocol import DEMO_FOLDER
from tests.scenarios.demo import EXPECTED, check_demo
from tests.scenarios.target import Target


@pytest.mark.parametrize("number", EXPECTED)
def test_demo(target: Target, driver: Driver, number: int) -> None:
    check_demo(target, driver, DEMO_FOLDER / "v1", number)
