"""Which protocol of DRA a cluster speaks, and what a program says while it speaks none."""

import asyncio
from typing import Any

import pytest

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.servedapi import ApiFinder, DraApi, advice
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.discovery import ServedGroup
from fake_dra_driver.runtime.session import Session
from tests.support.scripted import Answer, ScriptedTransport, Tokens, api_group, status

pytestmark = pytest.mark.looptime

GROUP = "resource.k8s.io"


def finder_of(*answers: Answer, version: str = "") -> ApiFinder:
    client = Client(Session(ScriptedTransport(*answers), Tokens("token"), user_agent="test"))
    return ApiFinder(client.discovery, version)


def serves(*versions: str) -> Any:
    return api_group(GROUP, *versions)


NOTHING = status(404, "NotFound")


@pytest.mark.parametrize(
    ("served", "version"),
    [
        (("v1", "v1beta2", "v1beta1", "v1alpha3"), "v1"),
        (("v1beta1", "v1beta2"), "v1beta2"),
        (("v1beta1", "v1alpha3"), "v1beta1"),
        (("v1alpha2",), "v1alpha2"),
    ],
)
async def test_the_newest_version_is_taken(served: tuple[str, ...], version: str) -> None:
    api = await finder_of(serves(*served)).find()
    assert api == DraApi(version)
    assert api.structured is RESOURCE_APIS.get(version)


async def test_a_version_that_is_named_is_the_only_one_taken() -> None:
    assert (await finder_of(serves("v1", "v1beta1"), version="v1beta1").find()).version == "v1beta1"


def test_a_version_that_nothing_can_be_done_with_is_refused() -> None:
    with pytest.raises(ValueError, match="'v1alpha3'; there are v1, v1beta2, v1beta1, v1alpha2"):
        finder_of(version="v1alpha3")


async def test_it_goes_on_by_itself_when_dra_is_switched_on() -> None:
    finder = finder_of(NOTHING, ConnectionError("refused"), serves("v1alpha3"), serves("v1"))
    assert "was not asked yet" in (finder.problem() or "")
    seen: list[str] = []

    async def look() -> None:
        while (problem := finder.problem()) is not None:
            if not seen or seen[-1] != problem:
                seen.append(problem)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        assert (await finder.find()).version == "v1"

    assert "does not serve resource.k8s.io: switch Dynamic Resource Allocation on" in seen[0]
    assert seen[1] == "get apigroups.v1 resource.k8s.io: refused"
    assert "Kubernetes 1.31 is not supported: upgrade" in seen[2]


def test_a_named_version_that_is_not_served_is_told_with_those_that_are() -> None:
    found = advice(ServedGroup(GROUP, ("v1", "v1beta1")), ("v1alpha2",))
    assert found.startswith(
        "the API server does not serve resource.k8s.io/v1alpha2, which the setting resource-api-version"
    )
    assert "but v1, v1beta1" in found


async def test_an_upgrade_that_takes_the_version_away_is_noticed_and_an_api_server_that_is_away_is_none() -> None:
    finder = finder_of(serves("v1alpha2"), serves("v1alpha2"), ConnectionError("refused"), NOTHING, serves("v1"))
    api = await finder.find()
    reason = await finder.wait_for_change(api, lambda: True)
    assert reason == "resource.k8s.io/v1alpha2 is not served any more, and resource.k8s.io/v1 is"


async def test_nothing_is_asked_while_all_is_well() -> None:
    finder = finder_of(serves("v1alpha2"), serves("v1"))
    api = await finder.find()
    doubts = iter([False] * 100 + [True])
    started = asyncio.get_running_loop().time()
    await finder.wait_for_change(api, lambda: next(doubts))
    assert asyncio.get_running_loop().time() - started == pytest.approx(101 * 20)
