"""What the real API server does with claims: reading them, reports on their devices, and who may write those."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.servedapi import ApiFinder
from fake_dra_driver.dra.structured.claims import ClaimReader, HoldsNothingError, results_of
from fake_dra_driver.dra.structured.config import config_for, decode
from fake_dra_driver.dra.structured.status import DeviceStatusWriter, not_ready, ready, status_of
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import InvalidObjectError
from tests.integration.dra.claimserver import DRIVER, NODE, OTHER_DRIVER, ClaimServer
from tests.support.apiserver import ApiServer
from tests.unit.dra.structured.lamps import KINDS, LampParameters, config

pytestmark = pytest.mark.apiserver(structured=True)

TIME = "2026-01-01T00:00:00Z"
GATE_SINCE = 33
"""Minor release from which on DRAResourceClaimDeviceStatus is on by default."""
GRANULAR_SINCE = 36
"""Minor release from which on reports need a permission of their own."""


@pytest.fixture
async def claims(apiserver: ApiServer, client: Client, namespace: str) -> ClaimServer:
    api = (await ApiFinder(client.discovery).find()).structured
    assert api is not None
    return ClaimServer(apiserver, client, api, namespace)


class Reports:
    """A writer of reports, whose writes are made one by one."""

    def __init__(self, claims: ClaimServer, client: Client) -> None:
        self.said: list[str] = []
        self._claims = claims
        self.writer = DeviceStatusWriter(client, claims.api, DRIVER, NODE, self.said.append)

    async def report(self, name: str, *conditions: v1.StatusCondition, **data: Any) -> None:
        """Reports on all devices of a claim."""
        await self.report_as_read(await self._claims.read(name), *conditions, **data)

    async def report_as_read(self, claim: v1.ResourceClaim, *conditions: v1.StatusCondition, **data: Any) -> None:
        devices = [status_of(each, *conditions, data=data or None) for each in results_of(claim, DRIVER)]
        self.writer.report(claim, devices)
        await self.writer.reconcile(claim.key)

    async def withdraw(self, name: str) -> None:
        claim = await self._claims.read(name)
        self.writer.withdraw(claim.key, claim.uid)
        await self.writer.reconcile(claim.key)


@contextmanager
def reports_of(claims: ClaimServer, client: Client) -> Iterator[Reports]:
    """Reports that are written with this client."""
    reports = Reports(claims, client)
    yield reports
    reports.writer.controller.stop()


# --- Reading -------------------------------------------------------------------------------------------------------


async def test_a_claim_is_read_with_what_it_holds_and_its_parameters(claims: ClaimServer) -> None:
    await claims.create("claim", config("fan", driver=OTHER_DRIVER), config("lamp", brightness=3))
    called = await claims.allocate("claim")
    held = await ClaimReader(claims.client, claims.api, DRIVER, NODE).read(called)
    assert [(each.device, each.request) for each in held.results] == [("lamp-0", "lamp")]
    [entry] = held.config
    assert entry.path == "spec.devices.config[1].opaque.parameters"
    found = config_for("lamp", decode(held.config, KINDS))
    assert found is not None
    assert isinstance(found.parameters, LampParameters)
    assert found.parameters.spec.brightness == 3


async def test_a_claim_that_holds_nothing_is_told_why(claims: ClaimServer) -> None:
    reader = ClaimReader(claims.client, claims.api, DRIVER, NODE)
    gone = NodeClaim(claims.namespace, "gone", UID("uid"))
    with pytest.raises(HoldsNothingError, match="does not exist any more"):
        await reader.read(gone)
    created = await claims.create("claim")
    with pytest.raises(HoldsNothingError, match="is not allocated"):
        await reader.read(NodeClaim(claims.namespace, "claim", created.uid))
    with pytest.raises(HoldsNothingError, match="another claim has its name now"):
        await reader.read(NodeClaim(claims.namespace, "claim", UID("uid")))
    elsewhere = await claims.allocate("claim", node="kitchen")
    with pytest.raises(HoldsNothingError, match="in pool kitchen, none in pool study"):
        await reader.read(elsewhere)


@pytest.mark.parametrize("depth", [400, 5000])
async def test_a_claim_that_is_nested_too_deep_does_not_hide_the_others(claims: ClaimServer, depth: int) -> None:
    await claims.create("plain")
    text = (await claims.create("model", config("lamp", text="here"))).to_wire()
    metadata = {"namespace": claims.namespace, "name": "deep"}
    body = json.dumps({**text, "metadata": metadata}).replace('"here"', "[" * depth + "]" * depth)
    await asyncio.to_thread(claims.server.kubectl, "create", "--filename=-", stdin=body)
    found = await claims.client.list(claims.api.claims, claims.namespace)
    assert [claim.metadata.name for claim in found.items] == ["model", "plain"]
    assert [refused.key.name for refused in found.invalid] == ["deep"]
    with pytest.raises(InvalidObjectError, match="nested more than 100 deep"):
        await claims.read("deep")


# --- Reports -------------------------------------------------------------------------------------------------------


async def test_reports_are_kept_until_the_claim_is_deallocated(claims: ClaimServer) -> None:
    await claims.create("claim")
    await claims.allocate("claim", devices=("lamp-0", "lamp-1"))
    with reports_of(claims, claims.client) as reports:
        await reports.report("claim", ready("Prepared"), color="white", shades=[])
        if claims.server.minor < GATE_SINCE:
            [said] = reports.said
            assert "switch on its feature gate DRAResourceClaimDeviceStatus" in said
            assert await claims.devices("claim") == []
            return
        assert await claims.devices("claim") == [f"{DRIVER}/lamp-0", f"{DRIVER}/lamp-1"]
        before = await claims.read("claim")
        assert before.status.devices[0].data == {"color": "white", "shades": []}
        # A new process has nothing to write, and keeps the time of a condition when it has.
        with reports_of(claims, claims.client) as later:
            await later.report("claim", ready("Prepared"), color="white", shades=[])
            assert (await claims.read("claim")).metadata.resource_version == before.metadata.resource_version
            await later.report("claim", ready("Prepared", "still"), color="white", shades=[])
        after = await claims.read("claim")
        assert _since(after) == _since(before)
        assert after.metadata.resource_version != before.metadata.resource_version
        await claims.deallocate("claim")
        assert await claims.devices("claim") == []
        # What comes too late is no problem.
        await reports.report_as_read(after, not_ready("Broken", "it flickers"))
        assert reports.said == []


async def test_what_other_managers_report_is_left_alone(claims: ClaimServer) -> None:
    if claims.server.minor < GATE_SINCE:
        return
    await claims.create("claim")
    await claims.allocate("claim")
    condition = {"type": "Bound", "status": "True", "reason": "x", "message": "", "lastTransitionTime": TIME}
    entries = [
        {"driver": driver, "pool": NODE, "device": device, "conditions": [condition]}
        for driver, device in ((DRIVER, "lamp-0"), (OTHER_DRIVER, "fan-0"))
    ]
    key = NamespacedName(claims.namespace, "claim")
    body = {"status": {"devices": entries}}
    await claims.client.apply(claims.api.claims, key, body, field_manager="other", subresource="status")
    with reports_of(claims, claims.client) as reports:
        await reports.report("claim", ready("Prepared"))
        [lamp, fan] = sorted((await claims.read("claim")).status.devices, key=lambda each: each.driver, reverse=True)
        assert {each.type for each in lamp.conditions or ()} == {"Bound", "Ready"}
        await reports.withdraw("claim")
    [lamp, again] = sorted((await claims.read("claim")).status.devices, key=lambda each: each.driver, reverse=True)
    assert {each.type for each in lamp.conditions or ()} == {"Bound"}
    assert again == fan


async def test_who_may_write_reports(claims: ClaimServer, tmp_path: Path) -> None:
    if claims.server.minor < GATE_SINCE:
        return
    is_granular = claims.server.minor >= GRANULAR_SINCE
    patch = ("resourceclaims/status", ["patch"])
    associated = ("resourceclaims/driver", ["associated-node:patch"])
    for name in ("a", "b", "c", "d"):
        await claims.create(name)
        await claims.allocate(name, node="kitchen" if name == "d" else NODE)
    cases: list[tuple[str, list[tuple[str, list[str]]], str, bool]] = [
        ("a", [], NODE, False),
        ("b", [patch], NODE, not is_granular),
        ("c", [patch, associated], "", not is_granular),
        ("d", [patch, associated], NODE, not is_granular),
        ("a", [patch, associated], NODE, True),
    ]
    for name, rules, node, is_allowed in cases:
        client = await claims.account(tmp_path, *rules, node=node)
        with reports_of(claims, client) as reports:
            await reports.report(name, ready("Prepared"))
        await client.close()
        assert bool(await claims.devices(name)) == is_allowed, (name, reports.said)
        assert len(reports.said) == (0 if is_allowed else 1)
        if not is_allowed and rules:
            assert "resourceclaims/driver" in reports.said[0]


def _since(claim: v1.ResourceClaim) -> list[Any]:
    return [condition.last_transition_time for each in claim.status.devices for condition in each.conditions or ()]
