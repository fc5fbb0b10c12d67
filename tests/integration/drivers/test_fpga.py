"""FPGA cards: chosen by their family, on two nodes, and split among claims."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.drivers.fpga.fpga import FpgaConfig
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim, UnmetError
from tests.integration.drivers.world import RELEASES, driver_cluster, kill_programs, manifests_of

DRIVER = "fpga.example.com"
CARDS = {"node-a": {"family": "agilex", "luts": 900_000}, "node-b": {"family": "versal", "luts": 1_000_000}}
FOLDER = "var/lib/fpga"


def furnish(cluster: BackgroundCluster) -> None:
    for node, card in CARDS.items():
        folder = cluster.node_root(node) / FOLDER
        folder.mkdir(parents=True)
        (folder / "card0.json").write_text(json.dumps(card))


@pytest.fixture(scope="module", params=RELEASES)
def cluster(request: pytest.FixtureRequest) -> Iterator[BackgroundCluster]:
    with driver_cluster(
        "fpga", request.param, nodes=tuple(CARDS), values={"controller": {"replicas": 2}}, furnish=furnish
    ) as cluster:
        yield cluster


def some(cluster: BackgroundCluster, family: str, luts: int, design: str = "blank") -> Claim:
    """A claim for LUTs of a card of that family."""
    if cluster.kubernetes_version == "1.30":
        return Claim(DRIVER, FpgaConfig.model_validate({"family": family, "luts": luts, "design": design}))
    selector = f'device.attributes["{DRIVER}"].family == "{family}"'
    return Claim(DRIVER, FpgaConfig(design=design), selectors=[selector], capacity={"luts": str(luts)})


def regions(cluster: BackgroundCluster, node: str) -> list[dict[str, str]]:
    """What is loaded into the card of a node."""
    folder: Path = cluster.node_root(node) / FOLDER / "regions/card0"
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())] if folder.is_dir() else []


def test_its_manifests(cluster: BackgroundCluster) -> None:
    manifests = manifests_of("fpga", cluster.kubernetes_version)
    cluster.apply(manifests)
    pods = [cluster.wait_for_pod(name, until="ready") for name in ("filter", "codec")]
    assert [(pod.node, pod.env["FPGA_0"], pod.env["FPGA_0_DESIGN"]) for pod in pods] == [
        ("node-b", "card0", "filter"),
        ("node-b", "card0", "codec"),
    ]
    assert [pod.env["FPGA_0_LUTS"] for pod in pods] == ["400k", "600k"]
    assert {each["design"] for each in regions(cluster, "node-b")} == {"filter", "codec"}
    for pod in pods:
        cluster.delete_pod(pod.name)
    assert regions(cluster, "node-b") == []


def test_the_family_decides_on_the_node(cluster: BackgroundCluster) -> None:
    assert cluster.run_pod(some(cluster, "agilex", 10_000)).node == "node-a"
    assert cluster.run_pod(some(cluster, "versal", 10_000)).node == "node-b"


def test_claims_never_get_more_than_a_card_has(cluster: BackgroundCluster) -> None:
    first = cluster.run_pod(some(cluster, "agilex", 500_000), until="ready")
    with pytest.raises(UnmetError):
        cluster.run_pod(some(cluster, "agilex", 500_000), name="waits", until="ready", timeout_seconds=1)
    second = cluster.run_pod(some(cluster, "agilex", 400_000, "codec"), until="ready")
    assert second.env["FPGA_0_DESIGN"] == "codec"
    kill_programs(cluster, "fpga")
    cluster.delete_pod(first.name)
    assert cluster.wait_for_pod("waits", until="ready").node == "node-a"
    assert len(regions(cluster, "node-a")) == 2
    for name in (second.name, "waits"):
        cluster.delete_pod(name)
    assert regions(cluster, "node-a") == []


def test_a_card_that_is_plugged_in_can_be_had(cluster: BackgroundCluster) -> None:
    claim = some(cluster, "versal", 4_000_000)
    with pytest.raises(UnmetError):
        cluster.run_pod(claim, name="big", timeout_seconds=1)
    card = cluster.node_root("node-a") / FOLDER / "card1.json"
    card.write_text(json.dumps({"family": "versal", "luts": 4_000_000}))
    pod = cluster.wait_for_pod("big")
    assert (pod.node, pod.env["FPGA_0"]) == ("node-a", "card1")
    card.unlink()
