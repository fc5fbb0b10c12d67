"""Makes the nodes of a fleet what their profiles say, as the plugin of a node does it (``live.profiles``).

A profile that cannot be used changes nothing: its nodes keep the devices that they have. A plugin finds these on its
disk when it starts. Here they are what is published of the node, which stays as it is.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from loguru import logger

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.device.inventory import DEFAULT_COUNT, DEFAULT_MODELS, make_inventory
from fake_dra_driver.driver.live.describer import Unusable, refusal
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.member import Description, Member

if TYPE_CHECKING:
    from fake_dra_driver.driver.profile.rendering import ProfileRenderer

__all__ = ["NodeMaker"]

_QUICKSTART: Final = Description(None, {}, "")

log = logger.bind(component="simulatednodes")


class NodeMaker:
    """Asks the catalog, which must be open.

    Args:
        catalog: has the profiles, and makes devices of them.
    """

    def __init__(self, catalog: MockCatalog) -> None:
        self._catalog = catalog
        self._good: dict[UID, ProfileRenderer] = {}
        """By profile, the last state of it that could be used on a node."""
        self._said: set[tuple[UID, int]] = set()
        """States of profiles of which was said what is wrong with them."""

    async def make(self, member: Member) -> tuple[MockNode | None, str]:
        """What a node has, and why it is not what its profile says; None: that is not known."""
        profile = member.chosen.profile
        if why := self._catalog.why_refused(member.profile_in_force):
            return await self._as_before(member), refusal(member.profile_in_force, why)
        if profile is None:
            member.last_good = _QUICKSTART
            return _quickstart_node(member), ""
        found = await self._by_profile(member, profile)
        if isinstance(found, MockNode):
            return found, ""
        self._say(profile, member, found)
        return await self._as_before(member), refusal(profile.metadata.name, found)

    def forget_others(self, known: Collection[UID]) -> None:
        """Keeps nothing of profiles but these, other than what nodes have."""
        self._good = {uid: renderer for uid, renderer in self._good.items() if uid in known}
        self._said = {(uid, generation) for uid, generation in self._said if uid in known}

    async def _by_profile(self, member: Member, profile: DeviceProfile) -> MockNode | Unusable:
        renderer = await self._catalog.describer.renderer(profile)
        if isinstance(renderer, Unusable):
            return renderer
        description = Description(renderer, member.node.metadata.labels, member.chosen.reason)
        found = await self._described(member, renderer, description)
        if isinstance(found, MockNode):
            member.last_good, self._good[profile.uid] = description, renderer
        return found

    async def _as_before(self, member: Member) -> MockNode | None:
        profile, last = member.chosen.profile, member.last_good
        if last is None and profile is not None and (renderer := self._good.get(profile.uid)) is not None:
            # A node that comes now has what the others of its profile have.
            last = Description(renderer, member.node.metadata.labels, member.chosen.reason)
        if last is None:
            return None
        if last.renderer is None:
            return _quickstart_node(member)
        found = await self._described(member, last.renderer, last)
        return found if isinstance(found, MockNode) else None

    async def _described(
        self, member: Member, renderer: "ProfileRenderer", description: Description
    ) -> MockNode | Unusable:
        name = member.node.metadata.name
        return await self._catalog.describer.describe(renderer, name, description.labels, description.reason)

    def _say(self, profile: DeviceProfile, member: Member, problem: Unusable) -> None:
        """Once for all nodes; which they are, their NodeAllocationStates say."""
        state = (profile.uid, profile.metadata.generation)
        if state not in self._said:
            self._said.add(state)
            node, name = member.node.metadata.name, profile.metadata.name
            log.error("DeviceProfile refused on simulated nodes", profile=name, node=node, error=str(problem))


def _quickstart_node(member: Member) -> MockNode:
    name = member.node.metadata.name
    return fake_node(name, make_inventory(name, DEFAULT_COUNT, DEFAULT_MODELS))
