"""Splitting a device into children, as MIG does with a GPU. Children have names, and no life of their own.

A device belongs to one claim, split or not, and its children go to that claim together. One child is not the same as
the whole device: it has a name of its own.
"""

from fake_dra_driver.device.inventory import make_uuids

__all__ = ["children"]


def children(parent_uuid: str, split: int) -> tuple[str, ...]:
    """The names of ``split`` children of a device: always the same, and fewer are a prefix of more."""
    return make_uuids(parent_uuid, split)
