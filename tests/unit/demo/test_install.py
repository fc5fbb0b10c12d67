"""What the chart is installed with in an embedded cluster."""

from pathlib import Path

import pytest

from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.demo.install import driver_manifests, read_values


def test_values_of_a_file_are_the_charts(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("kubeletPlugin: {settings: {deviceModels: [ULTRA_10]}}\n")
    manifests = driver_manifests("1.37", read_values(str(file)))
    (plugin,) = [each for each in manifests if each["kind"] == "DaemonSet"]
    assert "ULTRA_10" in str(plugin)
    assert read_values("") == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a: [", r"cannot read .* from .*values.yaml: while parsing"), (b"\xff", "cannot read"), (b"- a", "no mapping")],
)
def test_values_that_are_none_are_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_bytes(content)
    with pytest.raises(ClusterError, match=said):
        read_values(str(file))
