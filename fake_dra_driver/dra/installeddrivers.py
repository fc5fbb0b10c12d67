"""Which drivers a cluster has, by the API groups of their NodeAllocationState: for hints to people who name another."""

from collections.abc import Sequence
from typing import Final

from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["options_of_drivers"]

_PREFIX: Final = "nas."
"""How the name of such a group begins, see ``DriverNames.state_group``."""
MAX_NAMED: Final = 3
"""How many drivers a hint names."""


async def options_of_drivers(client: Client) -> Sequence[str]:
    """Such as ``--driver-name lamp.example.com``, for the first few drivers; none where the cluster does not say."""
    try:
        groups = await client.discovery.group_names()
    except RuntimeLayerError:  # a hint comes with an error that says more, and needs no error of its own
        return ()
    drivers = sorted(group.removeprefix(_PREFIX) for group in groups if group.startswith(_PREFIX))
    return [f"--driver-name {driver}" for driver in drivers[:MAX_NAMED]]
