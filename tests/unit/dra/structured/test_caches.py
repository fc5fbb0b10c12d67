"""Which nodes a change of a claim is about."""

from typing import cast

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.caches import StructuredCaches
from fake_dra_driver.runtime.cache import Cache, Change
from fake_dra_driver.runtime.client import Client
from tests.support.memory_api import MemoryApi, MemoryClient
from tests.support.structuredworld import API
from tests.unit.dra.structured.lamps import DRIVER, claim, result


def on(node: str, *lamps: str) -> v1.ResourceClaim:
    return claim(*(result(lamp, pool=node) for lamp in lamps), result("fan-0", driver="fans.example.com", pool="fans"))


@pytest.mark.parametrize(
    ("old", "new", "nodes"),
    [
        (None, on("a", "lamp-0"), {"a"}),
        (on("a", "lamp-0"), None, {"a"}),
        (on("a", "lamp-0"), on("a", "lamp-0"), set()),
        (on("a", "lamp-0"), on("b", "lamp-0"), {"a", "b"}),
        (on("a", "lamp-0"), on("a", "lamp-1"), {"a"}),
        (claim(is_allocated=False), on("a", "lamp-1"), {"a"}),
    ],
    ids=["made", "gone", "same", "moved", "another device", "allocated"],
)
def test_a_change_is_about_the_nodes_of_which_a_claim_held_or_holds_devices(
    old: v1.ResourceClaim | None, new: v1.ResourceClaim | None, nodes: set[str]
) -> None:
    caches = StructuredCaches.of(Cache(cast("Client", MemoryClient(MemoryApi()))), API, DRIVER)
    assert caches.nodes_of_change(Change(on("a").key, old, new)) == nodes
