"""What becomes of one call: the error class for each answer, waits that the server asks for, deadlines, credentials."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.runtime import errors
from fake_dra_driver.runtime.patch import JSON_PATCH
from fake_dra_driver.runtime.rest import Call, RestClient
from fake_dra_driver.runtime.session import RequestLimiter, Session
from fake_dra_driver.runtime.transport import HttpResponse
from tests.support.scripted import ScriptedTransport, Tokens, ok, status

pytestmark = pytest.mark.looptime

KEY = NamespacedName("", "node-0")
GET = Call("get", "GET", Node.resource, KEY, "/api/v1/nodes/node-0")
PUT = Call("update", "PUT", Node.resource, KEY, "/api/v1/nodes/node-0", body=b"{}")
POST = Call("create", "POST", Node.resource, KEY, "/api/v1/nodes", body=b"{}")
PATCH = Call("patch", "PATCH", Node.resource, KEY, "/api/v1/nodes/node-0", body=b"[]", content_type=JSON_PATCH)
WATCH = Call("watch", "GET", Node.resource, NamespacedName("", ""), "/api/v1/nodes", {"watch": "true"})

Measured = list[tuple[str, str, str, float]]


def rest(transport: ScriptedTransport, *tokens: str, measured: Measured | None = None, qps: float = 0) -> RestClient:
    metrics = None if measured is None else lambda *seen: measured.append(seen)
    credentials = Tokens(*(tokens or ("token",)))
    limiter = RequestLimiter(qps, 2)
    return RestClient(Session(transport, credentials, user_agent="test", limiter=limiter, metrics=metrics))


@pytest.mark.parametrize(
    ("call", "answer", "error"),
    [
        (GET, status(400, "BadRequest"), errors.BadRequestError),
        (GET, status(401, "Unauthorized"), errors.UnauthorizedError),
        (GET, status(403, "Forbidden"), errors.ForbiddenError),
        (GET, status(404, "NotFound", name="node-0"), errors.NotFoundError),
        (GET, status(405, "MethodNotAllowed"), errors.MethodNotAllowedError),
        (POST, status(409, "AlreadyExists"), errors.AlreadyExistsError),
        (PUT, status(409, "Conflict"), errors.ConflictError),
        (GET, status(410, "Expired"), errors.GoneError),
        (PUT, status(413, "RequestEntityTooLarge"), errors.RequestTooLargeError),
        (PATCH, status(415, "UnsupportedMediaType"), errors.UnsupportedMediaTypeError),
        (PUT, status(422, "Invalid", causes=[{"field": "spec"}]), errors.InvalidError),
        (PATCH, status(422, "Invalid", causes=[{"field": "spec"}]), errors.InvalidError),
        (PATCH, status(422, "Invalid"), errors.PatchTestFailedError),
        (PUT, status(422, "Invalid"), errors.InvalidError),
        (PUT, status(429, "TooManyRequests"), errors.TooManyRequestsError),
        (GET, status(500, "InternalError"), errors.ServerError),
        (GET, status(503, "ServiceUnavailable"), errors.ServerError),
        (GET, status(418), errors.ApiError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_each_answer_has_a_class_and_keeps_what_was_said(
    call: Call, answer: HttpResponse, error: type[errors.ApiError]
) -> None:
    transport = ScriptedTransport(answer)
    with pytest.raises(errors.ApiError) as raised:
        await rest(transport).call(call, 10)
    assert type(raised.value) is error
    said = json.loads(answer.body)
    assert (raised.value.code, raised.value.reason, raised.value.details) == (
        answer.status,
        said["reason"],
        said["details"],
    )
    assert "node-0" in str(raised.value)
    assert "as told" in str(raised.value)
    assert len(transport.requests) == 1, "nothing is sent again unasked"


async def test_an_object_that_is_not_there_is_told_from_a_kind_that_is_not_served() -> None:
    for answer, missing in (
        (status(404, "NotFound", name="node-0"), False),
        (HttpResponse(404, {}, b"404 page"), True),
    ):
        with pytest.raises(errors.NotFoundError) as raised:
            await rest(ScriptedTransport(answer)).call(GET, 10)
        assert raised.value.is_kind_missing is missing


@pytest.mark.parametrize("call", [GET, PUT, POST, PATCH], ids=lambda call: call.verb)
@pytest.mark.parametrize("code", [429, 503])
async def test_waits_as_the_server_asks_and_sends_again(call: Call, code: int) -> None:
    transport = ScriptedTransport(status(code, retry_after="3"), status(code, retryAfterSeconds=2), ok(found="it"))
    assert (await rest(transport).call(call, 10))["found"] == "it"
    assert transport.times == [0, 3, 5]


async def test_does_not_wait_beyond_its_deadline() -> None:
    transport = ScriptedTransport(status(429, retry_after="30"))
    begun = asyncio.get_running_loop().time()
    with pytest.raises(errors.TooManyRequestsError) as raised:
        await rest(transport).call(GET, 10)
    assert raised.value.retry_after_seconds == 30
    assert asyncio.get_running_loop().time() == begun


@pytest.mark.parametrize("code", [500, 504])
async def test_a_write_that_may_have_happened_is_not_sent_again(code: int) -> None:
    for call, sent in ((PUT, 1), (POST, 1), (PATCH, 1), (GET, 2)):
        transport = ScriptedTransport(status(code, retry_after="1"), ok())
        try:
            await rest(transport).call(call, 10)
        except errors.ServerError:
            assert call is not GET
        assert len(transport.requests) == sent


async def test_a_read_is_sent_once_more_when_its_connection_was_lost() -> None:
    transport = ScriptedTransport(ConnectionResetError("reset"), ok(found="it"))
    assert (await rest(transport).call(GET, 10))["found"] == "it"
    for call, answers in ((GET, 2), (PUT, 1)):
        transport = ScriptedTransport(*(ConnectionResetError("reset") for _ in range(3)))
        with pytest.raises(errors.TransportError, match="reset"):
            await rest(transport).call(call, 10)
        assert len(transport.requests) == answers


async def test_a_call_that_is_never_answered_says_by_which_server() -> None:
    transport = ScriptedTransport(None)
    transport.server = "https://api.example (context here of /config)"
    with pytest.raises(errors.DeadlineError) as caught:
        await rest(transport).call(GET, 7)
    assert str(caught.value) == f"get nodes.v1 node-0: no answer from {transport.server} within 7 s"


async def test_a_call_that_is_never_answered_ends_at_its_deadline() -> None:
    begun = asyncio.get_running_loop().time()
    with pytest.raises(errors.DeadlineError, match="no answer within 7 s"):
        await rest(ScriptedTransport(None)).call(PUT, 7)
    assert asyncio.get_running_loop().time() == begun + 7


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b""])
async def test_an_answer_that_is_no_object_is_a_transport_error(body: bytes) -> None:
    with pytest.raises(errors.TransportError, match="not a JSON object"):
        await rest(ScriptedTransport(HttpResponse(200, {}, body))).call(GET, 10)


async def test_new_credentials_are_tried_once_after_a_401() -> None:
    transport = ScriptedTransport(status(401), ok(found="it"))
    assert (await rest(transport, "old", "new").call(PUT, 10))["found"] == "it"
    assert transport.tokens == ["old", "new"]
    transport = ScriptedTransport(status(401), status(401))
    with pytest.raises(errors.UnauthorizedError):
        await rest(transport, "old", "new", "newer").call(PUT, 10)
    assert transport.tokens == ["old", "new"]


async def test_a_stream_gets_new_credentials_too_and_raises_what_was_answered() -> None:
    transport = ScriptedTransport(status(401), HttpResponse(200, {}, b"line\n"))
    async with rest(transport, "old", "new").stream(WATCH, 10) as stream:
        assert [chunk async for chunk in stream.chunks()] == [b"line\n"]
    assert transport.tokens == ["old", "new"]
    with pytest.raises(errors.GoneError):
        async with rest(ScriptedTransport(status(410, "Expired"))).stream(WATCH, 10):
            pass
    with pytest.raises(errors.DeadlineError):
        async with rest(ScriptedTransport(None)).stream(WATCH, 10):
            pass


async def test_each_request_is_measured_by_its_answer() -> None:
    measured: Measured = []
    transport = ScriptedTransport(status(503, retry_after="3"), ok(), ConnectionError("refused"))
    client = rest(transport, measured=measured)
    await client.call(GET, 10)
    with pytest.raises(errors.TransportError):
        await client.call(GET, 10)
    seen: Sequence[tuple[str, str, str]] = [(method, host, code) for method, host, code, _ in measured]
    assert seen == [("GET", "server:443", code) for code in ("503", "200", "<error>")]
    assert all(seconds == 0 for *_, seconds in measured), "the wait between two requests belongs to none of them"


async def test_a_limit_of_our_own_lets_a_burst_pass_and_then_so_many_a_second() -> None:
    transport = ScriptedTransport(*(ok() for _ in range(5)))
    client = rest(transport, qps=4)
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(client.call(GET, 10), name="call")
    assert transport.times == [0, 0, 0.25, 0.5, 0.75]
