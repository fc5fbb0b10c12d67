"""An upgrade and the way back, while pods run and come: nobody who uses a device notices."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.demo import Demo
from tests.e2e.driver import Driver
from tests.upgrade.release import CHART, OLD_TAG, Release
from tests.upgrade.users import Users

pytestmark = pytest.mark.e2e


def test_pods_live_through_an_upgrade_and_a_rollback(
    release: Release,
    old_chart: Path,
    driver: Driver,
    demo: Demo,
    initial_specs: Mapping[str, Mapping[str, object]],
    started: datetime,
) -> None:
    users = Users(demo)
    release.upgrade(old_chart, {"image.tag": OLD_TAG})
    driver.wait_ready()
    users.come(1, 2, 3)
    users.check()

    users.come(5)
    release.upgrade(CHART)
    driver.wait_ready()
    users.check()

    users.leave(1)
    users.come(1)
    users.check()

    users.leave(2)
    users.come(2)
    release.roll_back()
    driver.wait_ready()
    users.check()

    users.leave(1, 3)
    users.come(1)
    users.check()

    users.leave(1, 2, 5)
    driver.wait_initial(initial_specs)
    driver.check_logs(started, killed=False)
