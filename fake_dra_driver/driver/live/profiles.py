"""The DeviceProfile that describes a node: which one it is, what it makes of the node, and what is wrong with it.

A profile that cannot be used changes nothing: the node keeps the devices that it has, and people are told. So does a
profile that this release cannot read. Without any profile for it the node has the devices of the plugin's settings.
"""

import asyncio
from contextlib import suppress
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.dra.program import NodeAccess
from fake_dra_driver.driver.live.describer import NodeDescriber, Unusable, refusal
from fake_dra_driver.driver.live.lastgood import LastGoodProfile
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.live.nodelabels import NodeLabels
from fake_dra_driver.driver.live.readablekind import LOOK_AGAIN_SECONDS, why_unreadable
from fake_dra_driver.driver.live.specchange import has_other_spec
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.profile.selection import choose_profile
from fake_dra_driver.driver.reason import PROFILE_IN_FORCE, PROFILE_REFUSED, PROFILES_UNREADABLE
from fake_dra_driver.runtime import Controller, Informer, Reconciler, Request, Result, RuntimeLayerError

__all__ = ["LiveProfiles"]

_RETRY_SECONDS: Final = 1.0
"""Until an API server that gave no answer is asked again."""

_State = tuple[str, int]
"""UID and generation of a profile: what tells its states from each other."""

log = logger.bind(component="profiles")


class LiveProfiles(Reconciler):
    """Makes a node what its profile says.

    Args:
        node: is told what it has. What it has at first is what it has without a profile.
        driver: its name.
        labels: of the Node.
        last_good: the last profile that could be used here.
    """

    def __init__(self, node: LiveNode, driver: str, labels: NodeLabels, last_good: LastGoodProfile) -> None:
        self._node = node
        self._by_settings = node.current
        self._driver = driver
        self._labels = labels
        self._last_good = last_good
        self._profiles: Informer[DeviceProfile] | None = None
        self._describer = NodeDescriber()
        self._kept: _State | None = None
        """What is in ``last_good``, once this process has written it; None: no profile."""
        self._is_kept = False
        self._is_known = False
        """Whether the node has been described once."""
        self._problem = ""
        self._access: NodeAccess[FakePreparedDevice] | None = None
        self._connected = asyncio.Event()
        self._controller = Controller("deviceprofile", self)
        self._request = Request("", node.current.node)

    @property
    def problem(self) -> str:
        """Why the profile that is for the node is not in force; empty where it is."""
        return self._problem

    async def connect(self, access: NodeAccess[FakePreparedDevice]) -> None:
        """Returns once it is known what the node has, or that profiles cannot be read."""
        self._access = access
        while True:
            try:
                unreadable = await self._begin(access)
                break
            except RuntimeLayerError as error:
                log.warning("DeviceProfiles cannot be read, will ask again", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        if unreadable:
            log.warning("DeviceProfiles have no effect", error=unreadable)
            self._node.tell(PROFILES_UNREADABLE, f"{unreadable}; the node has the devices of the plugin's settings")
        self._connected.set()

    async def run(self) -> None:
        """Keeps the node in line for as long as the plugin runs. May be called before ``connect``."""
        await self._connected.wait()
        while self._profiles is None and self._access is not None:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            with suppress(RuntimeLayerError):
                await self._begin(self._access)
        await self._controller.run()

    @override
    async def reconcile(self, request: Request) -> Result:
        if self._profiles is not None:
            await self._look(self._profiles)
        return Result()

    async def _begin(self, access: NodeAccess[FakePreparedDevice]) -> str:
        """Begins to watch profiles. Returns why that cannot be done; empty when it is. Raises RuntimeLayerError."""
        if unreadable := await why_unreadable(access.client, DeviceProfile):
            return unreadable
        profiles = access.cache.informer(DeviceProfile)
        await profiles.wait_for_sync()
        await self._look(profiles)
        self._profiles = profiles
        self._controller.use_metrics(access.metrics)
        self._controller.watch(profiles, lambda _change: [self._request], has_other_spec)
        self._labels.subscribe(lambda: self._controller.enqueue(self._request))
        return ""

    async def _look(self, profiles: Informer[DeviceProfile]) -> None:
        """Makes the node what the profiles say now."""
        last = None if self._is_known else await self._last_good.read()
        in_force = self._in_force if last is None else last.metadata.name
        if unreadable := next((each for each in profiles.invalid() if each.key.name == in_force), None):
            await self._refuse(unreadable.key.name, str(unreadable), last)
            return
        ours = [profile for profile in profiles.list() if profile.spec.driver_name == self._driver]
        chosen = choose_profile(ours, self._driver, await self._labels.read() if ours else {})
        if chosen.profile is None:
            await self._keep(None)
            self._take(self._by_settings)
            return
        self._describer.forget_others({chosen.profile.uid})
        found = await self._described(chosen.profile, chosen.reason)
        if isinstance(found, Unusable):
            await self._refuse(chosen.profile.metadata.name, found, last)
        else:
            await self._keep(chosen.profile)
            self._take(found)

    @property
    def _in_force(self) -> str:
        return self._node.current.profile.name

    async def _described(self, profile: DeviceProfile, reason: str) -> MockNode | Unusable:
        """What the profile makes of the node; or what is wrong with it."""
        renderer = await self._describer.renderer(profile)
        if isinstance(renderer, Unusable):
            return renderer
        return await self._describer.describe(renderer, self._node.current.node, self._labels.current(), reason)

    async def _keep(self, profile: DeviceProfile | None) -> None:
        """Keeps what is in force for the next process; None: what the settings say."""
        state = None if profile is None else _state_of(profile)
        if not self._is_kept or state != self._kept:
            self._is_kept, self._kept = True, state
            await self._last_good.keep(profile)

    def _take(self, node: MockNode) -> None:
        before, self._problem = self._in_force, ""
        profile = node.profile
        is_news = (profile.name, profile.generation) != (before, self._node.current.profile.generation)
        self._is_known = True
        self._node.take(node)
        if not is_news:
            return
        log.info("Devices described", profile=profile.name, generation=profile.generation, devices=len(node.devices))
        if profile.name:
            message = (
                f"DeviceProfile {profile.name} (generation {profile.generation}) gives this node "
                f"{len(node.devices)} devices: {profile.reason}"
            )
        else:
            message = f"DeviceProfile {before} is not for this node any more, which has the devices of the settings"
        self._node.tell(PROFILE_IN_FORCE, message)

    async def _refuse(self, name: str, why: Unusable | str, last: DeviceProfile | None) -> None:
        """Leaves the node as it is; as it was before the plugin was started, where this is its first look."""
        if last is not None:
            found = await self._described(last, "it was in force before the plugin was started")
            if not isinstance(found, Unusable):
                self._take(found)
        self._is_known = True
        problem = refusal(name, why)
        if problem == self._problem:
            return
        self._problem = problem
        log.error("DeviceProfile refused", profile=name, error=problem)
        self._node.tell(PROFILE_REFUSED, problem)
        self._node.changed()


def _state_of(profile: DeviceProfile) -> _State:
    return (profile.uid, profile.metadata.generation or 0)
