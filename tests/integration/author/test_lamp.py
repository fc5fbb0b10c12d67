"""From a class of a few lines to pods with devices: programs and chart of an author's driver, in both protocols.

The driver runs in the pods that its own chart makes, in a process each, as it would from an image.
"""

from collections.abc import Iterator

import pytest

from fake_dra_driver.cluster.testing import BackgroundCluster, Claim, python_image
from fake_dra_driver.cluster.testing.claims import pod_manifest
from fake_dra_driver.dra import project_of
from tests.integration.author.lampdriver import LampConfig, LampDriver

DRIVER = LampDriver.name


@pytest.fixture(scope="module", params=["1.30", "1.37"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundCluster]:
    folder = tmp_path_factory.mktemp("project")
    project = project_of(LampDriver())
    assert project.generate(folder) == 0
    image = python_image({project.name: "tests.integration.author.lampdriver"})
    with BackgroundCluster(
        kubernetes_version=request.param, nodes=("node-a",), images={f"{project.name}:v{project.version}": image}
    ) as cluster:
        cluster.install_chart(folder / project.chart, "lamps", crds=folder / "crds")
        cluster.wait_for_plugin(DRIVER)
        yield cluster


def test_a_pod_gets_a_lamp(cluster: BackgroundCluster) -> None:
    pod = cluster.run_pod(Claim(DRIVER))
    assert pod.env["LAMP_0"] == "lamp-0 shines white"


def test_a_claim_says_how_it_shines(cluster: BackgroundCluster) -> None:
    pod = cluster.run_pod(Claim(DRIVER, LampConfig(color="red"), count=2))
    # Which of them is up to when the pod before has let go of its own.
    lamps = [pod.env[f"LAMP_{number}"] for number in range(2)]
    assert len(set(lamps)) == 2
    assert all(lamp.endswith(" shines red") for lamp in lamps)


def test_a_prepare_that_raises_stops_no_other_claim(cluster: BackgroundCluster) -> None:
    for name, color in (("black", "black"), ("pink", "pink")):
        cluster.make_claim(Claim(DRIVER, LampConfig(color=color)), name)
        uses = {"lamp": {"resourceClaimName": name}}
        cluster.apply(pod_manifest(cluster.cluster.release, name, "default", ("env",), uses, node=""))
    assert "device lamp-" in cluster.wait_for_event("no lamp shines black", about="black")
    assert "LampDriver.prepare(lamp-" in cluster.wait_for_event("raised ValueError: pink is a feeling", about="pink")
    assert cluster.run_pod(Claim(DRIVER, LampConfig(color="blue"))).env["LAMP_0"].endswith(" shines blue")
    for name in ("black", "pink"):
        cluster.delete_pod(name)
