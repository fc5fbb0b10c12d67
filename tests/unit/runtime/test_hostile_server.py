"""A server that answers nonsense for a minute: nothing ends, nothing is asked for in a loop, and all is well later.

An informer, a candidate for a lease, discovery and a caller of ``get`` run side by side against it, in simulated time.
"""

import asyncio
import copy
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.discovery import ServedGroup
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.leaderelection import LeaderElector, LeaseLostError
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpRequest, HttpResponse, HttpStream, Transport
from tests.crash.bounds import examples
from tests.support.scripted import Tokens

pytestmark = pytest.mark.looptime

GROUP = "resource.k8s.io"
LEASE = NamespacedName("default", "fake")
BOOKMARK_SECONDS = 60.0
Change = Callable[[HttpResponse], HttpResponse]


def as_it_is(answer: HttpResponse) -> HttpResponse:
    return answer


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


class Server(Transport):
    """A small API server: nodes, one lease, one group. ``change`` spoils what it answers."""

    host = "server"

    def __init__(self) -> None:
        self.change: Change = as_it_is
        self.asked = 0
        self._version = 10
        self._oldest = 0
        self._changed = asyncio.Event()
        self.events: list[tuple[int, bytes]] = []
        self.nodes = {name: self._node(name) for name in ("a", "b", "c")}
        self.lease: dict[str, Any] | None = None

    def touch(self, name: str) -> None:
        """A node is written."""
        self._tell("MODIFIED", self._node(name))

    def remove(self, name: str) -> None:
        self._version += 1
        gone = self.nodes[name]
        gone["metadata"]["resourceVersion"] = str(self._version)
        self._tell("DELETED", gone)

    def restart(self) -> None:
        """It answers as it is again, and knows no version from before. What it has hidden or forged, no watch tells."""
        self.change = as_it_is
        self._version += 1
        self._oldest = self._version
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _tell(self, type_: str, node: dict[str, Any]) -> None:
        name = node["metadata"]["name"]
        self.nodes.pop(name, None)
        if type_ != "DELETED":
            self.nodes[name] = node
        self.events.append((self._version, _json({"type": type_, "object": node})))
        self._wake()

    def _node(self, name: str) -> dict[str, Any]:
        self._version += 1
        metadata = {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": str(self._version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"version": str(self._version)},
        }
        return {"kind": "Node", "apiVersion": "v1", "metadata": metadata, "spec": {}}

    @override
    async def send(self, request: HttpRequest, token: str | None) -> HttpResponse:
        self.asked += 1
        await asyncio.sleep(0.001)
        status, body = self._answer(request)
        return self.change(HttpResponse(status, {}, _json(body)))

    def _answer(self, request: HttpRequest) -> tuple[int, Any]:
        if request.path == f"/apis/{GROUP}":
            versions = [{"groupVersion": f"{GROUP}/v1", "version": "v1"}]
            return 200, {"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": versions}
        if request.path == "/api/v1/nodes":
            metadata = {"resourceVersion": str(self._version)}
            return 200, {"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": [*self.nodes.values()]}
        if request.path.startswith("/api/v1/nodes/"):
            return 200, self.nodes["a"]
        return self._answer_lease(request)

    def _answer_lease(self, request: HttpRequest) -> tuple[int, Any]:
        failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "details": {"name": "fake"}}
        if request.body is None:
            return (200, self.lease) if self.lease else (404, failure)
        sent = json.loads(request.body)
        there = (self.lease or {"metadata": {}})["metadata"].get("resourceVersion")
        if sent["metadata"].get("resourceVersion") != there:
            return 409, failure
        self._version += 1
        sent["metadata"] = {**sent["metadata"], "uid": "uid-lease", "resourceVersion": str(self._version)}
        self.lease = sent
        return 200, sent

    @override
    @asynccontextmanager
    async def stream(self, request: HttpRequest, token: str | None) -> AsyncIterator[HttpStream]:
        self.asked += 1
        await asyncio.sleep(0.001)
        yield _Watch(self, request)

    @override
    async def close(self) -> None:
        pass

    async def watch(self, version: str) -> AsyncGenerator[bytes, None]:
        """The events after a version. One that is not reached yet is waited for in silence, as kube-apiserver does."""
        after = int(version) if version.isdecimal() else 0
        while True:
            if after < self._oldest:
                yield _json({"type": "ERROR", "object": {"kind": "Status", "code": 410}})
                return
            for at, event in list(self.events):
                if at > after:
                    after = at
                    yield event
            changed = self._changed
            try:
                async with asyncio.timeout(BOOKMARK_SECONDS):
                    await changed.wait()
            except TimeoutError:
                if after <= self._version:
                    metadata = {"resourceVersion": str(self._version)}
                    bookmark = {"kind": "Node", "apiVersion": "v1", "metadata": metadata}
                    yield _json({"type": "BOOKMARK", "object": bookmark})


class _Watch(HttpStream):
    def __init__(self, server: Server, request: HttpRequest) -> None:
        self._server = server
        self._request = request
        self.status = server.change(HttpResponse(200, {}, b"{}")).status
        self.headers = {}

    @override
    async def chunks(self) -> AsyncGenerator[bytes, None]:
        version = self._request.params["resourceVersion"]
        async for event in self._server.watch(version):
            yield self._server.change(HttpResponse(200, {}, event)).body + b"\n"

    @override
    async def response(self) -> HttpResponse:
        return HttpResponse(self.status, self.headers, b"nonsense")


class World:
    """What runs against the server, as it does in a program."""

    def __init__(self) -> None:
        self.server = Server()
        self.client = Client(Session(self.server, Tokens("token"), user_agent="test"))
        self.cache = Cache(self.client)
        self.nodes = self.cache.informer(Node)
        self.found: ServedGroup | None = None
        self.elector: LeaderElector | None = None
        self.said: list[str] = []
        """What errors said."""

    async def lead(self) -> None:
        """Process after process: one that has lost the lease ends."""
        for number in range(10_000):
            self.elector = LeaderElector(self.client, LEASE, f"process-{number}")
            await self.elector.acquire()
            try:
                await self.elector.renew()
            except LeaseLostError:
                continue

    async def discover(self) -> None:
        while True:
            self.found = await self.client.discovery.wait_for_group(GROUP, lambda group: "v1" in group.versions)
            await asyncio.sleep(10)

    async def get(self) -> None:
        while True:
            try:
                await self.client.get(Node, NamespacedName("", "a"))
                await self.client.list(Node)
            except RuntimeLayerError as error:
                self.said.append(str(error))
            await asyncio.sleep(5)

    async def write(self) -> None:
        """Others change nodes."""
        while True:
            for name in ("a", "b"):
                await asyncio.sleep(7)
                self.server.touch(name)

    @property
    def leads(self) -> bool:
        return self.elector is not None and self.elector.is_leading

    @property
    def is_well(self) -> bool:
        cached = {node.metadata.name: node.metadata.labels for node in self.nodes.list()}
        there = {name: node["metadata"]["labels"] for name, node in self.server.nodes.items()}
        holder = (self.server.lease or {"spec": {}})["spec"].get("holderIdentity")
        leads = self.elector is not None and self.elector.is_leading and self.elector._name == holder
        return cached == there and leads and self.found is not None and not self.nodes.invalid()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(each(), name="test")
                for each in (self.cache.run, self.lead, self.discover, self.get, self.write)
            ]
            yield
            for task in tasks:
                task.cancel()

    async def wait_until_well(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not self.is_well:  # noqa: ASYNC110 - in simulated time
                await asyncio.sleep(1)


NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    7,
    1e308,
    10**400,
    "",
    "0",
    "-1",
    "x" * 10_000,
    "9" * 18,
    "9" * 19,
    "9" * 5_000,
    "again",
    "\ud800",
    "\x1b[2J",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "2026-01-01T00:00:00",
    "BOOKMARK",
    "DELETED",
    "ERROR",
    [],
    [[]],
    [None],
    {},
    {"a": 1},
    {"kind": "Status", "status": "Failure", "code": 410},
]
SELF = b'{"kind": "NodeList", "apiVersion": "v1", "metadata": {"resourceVersion": "99", "continue": "again"}}'
BODIES = [b"", b"null", b"[]", b"7", b"{}", b"<html>", b"\xff\xfe", b"NaN", b"[" * 3000, b"\n", b"{}\n{}"]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container with each key of it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def put(number: int, nasty: Any) -> Change:
    """Puts a value in one place of each answer."""

    def change(answer: HttpResponse) -> HttpResponse:
        value = json.loads(answer.body)
        if found := list(places(value)):
            container, key = found[number % len(found)]
            container[key] = copy.deepcopy(nasty)
        return HttpResponse(answer.status, {}, _json(value))

    return change


def drop(number: int) -> Change:
    """Leaves one field out."""

    def change(answer: HttpResponse) -> HttpResponse:
        value = json.loads(answer.body)
        if found := list(places(value)):
            container, key = found[number % len(found)]
            del container[key]
        return HttpResponse(answer.status, {}, _json(value))

    return change


def double(number: int) -> Change:
    """Repeats the items of each list, with another name or another UID."""

    def change(answer: HttpResponse) -> HttpResponse:
        value = json.loads(answer.body)
        for item in copy.deepcopy(value.get("items", [])):
            item["metadata"][("name", "uid")[number % 2]] += "-twin"
            value["items"].append(item)
        return HttpResponse(answer.status, {}, _json(value))

    return change


def say(body: bytes) -> Change:
    return lambda answer: HttpResponse(answer.status, {}, body)


def cut(at: int, instead: bytes) -> Change:
    return lambda answer: HttpResponse(answer.status, {}, answer.body[:at] + instead + answer.body[at + 1 :])


def status(code: int) -> Change:
    return lambda answer: HttpResponse(code, {"Retry-After": "1e-300"}, answer.body)


changes = st.one_of(
    st.builds(put, st.integers(0, 40), st.sampled_from(NASTY)),
    st.builds(put, st.integers(0, 40), st.sampled_from(NASTY)),
    st.builds(drop, st.integers(0, 40)),
    st.builds(double, st.integers(0, 1)),
    st.builds(say, st.sampled_from(BODIES)),
    st.builds(cut, st.integers(0, 300), st.binary(max_size=3)),
    st.builds(
        status, st.sampled_from([0, 101, 204, 206, 301, 304, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 999])
    ),
)


@examples(15, 1_000)
@given(spoilt=st.lists(changes, min_size=1, max_size=3), starts_well=st.booleans())
@example(spoilt=[put(3, 7)], starts_well=False)  # metadata.resourceVersion of a list
@example(spoilt=[put(3, "9" * 18)], starts_well=True)
@example(spoilt=[double(0)], starts_well=True)
@example(spoilt=[double(1)], starts_well=True)
@example(spoilt=[say(SELF)], starts_well=True)
async def test_nonsense_for_a_minute_ends_nothing_and_leaves_nothing_behind(
    spoilt: list[Change], starts_well: bool
) -> None:
    world = World()
    turn = 0

    def spoil(answer: HttpResponse) -> HttpResponse:
        nonlocal turn
        turn += 1
        return spoilt[turn % len(spoilt)](answer)

    async with world.running():
        if starts_well:
            await world.wait_until_well(60)
        world.server.change = spoil
        before = world.server.asked
        await asyncio.sleep(30)
        if "c" in world.server.nodes:
            world.server.remove("c")
        await asyncio.sleep(30)
        assert world.server.asked - before < 1000, "more than that is a loop without pauses"
        assert max(map(len, world.said), default=0) < 2000
        world.server.restart()
        await world.wait_until_well(15 * 60)


SPEC = {
    "holderIdentity": "other",
    "leaseDurationSeconds": 15,
    "acquireTime": "2026-01-01T00:00:00.000000Z",
    "renewTime": "2026-01-01T00:00:00.000000Z",
    "leaseTransitions": 3,
}


def lease(spec: Any) -> dict[str, Any]:
    metadata = {"name": LEASE.name, "namespace": LEASE.namespace, "uid": "uid-lease", "resourceVersion": "1"}
    return {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec}


LEASE_NONSENSE: dict[str, list[Any]] = {
    "holderIdentity": [7, {}, ["other"], True],
    "leaseDurationSeconds": [0, -1, 1e308, 10**400, 2**31, "x", []],
    "leaseTransitions": [-1, 2**31, 10**400, "x"],
    "renewTime": [1e308, -(10**400), "soon", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-01-01"],
    "acquireTime": ["0001-01-01T00:00:00+14:00"],
}


@pytest.mark.parametrize(
    "spec",
    [7, "text", [], *({**SPEC, field: each} for field, nonsense in LEASE_NONSENSE.items() for each in nonsense)],
    ids=lambda spec: str(spec)[:60],
)
async def test_a_lease_that_makes_no_sense_is_not_taken_over(spec: Any) -> None:
    world = World()
    world.server.lease = lease(spec)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.lead(), name="candidate")
        await asyncio.sleep(60)
        led = world.leads
        assert world.server.asked <= 30
        world.server.lease = lease(SPEC)
        await asyncio.sleep(30)
        assert (led, world.leads) == (False, True), "in the end the lease of the other has expired"
        task.cancel()


async def test_a_lease_that_has_changed_hands_as_often_as_can_be_said_is_taken_over_all_the_same() -> None:
    world = World()
    world.server.lease = lease({**SPEC, "holderIdentity": "", "leaseTransitions": 2**31 - 1})
    elector = LeaderElector(world.client, LEASE, "mine")
    await elector.acquire()
    assert world.server.lease["spec"]["leaseTransitions"] == 2**31 - 1


async def test_who_is_not_named_in_the_answer_does_not_lead() -> None:
    world = World()
    world.server.lease = lease({**SPEC, "holderIdentity": ""})

    def other(answer: HttpResponse) -> HttpResponse:
        value = json.loads(answer.body)
        if value["spec"]["holderIdentity"]:
            value["spec"]["holderIdentity"] = "other"
        return HttpResponse(answer.status, {}, _json(value))

    world.server.change = other
    elector = LeaderElector(world.client, LEASE, "mine")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await elector.acquire()
    assert not elector.is_leading
