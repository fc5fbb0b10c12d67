"""kr8s on a client's session: limit, deadline, log-in, errors, and what the session is asked for."""

import asyncio
import json
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import kr8s
import pytest
from httpx_ws import aconnect_ws
from kr8s.asyncio import Api
from kr8s.asyncio.objects import Node as KubeNode
from kr8s.asyncio.objects import Pod

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.runtime import errors
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.credentials import Credentials, Resolved
from fake_dra_driver.runtime.errors import CredentialsError, as_runtime_error
from fake_dra_driver.runtime.httpxtransport import SessionTransport
from fake_dra_driver.runtime.kubeapi import find_api
from fake_dra_driver.runtime.session import RequestLimiter, Session
from tests.integration.kubeconfig.authority import Authority
from tests.support.scripted import Answer, FoundOnce, ScriptedTransport, Tokens, ok, status

KEY = NamespacedName("", "node-0")
NODE = ok(kind="Node", apiVersion="v1", metadata={"name": "node-0", "uid": "uid-0", "resourceVersion": "7"})
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}
PLACE = "/api/v1/namespaces/default/pods"


def client_of(transport: ScriptedTransport, *tokens: str, qps: float = 0) -> Client:
    session = Session(transport, Tokens(*(tokens or ("token",))), user_agent="test", limiter=RequestLimiter(qps, 1))
    return Client(session, default_timeout_seconds=10)


def node(client: Client) -> KubeNode:
    return KubeNode({"metadata": {"name": "node-0"}}, api=client.api)


def pod(client: Client) -> Pod:
    return Pod({"metadata": {"name": "web", "namespace": "default"}}, api=client.api)


@pytest.mark.looptime
async def test_one_limit_holds_for_the_typed_client_and_for_kr8s() -> None:
    transport = ScriptedTransport(NODE, NODE, NODE, NODE)
    client = client_of(transport, qps=1)
    for _ in range(2):
        await client.get(Node, KEY)
        await node(client).refresh()
    assert transport.times == [0, 1, 2, 3]
    assert {request.headers["User-Agent"] for _, request, _ in transport.requests} == {"test"}


@pytest.mark.looptime
async def test_kr8s_has_the_deadline_of_the_client() -> None:
    client = client_of(ScriptedTransport(None))
    begun = asyncio.get_running_loop().time()
    with pytest.raises(kr8s.APITimeoutError) as late:
        await node(client).refresh()
    assert asyncio.get_running_loop().time() - begun == 10
    assert str(as_runtime_error(late.value)) == "get nodes.v1 node-0: no answer within 10 s"


@pytest.mark.looptime
async def test_a_websocket_that_waits_for_its_turn_has_a_deadline() -> None:
    credentials = await Credentials.of(FoundOnce(Resolved("http://server", ssl_context=True)))
    limiter = RequestLimiter(qps=0.01, burst=1)
    await limiter.acquire()
    session = Session(ScriptedTransport(), credentials, user_agent="test", limiter=limiter)
    begun = asyncio.get_running_loop().time()
    async with httpx.AsyncClient(transport=SessionTransport(session, "", credentials), timeout=10) as over:
        with pytest.raises(httpx.ReadTimeout):
            await over.get("http://server/api", headers=UPGRADE)
    assert asyncio.get_running_loop().time() - begun == 10


async def test_a_token_that_was_renewed_is_used_by_both() -> None:
    transport = ScriptedTransport(status(401), NODE, NODE)
    client = client_of(transport, "old", "new")
    await node(client).patch({"metadata": {"labels": {"a": "b"}}})
    await client.get(Node, KEY)
    assert transport.tokens == ["old", "new", "new"]
    first, second, _ = (request for _, request, _ in transport.requests)
    assert first == second
    assert second.body == b'{"metadata": {"labels": {"a": "b"}}}'


@pytest.mark.parametrize("code", [401, 403])
async def test_a_request_that_stays_refused_leaves_the_session_as_it_is(code: int) -> None:
    transport = ScriptedTransport(*[status(code)] * 20, NODE)
    client = client_of(transport)
    session = client.api._session
    with pytest.raises(kr8s.ServerError, match="as told"):
        await node(client).refresh()
    transport._answers = [NODE]
    await node(client).refresh()
    assert client.api._session is session
    assert session is not None
    assert not session.is_closed


async def test_awaiting_the_api_asks_the_server_nothing() -> None:
    transport = ScriptedTransport()
    client = client_of(transport)
    assert await client.api is client.api
    await client.api.auth
    assert transport.requests == []


# --- which requests are streams


@pytest.mark.parametrize(
    ("url", "params", "is_stream"),
    [
        (PLACE, {}, False),
        (PLACE, {"watch": "true"}, True),
        (PLACE, {"watch": "false"}, False),
        (f"{PLACE}/web/log", {}, True),
        (f"{PLACE}/web/log", {"follow": "true"}, True),
        (f"{PLACE}/web/proxy/metrics", {}, True),
        (f"{PLACE}/log", {}, True),  # a pod of that name: it only has a connection of its own
    ],
)
async def test_what_may_have_no_end_gets_a_connection_of_its_own(
    url: str, params: dict[str, str], *, is_stream: bool
) -> None:
    transport = ScriptedTransport(ok(answer=42))
    async with http(transport) as over:
        assert (await over.get(url, params=params)).json()["answer"] == 42
    assert transport.streams == int(is_stream)
    assert transport.open_streams == 0
    assert [(request.path, request.params) for _, request, _ in transport.requests] == [(url, params)]


@pytest.mark.looptime
async def test_a_stream_that_falls_silent_ends_after_its_timeout() -> None:
    transport = ScriptedTransport(ok(), streams_end=False)
    client = client_of(transport)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(kr8s.APITimeoutError):
        _ = [line async for line in pod(client).logs(follow=True, timeout=60)]
    assert asyncio.get_running_loop().time() - begun == 60
    assert transport.open_streams == 0


def http(transport: ScriptedTransport, base_path: str = "") -> httpx.AsyncClient:
    session = Session(transport, Tokens("token"), user_agent="test")
    return httpx.AsyncClient(
        transport=SessionTransport(session, base_path, None), base_url=f"http://server{base_path}", trust_env=False
    )


async def test_the_path_of_the_server_is_put_before_once() -> None:
    transport = ScriptedTransport(ok())
    async with http(transport, "/k8s/clusters/c-1") as over:
        await over.get("/api/v1/pods")
    assert transport.requests[0][1].path == "/api/v1/pods"


async def test_a_slash_in_a_part_of_the_path_stays_one() -> None:
    transport = ScriptedTransport(ok())
    async with http(transport, "/k8s/clusters/c-1") as over:
        await over.get("/api/v1/namespaces/default/services/web/proxy/a%2Fb%20c")
    _, request, _ = transport.requests[0]
    assert request.raw_path == "/api/v1/namespaces/default/services/web/proxy/a%2Fb%20c"


async def test_only_what_means_something_to_the_server_is_passed_on() -> None:
    transport = ScriptedTransport(ok())
    async with http(transport) as over:
        await over.post("/api", content=b"{}", headers={"Content-Type": "application/json"})
    _, request, _ = transport.requests[0]
    assert request.headers == {"accept": "*/*", "User-Agent": "test", "content-type": "application/json"} | {
        "user-agent": request.headers["user-agent"]
    }


async def test_a_parameter_that_is_given_twice_is_not_sent_once() -> None:
    transport = ScriptedTransport()
    async with http(transport) as over:
        with pytest.raises(httpx.UnsupportedProtocol, match="given twice: a=1&a=2"):
            await over.get("/api", params=[("a", "1"), ("a", "2")])
    assert transport.requests == []


async def test_a_server_in_this_process_has_no_websockets() -> None:
    async with http(ScriptedTransport()) as over:
        with pytest.raises(httpx.UnsupportedProtocol, match="no websockets"):
            async with aconnect_ws("/api/v1/namespaces/default/pods/web/exec", over):
                pass


# --- errors


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ConnectionError("refused"), httpx.ConnectError),
        (ConnectionResetError("gone"), httpx.ReadError),
        (CredentialsError("no token"), CredentialsError),
    ],
)
@pytest.mark.parametrize("url", [PLACE, f"{PLACE}/web/log"])
async def test_failures_below_http_are_those_of_httpx(url: str, answer: Exception, expected: type[Exception]) -> None:
    async with http(ScriptedTransport(answer)) as over:
        with pytest.raises(expected, match=str(answer)):
            await over.post(url)


@pytest.mark.parametrize(
    ("answer", "expected", "text"),
    [
        (status(409, "Conflict"), errors.ConflictError, "patch pods.v1 default/web: 409 Conflict: as told"),
        (status(409, "AlreadyExists"), errors.AlreadyExistsError, "patch pods.v1 default/web: 409 "),
        (status(404, "NotFound", name="web"), errors.NotFoundError, "patch pods.v1 default/web: 404 NotFound"),
        (status(403, "Forbidden"), errors.ForbiddenError, "patch pods.v1 default/web: 403 Forbidden"),
        (status(503, "Unavailable", "7"), errors.ServerError, "patch pods.v1 default/web: 503 Unavailable"),
        (ConnectionError("refused"), errors.TransportError, "patch pods.v1 default/web: refused"),
    ],
)
async def test_the_controller_understands_what_kr8s_raises(
    answer: Answer, expected: type[errors.RuntimeLayerError], text: str
) -> None:
    client = client_of(ScriptedTransport(*[answer] * 8))
    with pytest.raises((kr8s.ServerError, kr8s.NotFoundError, httpx.TransportError)) as raised:
        await pod(client).patch({"metadata": {}})
    error = as_runtime_error(raised.value)
    assert type(error) is expected
    assert str(error).startswith(text)
    if isinstance(error, errors.ServerError):
        assert error.retry_after_seconds == 7


async def test_a_json_patch_that_does_not_hold_is_a_conflict() -> None:
    client = client_of(ScriptedTransport(status(422, "Invalid")))
    with pytest.raises(kr8s.ServerError) as raised:
        await pod(client).patch([{"op": "test", "path": "/a", "value": 1}], type="json")
    assert isinstance(as_runtime_error(raised.value), errors.PatchTestFailedError)


@pytest.mark.looptime
async def test_an_object_that_kr8s_does_not_find_is_not_found() -> None:
    server = ApiServer()
    with pytest.raises(kr8s.NotFoundError) as raised:
        await Pod.get("web", "default", api=server.client("test").api, timeout=0)
    error = as_runtime_error(raised.value)
    assert isinstance(error, errors.NotFoundError)
    assert not error.is_kind_missing
    assert str(error) == "get object: 404 NotFound: Could not find Pod web in namespace default."


async def test_an_exception_of_no_library_stays_what_it_is() -> None:
    error = ValueError("a bug")
    assert as_runtime_error(error) is error


async def test_a_server_in_this_process_serves_kr8s() -> None:
    client = ApiServer().client("test")
    await client.create(Node.from_wire({"metadata": {"name": "node-0"}}))
    await node(client).label({"seen": "yes"})
    assert (await client.get(Node, KEY)).metadata.labels == {"seen": "yes"}


# --- where the Api comes from


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account, as the kubelet mounts it."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("mounted\n")
    (folder / "ca.crt").write_bytes(make_identity("kubernetes").certificate)
    (folder / "namespace").write_text("fake-system\n")
    return folder


async def test_in_a_pod_the_namespace_is_that_of_its_service_account(account: Path) -> None:
    client = await Client.of(await find_api(service_account_dir=account))
    assert client.namespace == client.api.namespace == "fake-system"
    assert client.api.auth.server == "https://10.96.0.1:443"
    assert await client._credentials.token() == "mounted"  # type: ignore[union-attr] # it was made of an Api
    await client.close()


async def test_a_service_account_that_cannot_be_used_is_told_as_without_kr8s(
    account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (account / "ca.crt").unlink()
    with pytest.raises(CredentialsError, match=f"The service account in {account} cannot be read"):
        await Client.of(await find_api(service_account_dir=account))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(CredentialsError, match="do not say where the API server is"):
        await Client.of(await find_api(service_account_dir=account))


async def test_a_rotated_token_is_seen(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await Client.of(await find_api(service_account_dir=account))
    credentials: Any = client._credentials
    await asyncio.to_thread((account / "token").write_text, "rotated")
    assert await credentials.renew("mounted")
    assert await credentials.token() == "rotated"
    await client.close()


async def test_without_credentials_there_is_no_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(CredentialsError, match="No credentials for an API server"):
        await Client.of(await find_api(service_account_dir=tmp_path / "absent"))


@pytest.fixture
def kubeconfig() -> dict[str, Any]:
    """With two contexts, and all that can be inline."""
    issued = Authority("mine").person("jane")
    inline = {"client-certificate-data": issued.certificate, "client-key-data": issued.key}
    cluster = {"certificate-authority-data": b64encode(Authority("cluster").certificate).decode()}
    return {
        "current-context": "first",
        "clusters": [
            {"name": "a", "cluster": {"server": "https://a.example", **cluster}},
            {"name": "b", "cluster": {"server": "https://[fd00::1]:6443", **cluster}},
        ],
        "users": [{"name": "me", "user": {name: b64encode(text).decode() for name, text in inline.items()}}],
        "contexts": [
            {"name": "first", "context": {"cluster": "a", "user": "me"}},
            {"name": "second", "context": {"cluster": "b", "user": "me", "namespace": "mine"}},
        ],
    }


@pytest.mark.parametrize("as_file", [True, False])
async def test_an_api_of_the_caller_has_the_credentials_that_it_was_made_with(
    kubeconfig: dict[str, Any], tmp_path: Path, as_file: bool
) -> None:
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    named: Any = str(tmp_path / "config") if as_file else kubeconfig
    client = await Client.of(Api(kubeconfig=named, context="second", bypass_factory=True))
    assert (client.api.auth.server, client.api.namespace) == ("https://[fd00::1]:6443", "mine")
    await client.close()
    client = await Client.of(Api(kubeconfig=named, url="https://other.example/", bypass_factory=True))
    assert (client.api.auth.server, client.api.namespace) == ("https://other.example", "default")
    await client.close()


async def test_files_with_keys_that_kr8s_has_made_are_removed(
    kubeconfig: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    api = Api(kubeconfig=str(tmp_path / "config"), bypass_factory=True)
    await api.auth
    assert len(list(folder.iterdir())) == 3
    client = await Client.of(api)
    assert list(folder.iterdir()) == []
    await client.close()


async def test_an_api_belongs_to_one_client(account: Path) -> None:
    api = await find_api(service_account_dir=account)
    client = await Client.of(api)
    assert client.api is api
    with pytest.raises(ValueError, match="belongs to a client already"):
        await Client.of(api)
    await client.close()


async def test_an_api_with_an_event_loop_of_its_own_is_refused(account: Path) -> None:
    api = kr8s.Api(serviceaccount=str(account), bypass_factory=True)
    assert isinstance(api, Api)
    with pytest.raises(ValueError, match="synchronous"):
        await Client.of(api)
