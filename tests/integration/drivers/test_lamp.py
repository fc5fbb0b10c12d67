"""Lamps: the least that a driver is."""

from collections.abc import Iterator

import pytest

from demo.drivers.lamp.lamp import LampConfig
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim, UnmetError
from tests.integration.drivers.world import RELEASES, driver_cluster, kill_programs, manifests_of

DRIVER = "lamp.example.com"


@pytest.fixture(scope="module", params=RELEASES)
def cluster(request: pytest.FixtureRequest) -> Iterator[BackgroundCluster]:
    with driver_cluster("lamp", request.param) as cluster:
        yield cluster


def test_its_manifests(cluster: BackgroundCluster) -> None:
    release = cluster.kubernetes_version
    cluster.apply(manifests_of("lamp", release))
    env = cluster.wait_for_pod("reader", until="ready").env
    assert {env["LAMP_0_BRIGHTNESS"], env["LAMP_1_BRIGHTNESS"]} == {"20"}
    assert env["LAMP_0"] != env["LAMP_1"]
    if release != "1.30":
        assert {env["LAMP_0_COLOUR"], env["LAMP_1_COLOUR"]} == {"red", "green"}
    cluster.delete_pod("reader")


def test_a_pod_waits_for_lamps_and_gets_them_when_they_are_free(cluster: BackgroundCluster) -> None:
    two = Claim(DRIVER, LampConfig(brightness=1), count=2)
    first = cluster.run_pod(two, until="ready")
    with pytest.raises(UnmetError, match="second"):
        cluster.run_pod(two, name="second", until="ready", timeout_seconds=1)
    cluster.delete_pod(first.name)
    assert cluster.wait_for_pod("second", until="ready").env["LAMP_1_BRIGHTNESS"] == "1"
    cluster.delete_pod("second")


def test_a_claim_that_says_nothing(cluster: BackgroundCluster) -> None:
    assert cluster.run_pod(Claim(DRIVER)).env["LAMP_0_BRIGHTNESS"] == "100"


def test_lamps_stay_with_their_pod_when_the_programs_are_killed(cluster: BackgroundCluster) -> None:
    before = cluster.run_pod(Claim(DRIVER), until="ready")
    kill_programs(cluster, "lamp")
    after = cluster.run_pod(Claim(DRIVER, count=2))
    assert before.env["LAMP_0"] not in (after.env["LAMP_0"], after.env["LAMP_1"])
    cluster.delete_pod(before.name)
