"""A node that ran the Go driver is taken over: its pods go on, and what they hold is given back when they end."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.demo import Demo
from tests.e2e.driver import Driver
from tests.e2e.kubectl import Kubectl
from tests.upgrade.godriver import allocate, forget
from tests.upgrade.release import CHART, Release
from tests.upgrade.users import Users

pytestmark = pytest.mark.e2e


@pytest.mark.usefixtures("local_cluster")
def test_a_node_of_the_go_driver_is_taken_over(
    release: Release,
    driver: Driver,
    demo: Demo,
    kubectl: Kubectl,
    initial_specs: Mapping[str, Mapping[str, object]],
    started: datetime,
) -> None:
    users, numbers = Users(demo), (1, 3, 5)
    release.stop_controller()
    users.come(*numbers)
    allocate(kubectl, driver, demo, numbers)
    users.check()
    cdi_root, plugin_folder = Path(driver.cdi_root()), Path(driver.plugin_folder())
    release.remove()
    forget(kubectl, driver, cdi_root, plugin_folder)

    release.upgrade(CHART)
    driver.wait_ready()
    users.come(2)
    users.check()

    users.leave(1, 3)
    users.come(1)
    users.check()

    users.leave(1, 2, 5)
    driver.wait_initial(initial_specs)
    driver.check_logs(started, killed=False)
