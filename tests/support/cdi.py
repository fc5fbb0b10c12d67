"""A claim's CDI file as the tests read it."""

from collections.abc import Mapping, Sequence

import yaml

__all__ = ["devices_in", "environment_in"]


def devices_in(data: bytes, uid: str) -> Sequence[str]:
    """The UUIDs of the devices that the file of a claim defines, in their order.

    Raises AssertionError unless it defines each of them by its unique name too, with the same variables.
    """
    edits = {device["name"]: device["containerEdits"] for device in yaml.load(data, yaml.CSafeLoader)["devices"]}
    uuids = [name for name in edits if ":" not in name]
    assert list(edits) == [name for uuid in uuids for name in (uuid, f"{uuid}:{uid}")]
    assert all(edits[uuid] == edits[f"{uuid}:{uid}"] for uuid in uuids)
    return uuids


def environment_in(data: bytes) -> Mapping[str, Mapping[str, str]]:
    """By the name of a device, in the order of the file: the variables of a container that uses it."""
    return {
        device["name"]: dict(variable.split("=", 1) for variable in device["containerEdits"]["env"])
        for device in yaml.load(data, yaml.CSafeLoader)["devices"]
    }
