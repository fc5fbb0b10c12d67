"""Nodes as the driver's parts see them, without a DeviceProfile object."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.profile.mocknode import MockNode, ProfileName

__all__ = ["profiled_node"]


def profiled_node(inventory: Sequence[Device], *, each: dict[str, Any] | None = None, **of_node: Any) -> MockNode:
    """A node with these devices, as a profile called ``gpus`` describes it.

    Args:
        inventory: its devices.
        each: what the profile says about each device, by field of ``MockDevice``.
        of_node: what it says about the node, by field of ``MockNode``.
    """
    found = fake_node("worker", inventory)
    devices = [
        replace(
            device,
            group="gpu",
            variables={"node": found.node, "labels": {}, "driver": "gpu.example.com", "index": device.index}
            | {"group": "gpu", "name": device.name, "values": {}},
            **(each or {}),
        )
        for device in found.devices
    ]
    return replace(found, profile=ProfileName("gpus", 1), devices=tuple(devices), **of_node)
