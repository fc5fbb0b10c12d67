"""A plugin that does not know yet which mode of DRA the cluster speaks: what it can do, and what waits."""

import asyncio
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

import pytest
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, ResourceKind
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, ClaimLookup, ModeUnknownError
from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
from fake_dra_driver.dra.node.latebinding import LateClaimLookup, LateNodeDriver
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.node.retry import BUDGET_SECONDS, RetryBudget
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.fakes import fake_node
from tests.support.fakenode import published_claims
from tests.support.node import INVENTORY, NODE, UUIDS, NodeWorld, Plugin

pytestmark = pytest.mark.looptime

CLAIM = NodeClaim("default", "c", UID("uid-c"))
KIND = ResourceKind("resource.k8s.io", "v1beta1", "ResourceClaim", "resourceclaims")
PREPARED: FakePreparedClaim = PreparedClaim("a", "default", "c", ())


class Lookup(ClaimLookup[FakePreparedDevice]):
    """Knows one claim."""

    claim_kind = KIND

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        return prepared & {"a"}

    @override
    async def still_held(self, prepared: FakePreparedClaim) -> Collection[str]:
        return [prepared.uid]

    @override
    async def in_use(self) -> Sequence[ClaimInUse[FakePreparedDevice]]:
        return [ClaimInUse(CLAIM, ())]


NOTHING = published_claims(lambda: None, FakePlanner(lambda: fake_node(NODE, INVENTORY), dict))


class Driver(NodeDriver[NodeClaim]):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, NodeClaim]] = []

    @override
    async def prepare(self, claim: NodeClaim) -> Sequence[ReadyDevice]:
        self.calls.append(("prepare", claim))
        return [ReadyDevice(NODE, "fake-0", ("id",))]

    @override
    async def unprepare(self, claim: NodeClaim) -> None:
        self.calls.append(("unprepare", claim))


@pytest.fixture
def driver(plugin: Plugin) -> LateNodeDriver[FakePreparedDevice]:
    return LateNodeDriver(plugin.preparer, plugin.driver)


async def test_a_lookup_asks_nothing_before_the_mode_is_known() -> None:
    lookup = LateClaimLookup(NOTHING)
    assert lookup.known_holders({"a", "b"}) == {"a", "b"}, "they need not be asked about"
    with pytest.raises(ModeUnknownError, match="in which version it serves resource"):
        await lookup.still_held(PREPARED)
    with pytest.raises(ModeUnknownError):
        await lookup.in_use()
    assert lookup.claim_kind.kind == "ResourceClaim"


async def test_a_lookup_answers_as_the_mode_does_once_that_is_known() -> None:
    lookup = LateClaimLookup(NOTHING)
    lookup.bind(Lookup())
    assert lookup.known_holders({"a", "b"}) == {"a"}
    assert await lookup.still_held(PREPARED) == ["a"]
    assert await lookup.in_use() == [ClaimInUse(CLAIM, ())]
    assert lookup.claim_kind == KIND


async def test_claims_of_classic_kubelets_need_no_mode(
    world: NodeWorld, plugin: Plugin, driver: LateNodeDriver[FakePreparedDevice]
) -> None:
    claim = world.claim("classic", 3)
    assert [device.device_name for device in await driver.prepare(claim)] == [UUIDS[3]]
    world.assert_sound(claim)
    await driver.unprepare(claim)
    world.assert_sound()


async def test_a_new_claim_waits_for_the_mode(driver: LateNodeDriver[FakePreparedDevice]) -> None:
    bound = Driver()
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(driver.prepare(CLAIM))
        await asyncio.sleep(BUDGET_SECONDS / 2)
        assert not answer.done()
        driver.bind(bound)
    assert answer.result() == [ReadyDevice(NODE, "fake-0", ("id",))]
    assert bound.calls == [("prepare", CLAIM)]


async def test_a_new_claim_is_refused_when_the_mode_stays_unknown(driver: LateNodeDriver[FakePreparedDevice]) -> None:
    with pytest.raises(PrepareError, match=r"which devices claim default/c holds: the API server has not said yet"):
        await driver.prepare(CLAIM)


async def test_a_prepared_claim_is_answered_as_before(
    plugin: Plugin, driver: LateNodeDriver[FakePreparedDevice]
) -> None:
    device = FakePreparedDevice(UUIDS[1], "MODEL", result=RequestResult("fakes", NODE, "fake-1"))
    answer = await plugin.preparer.prepare(CLAIM, [device], RetryBudget())
    assert await driver.prepare(CLAIM) == answer
    assert [(device.pool_name, device.device_name, device.request_names) for device in answer] == [
        (NODE, "fake-1", ("fakes",))
    ]


async def test_a_claim_is_unprepared_without_a_mode(plugin: Plugin, driver: LateNodeDriver[FakePreparedDevice]) -> None:
    await plugin.preparer.prepare(CLAIM, [FakePreparedDevice(UUIDS[1], "MODEL")], RetryBudget())
    await driver.unprepare(CLAIM)
    assert plugin.checkpoint.claims == {}


async def test_a_claim_is_unprepared_by_the_mode_once_that_is_known(driver: LateNodeDriver[FakePreparedDevice]) -> None:
    bound = Driver()
    driver.bind(bound)
    await driver.unprepare(CLAIM)
    assert bound.calls == [("unprepare", CLAIM)]
