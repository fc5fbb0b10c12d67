"""A target that means nothing is told by its first field that leaves nothing."""

from typing import Any

import pytest

from fake_dra_driver.api.devicefault import FaultTarget
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.objectstatus.nomatch import KnownNode, why_nothing_matches

DRIVER = "gpu.example.com"
NODES = (
    KnownNode("node-0", tuple(Device(f"GPU-{at}", "A100", "gpu", f"gpu-{at}") for at in range(2)), {"zone": "a"}),
    KnownNode("node-1", (Device("FAKE-2", "H100"),), {"zone": "b"}),
    KnownNode("node-2", (), {"zone": "c"}),
)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"nodes": ["o-*", "x"]}, "spec.target.nodes: no node is like o-*, x; there are node-0, node-1, node-2"),
        (
            {"nodeSelector": {"matchLabels": {"zone": "d"}}},
            "spec.target.nodeSelector: no node of driver gpu.example.com has these labels",
        ),
        (
            {"nodes": ["node-0"], "nodeSelector": {"matchLabels": {"zone": "b"}}},
            "spec.target.nodeSelector: no node that nodes names has these labels",
        ),
        ({"nodes": ["node-2"]}, "node-2: no devices"),
        ({"devices": ["gpu-9"]}, "spec.target.devices: no device is like gpu-9; there are fake-0, gpu-0, gpu-1"),
        ({"devices": ["fake-0"], "models": ["T4"]}, "spec.target.models: no model is like T4; there are H100"),
        ({"devices": ["GPU-*"], "models": ["T4"]}, "spec.target.models: no model is like T4; there are A100"),
        (
            {"claim": {"namespace": "default", "name": "c"}},
            "spec.target.claim: none of these devices is prepared for claim default/c",
        ),
        ({"cel": "false"}, "spec.target.cel: it is true of none of these devices"),
        ({}, "no node has said yet that it is hit: is the driver's kubelet plugin running?"),
    ],
)
def test_the_field_is_named_with_what_there_is(target: dict[str, Any], words: str) -> None:
    assert why_nothing_matches(FaultTarget.model_validate(target), DRIVER, NODES) == words


def test_without_nodes_there_is_nothing_to_mean() -> None:
    assert why_nothing_matches(FaultTarget(), DRIVER, ()) == "driver gpu.example.com has no nodes yet"


def test_of_many_a_few_are_listed() -> None:
    nodes = [KnownNode(f"node-{number}", ()) for number in range(9)]
    target = FaultTarget(nodes=("x",))
    assert why_nothing_matches(target, DRIVER, nodes) == (
        "spec.target.nodes: no node is like x; there are node-0, node-1, node-2, node-3, node-4, node-5 and 3 more"
    )
