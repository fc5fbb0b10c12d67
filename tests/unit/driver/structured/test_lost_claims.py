"""A claim that is taken away while its pod runs: the scheduler may give its devices away, the node does not."""

import pytest

from fake_dra_driver.dra.node.deviceerror import DeviceInUseError
from tests.support.structurednode import StructuredPlugin, StructuredWorld, result

pytestmark = pytest.mark.looptime


async def test_devices_of_a_claim_that_was_taken_away_go_to_no_other_until_the_kubelet_ends_it(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.strip(claim)
    await plugin.settle()
    other = world.claim("other", 0)
    with pytest.raises(DeviceInUseError, match=r"is still prepared for claim default/c .*whose pod may still run"):
        await plugin.driver.prepare(other)
    world.assert_sound(plugin, claim)
    await plugin.driver.unprepare(claim)
    await plugin.driver.prepare(other)
    world.assert_sound(plugin, other)


async def test_admin_access_is_not_in_the_way(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.strip(claim)
    looking = world.claim("admin", result(0, admin_access=True))
    await plugin.driver.prepare(looking)
    world.assert_sound(plugin, claim, looking)


async def test_a_claim_that_only_looked_needs_no_word_of_the_controller(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    looking = world.claim("admin", result(0, admin_access=True))
    await plugin.driver.prepare(looking)
    world.strip(looking)
    plugin.lookup.forget(looking.uid)  # as after a restart
    await plugin.settle()
    world.assert_sound(plugin)
