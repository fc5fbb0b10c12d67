"""What a claim holds on a node, and why it holds nothing."""

import re

import pytest

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.structured.claims import AllocatedClaim, ClaimReader, HoldsNothingError, results_of
from fake_dra_driver.runtime.errors import NotFoundError, Status, TransportError
from tests.support.memory_api import MemoryApi, MemoryClient
from tests.unit.dra.structured.lamps import DRIVER, POOL, claim, config, result

CALLED = NodeClaim("default", "claim", UID("uid-1"))


def reader(*objects: KubeObject, api: ResourceApi = RESOURCE_APIS["v1"]) -> ClaimReader:
    """A reader of a cluster that has these objects."""
    store = MemoryApi()
    for obj in objects:
        store.apply(obj)
    return ClaimReader(MemoryClient(store), api, DRIVER, POOL)


class BrokenClient:
    """A client that cannot read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def get(self, kind: type[KubeObject], key: NamespacedName, *, timeout_seconds: float | None = None) -> object:
        raise self._error


def devices(found: AllocatedClaim) -> list[str]:
    return [each.device for each in found.results]


async def test_a_claim_holds_what_its_allocation_lists_for_driver_and_pool() -> None:
    found = claim(
        result("lamp-1", "b"),
        result("fan-0", driver="fans.example.com"),
        result("lamp-0", "a/left"),
        result("lamp-7", pool="kitchen"),
        written=[config(driver="fans.example.com"), config(brightness=1)],
    )
    held = await reader(found).read(CALLED)
    assert devices(held) == ["lamp-1", "lamp-0"]
    assert [each.base_request for each in held.results] == ["b", "a"]
    assert [entry.path for entry in held.config] == ["spec.devices.config[1].opaque.parameters"]
    assert held.claim.uid == CALLED.uid


@pytest.mark.parametrize("api", RESOURCE_APIS.values(), ids=RESOURCE_APIS)
async def test_a_claim_is_read_in_the_version_that_is_served(api: ResourceApi) -> None:
    found = api.claims.model_validate(claim(result("lamp-0")).model_dump(by_alias=True, exclude_unset=True))
    assert devices(await reader(found, api=api).read(CALLED)) == ["lamp-0"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "claim default/claim (uid-1) does not exist any more"),
        (
            claim(result("lamp-0"), uid="uid-2"),
            "claim default/claim (uid-1) was deleted, and another claim has its name now (uid-2)",
        ),
        (
            claim(is_allocated=False),
            "claim default/claim (uid-1) is not allocated: "
            "the scheduler does that, but not for a pod that sets spec.nodeName itself",
        ),
        (
            claim(result("fan-0", driver="fans.example.com")),
            "claim default/claim (uid-1) holds no device of driver lamps.example.com",
        ),
        (
            claim(result("lamp-0", pool="kitchen"), result("lamp-1", pool="attic")),
            "claim default/claim (uid-1) holds devices of driver lamps.example.com in pool attic, kitchen, "
            "none in pool study of this node",
        ),
    ],
)
async def test_a_claim_that_holds_nothing_is_told_why(found: v1.ResourceClaim | None, why: str) -> None:
    objects = [found] if found is not None else []
    with pytest.raises(HoldsNothingError, match=f"^{re.escape(why)}$"):
        await reader(*objects).read(CALLED)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("get", v1.ResourceClaim.resource, NamespacedName("default", "claim"), "connection refused"),
        # What an API server says that does not serve the kind: it does not know whether the claim is there.
        NotFoundError(Status(404), "get", v1.ResourceClaim.resource, NamespacedName("default", "claim")),
    ],
)
async def test_what_cannot_be_asked_is_no_answer(error: Exception) -> None:
    claims = ClaimReader(BrokenClient(error), RESOURCE_APIS["v1"], DRIVER, POOL)  # type: ignore[arg-type] # never returns
    with pytest.raises(type(error)):
        await claims.read(CALLED)


def test_results_are_told_without_a_request_for_one_pool_or_all() -> None:
    found = claim(result("lamp-0"), result("lamp-1", pool="kitchen"), result("fan-0", driver="fans.example.com"))
    assert [each.device for each in results_of(found, DRIVER)] == ["lamp-0", "lamp-1"]
    assert [each.device for each in results_of(found, DRIVER, "kitchen")] == ["lamp-1"]
    assert results_of(claim(is_allocated=False), DRIVER) == ()
