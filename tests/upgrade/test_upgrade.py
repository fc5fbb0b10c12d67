"""An upgrade and the way back, while pods run, come, and have containers that are started again."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from fake_dra_driver.dra.node.reason import CHECKPOINT_REBUILT
from tests.e2e.demo import Demo
from tests.e2e.driver import DRIVER_NAMESPACE, Driver
from tests.e2e.kubectl import Kubectl
from tests.upgrade.release import CHART, OLD_TAG, Release
from tests.upgrade.users import Users

pytestmark = pytest.mark.e2e


def test_pods_live_through_an_upgrade_and_a_rollback(
    release: Release,
    old_chart: Path,
    driver: Driver,
    demo: Demo,
    kubectl: Kubectl,
    initial_specs: Mapping[str, Mapping[str, object]],
    started: datetime,
) -> None:
    users, rebuilt = Users(demo), rebuilt_checkpoints(kubectl)
    release.upgrade(old_chart, {"image.tag": OLD_TAG})
    driver.wait_ready()
    users.come(1, 2, 3)
    users.check()

    users.come(5)
    release.upgrade(CHART)
    driver.wait_ready()
    users.check()
    users.restart(kubectl, 1, 2, 3, 5)
    users.check()

    users.leave(1)
    users.come(1)
    users.check()

    users.leave(2)
    users.come(2)
    release.roll_back()
    driver.wait_ready()
    users.check()
    users.restart(kubectl, 1, 2, 3, 5)
    users.check()

    users.leave(1, 3)
    users.come(1)
    users.check()

    users.leave(1, 2, 5)
    driver.wait_initial(initial_specs)
    driver.check_logs(started, killed=False)
    assert rebuilt_checkpoints(kubectl) <= rebuilt, "a checkpoint was set aside"


def rebuilt_checkpoints(kubectl: Kubectl) -> set[str]:
    """Each Event that says so, with the time of its last occurrence."""
    events = ("get", "events", f"--namespace={DRIVER_NAMESPACE}", f"--field-selector=reason={CHECKPOINT_REBUILT.name}")
    each = '{range .items[*]}{.metadata.uid} {.lastTimestamp}{"\\n"}{end}'
    return set(kubectl(*events, f"--output=jsonpath={each}").splitlines())
