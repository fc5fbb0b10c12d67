"""A claim's CDI file as the tests read it."""

from collections.abc import Sequence

import yaml

__all__ = ["devices_in"]


def devices_in(data: bytes, uid: str) -> Sequence[str]:
    """The UUIDs of the devices that the file of a claim defines, in their order.

    Raises AssertionError unless it defines each of them by its unique name too, with the same variables.
    """
    edits = {device["name"]: device["containerEdits"] for device in yaml.load(data, yaml.CSafeLoader)["devices"]}
    uuids = [name for name in edits if ":" not in name]
    assert list(edits) == [name for uuid in uuids for name in (uuid, f"{uuid}:{uid}")]
    assert all(edits[uuid] == edits[f"{uuid}:{uid}"] for uuid in uuids)
    return uuids
