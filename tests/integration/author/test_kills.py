"""The plugin of an author's driver is killed while the author's code works: pods get and lose their devices anyway."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim, python_image
from fake_dra_driver.cluster.testing.claims import pod_manifest
from fake_dra_driver.dra import project_of
from tests.integration.author.carddriver import CardDriver

DRIVER = CardDriver.name


class Scene:
    """A node with cards, whose driver's code can be held up."""

    def __init__(self, cluster: BackgroundCluster, folder: Path) -> None:
        self.cluster = cluster
        self._folder = folder

    def loaded(self) -> list[str]:
        """The cards that are loaded."""
        return sorted(path.name for path in self._folder.glob("card-*"))

    def hold(self) -> None:
        """From now on the author's code waits."""
        os.mkfifo(self._folder / "hold")

    def kill_at_work(self) -> None:
        """Kills the plugin once the author's code waits; the next process is not held up."""

        async def has_begun(_cluster: Cluster) -> bool:
            return (self._folder / "begun").exists()

        self.cluster.wait_until("the author's code has begun", has_begun)
        (self._folder / "hold").unlink()
        (self._folder / "begun").unlink()
        running = self.cluster.faults.running_containers()
        [(pod, container)] = [each for each in running if "kubeletplugin" in each[0].name]
        self.cluster.faults.send_signal(pod, container)

    def start_pod(self, name: str) -> None:
        """A pod with both cards."""
        self.cluster.make_claim(Claim(DRIVER, count=2), name)
        uses = {"cards": {"resourceClaimName": name}}
        release = self.cluster.cluster.release
        self.cluster.apply(pod_manifest(release, name, "default", ("sleep", "3600"), uses, node=""))

    def end_pod(self, name: str) -> None:
        """The pod goes, and its claim."""
        self.cluster.delete_pod(name)
        self.cluster.delete(self.cluster.get("resourceclaims", name))


@pytest.fixture(scope="module", params=["1.30", "1.37"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, cards = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("cards")
    project = project_of(CardDriver())
    assert project.generate(folder) == 0
    image = python_image({project.name: "tests.integration.author.carddriver"}, env={"CARDS": str(cards)})
    with BackgroundCluster(
        kubernetes_version=request.param, nodes=("node-a",), images={f"{project.name}:v{project.version}": image}
    ) as cluster:
        cluster.install_chart(folder / project.chart, "cards", crds=folder / "crds")
        cluster.wait_for_plugin(DRIVER)
        yield Scene(cluster, cards)


def test_a_prepare_that_was_killed_is_repeated(scene: Scene) -> None:
    scene.hold()
    scene.start_pod("repeated")
    scene.kill_at_work()
    assert scene.cluster.wait_for_pod("repeated", until="ready").env["CARD_1"]
    assert scene.loaded() == ["card-0", "card-1"]
    scene.end_pod("repeated")
    assert scene.loaded() == []


def test_a_prepare_that_was_killed_is_undone(scene: Scene) -> None:
    scene.hold()
    scene.start_pod("undone")
    scene.kill_at_work()
    scene.end_pod("undone")
    assert scene.loaded() == []


def test_an_unprepare_that_was_killed_is_repeated(scene: Scene) -> None:
    scene.start_pod("ended")
    scene.cluster.wait_for_pod("ended", until="ready")
    scene.hold()
    scene.cluster.delete({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ended", "namespace": "default"}})
    scene.kill_at_work()
    scene.end_pod("ended")
    assert scene.loaded() == []
