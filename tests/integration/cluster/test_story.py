"""One search for a claim's UID in the logs of both programs tells its story; Events tell what concerns people."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.demo.install import NAMESPACE
from tests.integration.cluster.world import CLASSIC, CONTROLLER, PLUGIN, World

pytestmark = CLASSIC

Line = Mapping[str, Any]

UNUSABLE = """
apiVersion: v1
kind: Namespace
metadata: {name: test7}
---
apiVersion: fake.resource.3-shake.com/v1alpha1
kind: FakeClaimParameters
metadata: {name: too-many, namespace: test7}
spec: {count: 9}
---
apiVersion: resource.k8s.io/v1alpha2
kind: ResourceClaim
metadata: {name: too-big, namespace: test7}
spec:
  resourceClassName: fake.3-shake.com
  allocationMode: Immediate
  parametersRef: {apiGroup: fake.resource.3-shake.com, kind: FakeClaimParameters, name: too-many}
"""


def grep(root: Path, uid: str) -> Sequence[tuple[str, Line]]:
    """The lines of both programs in which a UID is, with the container's name; those before a restart are among them.

    A controller that loses its lease of 2 s on a slow machine is started again, and ``kubectl logs`` has the last one.
    """
    found = []
    for file in sorted(root.glob(f"var/log/pods/{NAMESPACE}_*/*/*.log")):
        for line in file.read_text().split("\n")[:-1]:  # the last one may be half written
            _, _, _, text = line.split(" ", 3)
            if uid in text:
                found.append((file.parent.name, json.loads(text)))
    return found


async def until_told(world: World, uid: str, message: str) -> Sequence[tuple[str, Line]]:
    """The lines about a UID, once one of them has this message: a log arrives a moment after what it tells of."""

    async def told() -> Sequence[tuple[str, Line]]:
        lines = await asyncio.to_thread(grep, world.cluster.node_root(), uid)
        return lines if any(line["msg"] == message for _, line in lines) else ()

    return await world.cluster.wait_until(f"the logs say {message!r} of {uid}", told)


def only(lines: Sequence[tuple[str, Line]], message: str) -> tuple[str, Line]:
    """The one line that has this message."""
    (found,) = [(container, line) for container, line in lines if line["msg"] == message]
    return found


async def test_the_life_of_a_claim_from_both_programs(world: World) -> None:
    await world.apply(2)
    await world.wait_running(2)
    (claim,) = await world.claims(2)
    await world.delete(2)
    await world.wait_gone(2)
    await until_told(world, claim.uid, "Claim released")
    lines = await until_told(world, claim.uid, "Claim unprepared")
    told = {}
    for message, container in (
        ("Claim allocated", CONTROLLER),
        ("Claim prepared", PLUGIN),
        ("Claim unprepared", PLUGIN),
        ("Claim released", CONTROLLER),
    ):
        where, line = only(lines, message)
        assert where == container
        assert (line["claim"], line["claim_uid"], line["node"]) == (str(claim.key), claim.uid, world.node), message
        assert line["level"] == "info", "it is there without -v"
        told[message] = line
    assert told["Claim allocated"]["pod"] == "test2/pod0"
    times = [told[message]["ts"] for message in ("Claim allocated", "Claim prepared", "Claim unprepared")]
    assert times == sorted(times)
    assert told["Claim allocated"]["ts"] <= told["Claim released"]["ts"]
    assert not [line for _, line in lines if line["level"] == "error"], "no one has to act"


async def test_what_a_claim_waits_for_is_told_where_its_owner_looks(world: World) -> None:
    await world.cluster.apply(UNUSABLE)
    key = NamespacedName("test7", "too-big")
    message = await world.wait_event(key, "InsufficientDevices", "asked for 9 devices on one node")
    assert f"{world.node}: 8 of 8 devices free" in message
    assert "no node has more than 8: ask for 8 at most, or add nodes that have more" in message
    claim = await world.client.get(ResourceClaim, key)
    lines = await until_told(world, claim.uid, "Reconciled, will look again")
    assert {line["claim"] for _, line in lines if "claim" in line} == {str(key)}
