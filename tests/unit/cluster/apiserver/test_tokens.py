"""When tokens of service accounts end, in simulated time."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.assembly import Parts, assemble
from fake_dra_driver.cluster.apiserver.heavywork import HeavyWork
from fake_dra_driver.cluster.apiserver.http.requestfaults import Faults
from fake_dra_driver.cluster.apiserver.message import Answer, Request
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.releases import DEFAULT

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
ACCOUNT = f"{ACCOUNTS}/account"


class World:
    """A server, and its clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.parts: Parts = assemble(
            release=DEFAULT,
            admin_token="admin",
            stamps=Stamps(lambda: self.now, 7),
            faults=Faults(),
            heavy=HeavyWork(),
        )

    async def ask(self, method: str, path: str, body: Any = None, *, token: str = "admin") -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        sent = json.dumps(body).encode() if body is not None else b""
        answer = await self.parts.handler.serve(Request(method, path, headers=headers, body=sent))
        assert isinstance(answer, Answer)
        return answer.status, json.loads(answer.body)

    async def token(self, seconds: int = 3600) -> str:
        spec = {"audiences": [], "expirationSeconds": seconds}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        status, answer = await self.ask("POST", f"{ACCOUNT}/token", body)
        assert status == 201
        return str(answer["status"]["token"])

    async def is_good(self, token: str) -> bool:
        status, _ = await self.ask("GET", ACCOUNTS, token=token)
        return {200: True, 401: False}[status]

    async def why_not(self, token: str) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        _, answer = await self.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
        return str(answer["status"]["error"])


@pytest.fixture
async def world() -> World:
    world = World()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "account"}}
    assert (await world.ask("POST", ACCOUNTS, account))[0] == 201
    return world


async def test_a_token_expires(world: World) -> None:
    token = await world.token(seconds=600)
    world.now += timedelta(seconds=660)
    assert await world.is_good(token), "a minute is allowed for clocks that differ"
    world.now += timedelta(seconds=1)
    assert not await world.is_good(token)
    assert await world.why_not(token) == "[invalid bearer token, service account token has expired]"


async def test_a_token_ends_soon_after_its_account_is_being_deleted(world: World) -> None:
    await world.ask("PUT", ACCOUNT, {"metadata": {"name": "account", "finalizers": ["example.com/hold"]}})
    token = await world.token()
    assert (await world.ask("DELETE", ACCOUNT))[0] == 200
    assert await world.is_good(token)
    world.now += timedelta(seconds=61)
    assert not await world.is_good(token)
    reason = "service account default/account has been deleted"
    assert await world.why_not(token) == f"[invalid bearer token, {reason}]"


async def test_the_client_of_a_good_token_is_known(world: World) -> None:
    token = await world.token()
    for shown, expected in ((token, True), ("admin", True), (token[:-1], False), ("\udcff", False), ("", False)):
        request = Request("GET", "/", headers={"authorization": f"Bearer {shown}"})
        assert world.parts.handler.knows(request) is expected
