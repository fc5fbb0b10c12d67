"""The devices of a node: a function of the node's name, so that a node has the same devices after every restart.

Names and order are those of the Go driver (its ``gen(NODE_NAME, 8)``), so a node that ran it keeps its devices. The
hash has 31 significant bits: two node names may give the same UUIDs, which compatibility does not let us change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fake_dra_driver.device.gorand import hash31, random_bytes

__all__ = ["DEFAULT_COUNT", "DEFAULT_MODELS", "DEVICE_TYPE", "Device", "make_inventory", "make_uuids"]

DEVICE_TYPE: Final = "fake"
PREFIX: Final = "FAKE-"
_UUID_BYTES: Final = 16


DEFAULT_COUNT: Final = 8
DEFAULT_MODELS: Final = ("LATEST-FAKE-MODEL",)
"""Of the devices of a node, where nothing else is said: those of the quickstart."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that claims can get as a whole, or split into children."""

    uuid: str
    """``FAKE-`` and 32 hexadecimal digits in the groups of a UUID, without its version and variant bits, where no
    profile says otherwise."""
    model: str
    type: str = DEVICE_TYPE
    name: str = ""
    """In structured DRA; empty where it is named after its place."""


@lru_cache(maxsize=1024)
def make_uuids(seed: str, count: int) -> tuple[str, ...]:
    """The first ``count`` names for a seed; fewer are always a prefix of more."""
    stream = random_bytes(hash31(seed))
    found = []
    for _ in range(count):
        digits = bytes(next(stream) for _ in range(_UUID_BYTES)).hex()
        groups = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        found.append(PREFIX + "-".join(groups))
    return tuple(found)


def make_inventory(node_name: str, count: int, models: Sequence[str]) -> tuple[Device, ...]:
    """The devices of a node, in their order.

    Args:
        node_name: the seed of their names.
        count: how many.
        models: the first device has the first model and so on; after the last comes the first again.
    """
    uuids = make_uuids(node_name, count)
    return tuple(Device(uuid, models[index % len(models)]) for index, uuid in enumerate(uuids))
