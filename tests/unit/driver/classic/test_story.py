"""One search for a claim's UID in the logs tells its story, from the controller and from the kubelet plugin."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.runtime.errors import TransportError
from fake_dra_driver.runtime.log import _json_line, _short_enough
from tests.support.node import NODE, NodeWorld, Plugin
from tests.support.world import Brain, World

pytestmark = pytest.mark.looptime

Line = dict[str, Any]
OF_CLAIMS = {"claims", "scheduling", "calls"}
"""Components whose every line is about claims."""


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Every line as it would come out, as JSON."""
    lines: list[str] = []
    number = logger.add(lambda message: lines.append(_short_enough(_json_line, message.record)), level="DEBUG")
    yield lines
    logger.remove(number)


class Cluster:
    """A controller and the plugin of one node on one store, as they are in a cluster."""

    def __init__(self) -> None:
        self.user = World()
        self.node = NodeWorld(self.user.api)
        self.brain = Brain(self.user)

    async def start(self) -> Plugin:
        plugin = await self.node.start()
        await plugin.settle()
        return plugin


def story(log: list[str], uid: str) -> list[Line]:
    """The lines that a search for the UID finds, in order."""
    return [json.loads(line) for line in log if uid in line]


def messages(lines: list[Line], component: str) -> list[str]:
    return [line["msg"] for line in lines if line["component"] == component]


async def test_the_life_of_a_claim(log: list[str]) -> None:
    cluster = Cluster()
    plugin = await cluster.start()
    user = cluster.user
    uid = user.claim("c", count=2).uid
    user.claim("other")
    async with cluster.brain.running(), ClaimCalls(plugin.driver) as calls:
        user.pod("p", ["c"], selected=NODE)
        user.pod("q", ["other"], selected=NODE)
        await cluster.brain.settle()
        claim: ClassicClaim = cluster.node.node_claim("c")
        assert isinstance((await calls.run("prepare", [claim], None))[uid], tuple)
        await plugin.settle()
        user.api.delete(Pod, "p", "default")
        await calls.run("unprepare", [claim], None)
        await plugin.settle()
        user.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
        user.api.delete(ResourceClaim, "c", "default")
        await cluster.brain.settle()
    lines = story(log, uid)
    told = [line["msg"] for line in lines if line["msg"].startswith(("Claim", "Ledger"))]
    assert told == [
        *("Ledger written", "Claim allocated"),
        *("Claim prepared", "Claim unprepared"),
        *("Ledger written", "Claim released"),
    ]
    (allocated,) = (line for line in lines if line["msg"] == "Claim allocated")
    assert (allocated["node"], allocated["pod"], allocated["claim"]) == (NODE, "default/p", "default/c")
    (prepared,) = (line for line in lines if line["msg"] == "Claim prepared")
    assert prepared["claim"] == "default/c"
    assert "Reconciled" in messages(lines, "controller"), "the outcome of a pass is part of the story"
    other = user.read_claim("other").uid
    of_claims = [line for line in log if json.loads(line)["component"] in OF_CLAIMS]
    assert {json.loads(line)["component"] for line in of_claims} == OF_CLAIMS
    for line in of_claims:
        assert uid in line or other in line


async def test_failures_are_part_of_the_story(log: list[str]) -> None:
    cluster = Cluster()
    plugin = await cluster.start()
    uid = cluster.user.claim("c").uid
    faults = [True]

    async def fail_once(verb: str, kind: str) -> None:
        if kind == NodeAllocationState.resource.kind and faults:
            faults.pop()
            raise TransportError(verb, NodeAllocationState.resource, cluster.user.read_claim("c").key, "reset")

    cluster.brain.client.before_write = fail_once
    async with cluster.brain.running(), ClaimCalls(plugin.driver) as calls:
        cluster.user.pod("p", ["c"], selected=NODE)
        await cluster.brain.settle()
        claim = cluster.node.node_claim("c")
        broken = ClassicClaim(claim.namespace, claim.name, claim.uid, "{}")
        await calls.run("prepare", [broken], None)
        await calls.run("prepare", [ClassicClaim("", claim.name, claim.uid)], None)
    lines = story(log, uid)
    problems = [(line["level"], line["msg"]) for line in lines if line["level"] in {"warning", "error"}]
    assert problems == [
        ("warning", "Reconciler error"),
        ("warning", "Claim refused"),
        ("warning", "Claim of a call is invalid"),
    ]


async def test_a_stale_claim_whose_devices_another_one_gets(log: list[str]) -> None:
    cluster = Cluster()
    plugin = await cluster.start()
    old = cluster.node.claim("old", 0)
    async with ClaimCalls(plugin.driver) as calls:
        await calls.run("prepare", [old], None)
        cluster.node.delete(old)
        new = cluster.node.claim("new", 0)
        await calls.run("prepare", [new], None)
    lines = story(log, old.uid)
    assert messages(lines, "preparer") == ["Claim holds nothing here any more and was never unprepared"]
    assert lines[-1]["claim_uid"] == new.uid
