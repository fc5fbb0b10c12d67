"""The settings of the embedded cluster's commands."""

from typing import Any

from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.demo.settings import ClusterUpSettings, DemoSettings


def test_the_releases_are_those_of_the_cluster() -> None:
    for settings in (ClusterUpSettings, DemoSettings):
        schema: dict[str, Any] = settings.model_json_schema()
        assert tuple(schema["properties"]["kubernetes_version"]["enum"]) == tuple(RELEASES)
