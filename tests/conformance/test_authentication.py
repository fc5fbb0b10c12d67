"""Who is let in, and with which tokens of service accounts.

No token that is to end is shown before: a real server remembers for 10 s that one is good.
"""

from typing import Any

import httpx
import pytest

from tests.conformance.api import Api, Json, eventually

AUDIENCE = "https://kubernetes.default.svc"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


class Accounts:
    """The service accounts of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.path = f"/api/v1/namespaces/{namespace}"

    def add(self, name: str = "account", kind: str = "ServiceAccount", **fields: Any) -> Json:
        """Creates an object."""
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}
        return self.api.post(f"{self.path}/{kind.lower()}s", body)

    def remove(self, plural: str, name: str) -> None:
        """Deletes an object at once."""
        self.api.delete(f"{self.path}/{plural}/{name}", {"gracePeriodSeconds": 0})

    def token(self, *audiences: str, **spec: Any) -> str:
        """A token of the account ``account``."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {**spec, "audiences": list(audiences)},
        }
        return str(self.api.post(f"{self.path}/serviceaccounts/account/token", body)["status"]["token"])

    def review(self, token: str, *audiences: str) -> Json:
        """Status of a TokenReview."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": list(audiences)},
        }
        status: Json = self.api.post(REVIEWS, body)["status"]
        return status

    def status_of(self, token: str, path: str = "/version") -> int:
        """The status of the answer to who shows the token."""
        return self.api.http.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    def is_refused(self, token: str, why: str) -> None:
        """Asserts that the token is good for nothing any more."""
        refusal = {"user": {}, "error": f"[invalid bearer token, {why}]"}
        # Later servers look into a cache, which is a moment behind, and remember for 10 s what they have found there.
        eventually(lambda: self.review(token) == refusal, f"it is refused since {why}")
        assert self.status_of(token) == 401


@pytest.fixture
def accounts(api: Api, namespace: str) -> Accounts:
    return Accounts(api, namespace)


@pytest.mark.parametrize(
    "token",
    ["é", "a.b.c", "é.é.é", "..", "...", "x" * 8000, b"\xff", b"\xff.\xff.\xff", b"a.b.\xff", "a.b.c d", "\ufffd"],
)
@pytest.mark.parametrize("path", ["/version", "/api/v1/namespaces"])
def test_a_token_that_is_none(api: Api, token: str | bytes, path: str) -> None:
    """Also where no token is needed."""
    raw = token if isinstance(token, bytes) else token.encode()
    answer = api.http.get(path, headers={b"Authorization": b"Bearer " + raw})
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "bearer  x", "Basic", "Basic !!!", "Basic YTpi", "Negotiate x", b"\xff", b"Basic \xff"],
)
def test_a_header_without_a_token(api: Api, header: str | bytes) -> None:
    """It is as if there were none."""
    headers = {b"Authorization": header if isinstance(header, bytes) else header.encode()}
    assert api.http.get("/version", headers=headers).status_code == 200
    assert api.http.get("/api/v1/namespaces", headers=headers).status_code in {401, 403}


def test_how_a_token_is_written(api: Api) -> None:
    good = api.http.headers["Authorization"]
    token = good.removeprefix("Bearer ")
    for written in (f"bearer {token}", f"BEARER {token} and more", f"bEARER {token}"):
        assert api.http.get("/api/v1/namespaces", headers={"Authorization": written}).status_code == 200


def test_of_several_headers_the_first_counts(api: Api) -> None:
    good, bad = api.http.headers["Authorization"], "Bearer wrong"
    for values, expected in (((good, bad), 200), ((bad, good), 401)):
        request = httpx.Request(
            "GET", api.http.base_url.join("/api/v1/namespaces"), headers=[("Authorization", each) for each in values]
        )
        assert api.http.send(request).status_code == expected


def test_a_token_is_for_its_audiences(accounts: Accounts) -> None:
    uid = accounts.add()["metadata"]["uid"]
    here, elsewhere, both = accounts.token(), accounts.token("vault"), accounts.token("vault", AUDIENCE)
    assert [accounts.status_of(token) for token in (here, elsewhere, both)] == [200, 401, 200]

    found = accounts.review(elsewhere, "other", "vault")
    name = f"system:serviceaccount:{accounts.namespace}:account"
    assert (found["authenticated"], found["audiences"]) == (True, ["vault"])
    assert (found["user"]["username"], found["user"]["uid"]) == (name, uid)
    assert list(found["user"]["extra"]) == ["authentication.kubernetes.io/credential-id"]
    assert accounts.review(here)["audiences"] == [AUDIENCE]
    assert accounts.review(both, "vault")["audiences"] == ["vault"]

    meant = f'token audiences ["vault"] is invalid for the target audiences ["{AUDIENCE}"]'
    accounts.is_refused(elsewhere, meant)
    assert accounts.review(here, "vault")["error"] == (
        f'[invalid bearer token, token audiences ["{AUDIENCE}"] is invalid for the target audiences ["vault"]]'
    )


def test_reviews_of_the_administrators_token_and_of_none(api: Api, accounts: Accounts) -> None:
    token = api.http.headers["Authorization"].removeprefix("Bearer ")
    assert accounts.review(token)["audiences"] == [AUDIENCE]
    unknown = {"user": {}, "error": "invalid bearer token"}
    assert accounts.review(token, "vault") == unknown
    for text in ("nonsense", "a.b.c", "é.é.é"):
        assert accounts.review(text) == accounts.review(text, "vault") == unknown


def test_a_token_of_an_account_that_was_deleted(accounts: Accounts) -> None:
    accounts.add()
    token = accounts.token()
    accounts.remove("serviceaccounts", "account")
    accounts.is_refused(token, 'serviceaccounts "account" not found')


def test_a_token_of_an_account_that_was_created_again(accounts: Accounts) -> None:
    old = accounts.add()["metadata"]["uid"]
    token = accounts.token()
    accounts.remove("serviceaccounts", "account")
    new = accounts.add()["metadata"]["uid"]
    accounts.is_refused(token, f"service account UID ({new}) does not match claim ({old})")
    assert accounts.status_of(accounts.token()) == 200


def test_a_token_ends_with_the_pod_that_it_is_bound_to(accounts: Accounts) -> None:
    accounts.add()
    containers = [{"name": "ctr0", "image": "none"}]
    uid = accounts.add(
        "web", "Pod", spec={"serviceAccountName": "account", "nodeName": "node-7", "containers": containers}
    )["metadata"]["uid"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "web"}
    first, second = accounts.token(boundObjectRef=bound), accounts.token(boundObjectRef=bound)
    extra = accounts.review(first)["user"]["extra"]
    assert {name.partition("/")[2]: value for name, value in extra.items() if "credential" not in name} == {
        "node-name": ["node-7"],
        "pod-name": ["web"],
        "pod-uid": [uid],
    }
    accounts.remove("pods", "web")
    accounts.is_refused(second, "service account token has been invalidated")


def test_a_token_ends_with_the_secret_that_it_is_bound_to(accounts: Accounts) -> None:
    accounts.add()
    accounts.add("held", "Secret")
    token = accounts.token(boundObjectRef={"apiVersion": "v1", "kind": "Secret", "name": "held"})
    assert accounts.token(boundObjectRef={"apiVersion": "v1", "kind": "Secret", "name": "held"})
    accounts.remove("secrets", "held")
    accounts.is_refused(token, "service account token has been invalidated")
