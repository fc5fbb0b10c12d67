"""Network cards: parts of their bandwidth, and links that come and go."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.drivers.nic.nic import NicConfig
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim, UnmetError
from tests.integration.drivers.world import RELEASES, driver_cluster, manifests_of

DRIVER = "nic.example.com"
FOLDER = "sys/class/net"


def nics(cluster: BackgroundCluster) -> Path:
    """The folder of the node's cards."""
    return cluster.node_root() / FOLDER


def furnish(cluster: BackgroundCluster) -> None:
    for number, (name, speed) in enumerate({"eth0": 1000, "eth1": 25000, "lo": 0}.items()):
        folder = nics(cluster) / name
        folder.mkdir(parents=True)
        for file, text in {"speed": speed, "operstate": "up", "address": f"02:00:00:00:00:0{number}"}.items():
            (folder / file).write_text(f"{text}\n")


@pytest.fixture(scope="module", params=RELEASES)
def cluster(request: pytest.FixtureRequest) -> Iterator[BackgroundCluster]:
    with driver_cluster("nic", request.param, furnish=furnish) as cluster:
        yield cluster


async def is_recorded(cluster: Cluster) -> bool:
    """Whether the driver knows that a card has no link."""
    states = (await cluster.client.list(cluster.kind(f"nodeallocationstates.nas.{DRIVER}"))).items
    return any("the link is down" in str(state.to_wire()) for state in states)


def some(cluster: BackgroundCluster, bandwidth: str) -> Claim:
    """A claim for bandwidth of any card."""
    if cluster.kubernetes_version == "1.30":
        return Claim(DRIVER, NicConfig(bandwidth=bandwidth))
    return Claim(DRIVER, capacity={"bandwidth": bandwidth})


def test_its_manifests(cluster: BackgroundCluster) -> None:
    cluster.apply(manifests_of("nic", cluster.kubernetes_version))
    web, backup = (cluster.wait_for_pod(name, until="ready") for name in ("web", "backup"))
    assert (web.env["NIC_0"], web.env["NIC_0_BANDWIDTH"], web.env["NIC_0_VLAN"]) == ("eth1", "4G", "12")
    assert [mount["containerPath"] for mount in web.edits.mounts] == ["/run/nics/eth1"]
    assert (backup.env["NIC_0_BANDWIDTH"], backup.env["NIC_0_VLAN"]) == ("500M", "0")
    for pod in (web, backup):
        cluster.delete_pod(pod.name)


def test_bandwidth_is_given_once(cluster: BackgroundCluster) -> None:
    pods = [cluster.run_pod(some(cluster, "10G"), until="ready") for _ in range(2)]
    assert [pod.env["NIC_0"] for pod in pods] == ["eth1", "eth1"]
    with pytest.raises(UnmetError):
        cluster.run_pod(some(cluster, "10G"), name="waits", until="ready", timeout_seconds=1)
    cluster.delete_pod(pods[0].name)
    assert cluster.wait_for_pod("waits", until="ready").env["NIC_0"] == "eth1"
    for name in (pods[1].name, "waits"):
        cluster.delete_pod(name)


def test_a_card_without_a_link_gets_no_claims_until_it_is_back(cluster: BackgroundCluster) -> None:
    before = cluster.run_pod(some(cluster, "2G"), name="before", until="ready")
    assert before.env["NIC_0"] == "eth1"
    (nics(cluster) / "eth1/operstate").write_text("down\n")
    cluster.wait_until("the driver has noticed it", is_recorded)
    with pytest.raises(UnmetError):
        cluster.run_pod(some(cluster, "2G"), name="after", until="ready", timeout_seconds=1)
    assert cluster.get("pod", "before")["status"]["phase"] == "Running"
    (nics(cluster) / "eth1/operstate").write_text("up\n")
    assert cluster.wait_for_pod("after", until="ready").env["NIC_0"] == "eth1"
    for name in ("before", "after"):
        cluster.delete_pod(name)


@pytest.mark.parametrize("cluster", ["1.37"], indirect=True)  # classic DRA publishes such a node as any other
def test_a_node_without_cards_is_told_from_one_whose_plugin_is_missing(cluster: BackgroundCluster) -> None:
    for name in ("eth0", "eth1"):
        (nics(cluster) / name / "speed").write_text("0\n")
    cluster.wait_until("the cards are gone", has_no_slices)
    cluster.wait_for_plugin(DRIVER, has_devices=False)
    with pytest.raises(UnmetError) as raised:
        cluster.wait_for_plugin(DRIVER, timeout_seconds=0.2)
    _, missing, *_ = str(raised.value).splitlines()
    assert (
        missing == f"  {DRIVER} has published no devices of node-a; where there are none to be, say has_devices=False"
    )


async def has_no_slices(cluster: Cluster) -> bool:
    return not (await cluster.client.list(cluster.kind("resourceslices"))).items
