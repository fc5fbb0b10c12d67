"""The admission webhook for parameters of this driver."""

from fake_dra_driver.dra.program import run_webhook
from fake_dra_driver.driver.names import names_of
from fake_dra_driver.driver.programs.settings import WebhookSettings
from fake_dra_driver.driver.structured.parameters import MockConfigs

__all__ = ["run"]


async def run(settings: WebhookSettings) -> int:
    """Reviews claims and templates until a signal. Returns the exit status."""
    return await run_webhook(settings, names_of(settings.driver_name), MockConfigs(settings.driver_name).check)
