"""A manifest of ``demo/`` by itself, on the cluster's own node: what it gets, what containers see, and its end."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from fake_dra_driver.demo.expectations import DemoError, devices_in
from tests.e2e.client import Client
from tests.e2e.demo import Apps, Outputs
from tests.e2e.driver import Driver
from tests.e2e.objects import Namespace
from tests.e2e.waiting import wait_until
from tests.scenarios.target import Target

__all__ = ["EXPECTED", "check_demo"]

EXPECTED: Mapping[int, tuple[Sequence[int], int]] = {
    1: ((1, 1), 2),
    2: ((1, 1), 1),
    3: ((1, 1), 1),
    4: ((4,), 4),
    5: ((8,), 8),
    6: ((20, 20), 40),
}
"""By test: how many devices each container has, and how many different ones they have together."""


def read_outputs(client: Client, apps: Apps, number: int) -> Outputs:
    """The devices that each container has printed; it prints its environment just after its start."""
    try:
        outputs = {
            (pod.key.namespace, pod.key.name, container.name): devices_in(client.logs(pod, container.name))
            for pod in apps.pods([number])
            for container in pod.spec.containers
        }
    except DemoError as error:
        raise AssertionError("half of it is printed") from error
    assert all(outputs.values()), f"nothing printed yet: {outputs}"
    return outputs


def check_demo(target: Target, driver: Driver, folder: Path, number: int) -> None:
    """Runs a manifest of this folder until nothing is left of it."""
    client, apps = target.client, Apps(target.client, driver)
    since, before = datetime.now(UTC), driver.specs()
    client.create(*yaml.safe_load_all((folder / f"fake-test{number}.yaml").read_text()))
    try:
        apps.wait_running([number])
        outputs = wait_until("all have printed", lambda: read_outputs(client, apps, number), 30)
        wait_until("preparedDevices agree", lambda: apps.agree([number], outputs), 30)
        per_container, together = EXPECTED[number]
        assert [len(devices) for devices in outputs.values()] == list(per_container)
        assert len({device for devices in outputs.values() for device in devices}) == together
    finally:
        client.delete(Namespace, f"test{number}")
    apps.wait_gone([number])
    driver.wait_initial(before)
    driver.check_logs(since, killed=False)
    target.check_nothing_forbidden(since)
