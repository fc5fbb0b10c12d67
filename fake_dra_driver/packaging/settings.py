"""Settings of ``generate``."""

from fake_dra_driver.dra import program as of_any_driver
from fake_dra_driver.driver.commandline import OfThisDriver

__all__ = ["GenerateSettings"]


class GenerateSettings(OfThisDriver, of_any_driver.GenerateSettings):
    """Writes everything that is rendered from the schema and the settings: CRDs, chart, documentation."""
