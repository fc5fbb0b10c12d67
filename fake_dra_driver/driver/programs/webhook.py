"""The admission webhook for parameters of this driver."""

from fake_dra_driver.dra.program import run_webhook
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.programs.settings import WebhookSettings
from fake_dra_driver.driver.structured.parameters import CONFIG_CHECK

__all__ = ["run"]


async def run(settings: WebhookSettings) -> int:
    """Reviews claims and templates until a signal. Returns the exit status."""
    return await run_webhook(settings, NAMES, CONFIG_CHECK)
