"""Sets the status of a node's NodeAllocationState."""

from fake_dra_driver.dra.program import run_set_nas_status
from fake_dra_driver.driver.programs.settings import SetNasStatusSettings
from fake_dra_driver.driver.statelayout import FakeStateLayout

__all__ = ["run"]


async def run(settings: SetNasStatusSettings) -> int:
    """Sets it once. Returns the exit status."""
    return await run_set_nas_status(settings, FakeStateLayout())
