"""The admission webhook for parameters of this driver: those of the quickstart, and those that DeviceProfiles list."""

import asyncio
from collections.abc import Sequence
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver import __version__
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.dra.program import ReviewSource, run_webhook
from fake_dra_driver.driver.live.readablekind import LOOK_AGAIN_SECONDS, why_unreadable
from fake_dra_driver.driver.names import names_of
from fake_dra_driver.driver.programs.settings import WebhookSettings
from fake_dra_driver.driver.structured.parameters import MockConfigs
from fake_dra_driver.driver.structured.profilekinds import ProfileKinds
from fake_dra_driver.runtime import Cache, Client, CredentialsError, Informer, RuntimeLayerError

__all__ = ["run"]

_RETRY_SECONDS: Final = 1.0
"""Until an API server that gave no answer is asked again."""

log = logger.bind(component="webhook")


class ProfileSource(ReviewSource):
    """The DeviceProfiles of the cluster. An API server that has none, or does not let them be read, is as one without.

    Args:
        client: reads them, and is closed with the program.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.cache = Cache(client)
        self._profiles: Informer[DeviceProfile] | None = None
        self._is_known = False
        """Whether it is known what there is."""

    def profiles(self) -> Sequence[DeviceProfile]:
        """All that are known."""
        return () if self._profiles is None else self._profiles.list()

    @override
    async def run(self) -> None:
        said = ""
        while True:
            try:
                unreadable = await why_unreadable(self.client, DeviceProfile)
            except RuntimeLayerError as error:
                log.warning("DeviceProfiles cannot be read, will ask again", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if not unreadable:
                break
            self._is_known = True
            if unreadable != said:
                log.warning("Parameters of the quickstart alone are accepted", error=unreadable)
                said = unreadable
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        profiles = self.cache.informer(DeviceProfile)
        await profiles.wait_for_sync()
        self._profiles, self._is_known = profiles, True

    @override
    def not_ready_reason(self) -> str | None:
        return None if self._is_known else "DeviceProfiles have not been read yet"


async def run(settings: WebhookSettings) -> int:
    """Reviews claims and templates until a signal. Returns the exit status."""
    names = names_of(settings.driver_name)
    try:
        client = await Client.connect(
            kubeconfig=settings.kubeconfig or None, user_agent=f"{names.short}-webhook/{__version__}"
        )
    except CredentialsError:
        return await run_webhook(settings, names, MockConfigs(names.driver).check)
    source = ProfileSource(client)
    configs = MockConfigs(names.driver, ProfileKinds(names.driver, source.profiles))
    try:
        return await run_webhook(settings, names, configs.check, source)
    finally:
        await client.close()
