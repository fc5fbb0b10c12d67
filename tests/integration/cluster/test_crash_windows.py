"""A stop between two writes leaves a half-state, and a new process makes a whole one of it.

A process is caught in a window by an API server that does not answer the next write of its kind, before or after it has
carried it out. Then it is killed. What a half-state becomes is the table in the design's section on who owns what.
"""

import pytest

from fake_dra_driver.api.fake import CLAIM_FINALIZER
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from tests.integration.cluster.world import CLASSIC, CONTROLLER, PLUGIN, World

pytestmark = CLASSIC

LEDGER, CLAIMS = "nodeallocationstates", "resourceclaims"


async def _ledger(world: World) -> set[str]:
    return set((await world.state()).spec.allocated_claims)


@pytest.mark.parametrize("app_stays", [True, False], ids=["app-stays", "app-is-deleted"])
async def test_after_the_finalizer_before_the_ledger(world: World, *, app_stays: bool) -> None:
    with world.failing(Fault.timeout(), "fake-dra-controller", LEDGER):
        await world.apply(5)
        await world.until_claims(
            "the claim has its finalizer", lambda claims: any(CLAIM_FINALIZER in c.metadata.finalizers for c in claims)
        )
        assert not await _ledger(world)
        await world.kill(CONTROLLER)
        if not app_stays:
            await world.delete(5)
    await finish(world, app_stays=app_stays)


@pytest.mark.parametrize("app_stays", [True, False], ids=["app-stays", "app-is-deleted"])
async def test_after_the_ledger_before_the_claims_status(world: World, *, app_stays: bool) -> None:
    with world.failing(Fault.timeout(after=True), "fake-dra-controller", LEDGER):
        await world.apply(5)

        async def recorded() -> bool:
            return bool(await _ledger(world))

        await world.cluster.wait_until("the claim is in the ledger", recorded)
        assert not any(claim.status.allocation for claim in await world.claims())
        await world.kill(CONTROLLER)
        if not app_stays:
            await world.delete(5)
    await finish(world, app_stays=app_stays)


@pytest.mark.parametrize("after", [False, True], ids=["before-the-claim", "before-the-ledger"])
async def test_deallocation(world: World, *, after: bool) -> None:
    """Our order is claim first, ledger last, so that the window before the Go driver's status write is this one."""
    await world.apply(5)
    await world.wait_running(5)
    with world.failing(Fault.timeout(after=after), "fake-dra-controller", CLAIMS):
        await world.delete(5)

        async def caught() -> bool:
            claims = await world.claims()
            return not claims if after else all(claim.is_deleting and not claim.status.reserved_for for claim in claims)

        await world.cluster.wait_until("the claim's deallocation is caught in the middle", caught)
        assert await _ledger(world)
        await world.kill(CONTROLLER)
    await finish(world, app_stays=False)


async def test_prepared_before_it_is_published(world: World) -> None:
    with world.failing(Fault.timeout(), "fake-dra-kubeletplugin", LEDGER):
        await world.apply(5)
        await world.wait_running(5)
        assert len(world.cdi_files()) == 2
        assert not (await world.state()).spec.prepared_devices
        await world.kill(PLUGIN)
        await world.delete(5)
    await finish(world, app_stays=False)


async def test_unprepared_before_it_is_published(world: World) -> None:
    await world.apply(5)
    await world.wait_running(5)
    await world.check_agreement(5)
    with world.failing(Fault.timeout(), "fake-dra-kubeletplugin", LEDGER):
        await world.delete(5)

        async def unprepared() -> bool:
            return len(world.cdi_files()) == 1

        await world.cluster.wait_until("the claim's CDI file is gone", unprepared)
        assert (await world.state()).spec.prepared_devices
        await world.kill(PLUGIN)
    await finish(world, app_stays=False)


async def finish(world: World, *, app_stays: bool) -> None:
    """The end is the same as without a stop."""
    await world.wait_ready()
    if app_stays:
        await world.wait_running(5)
        await world.check_agreement(5)
        await world.delete(5)
    await world.wait_gone(5)
    await world.wait_initial()
