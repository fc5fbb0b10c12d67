"""While the embedded cluster deals with a body that is made to hold it up, the heartbeats of others go on.

Each goes to the API server's handler, as from a connection; meanwhile a client renews a lease again and again. What is
carried out on the event loop lets no renewal through, however long it takes, so it is enough to count them.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest

from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.apiserver.message import Answer, Request
from tests.support.protobufbody import enveloped, field

_MAPS: Final = "/api/v1/namespaces/default/configmaps"
_PODS: Final = "/api/v1/namespaces/default/pods"
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
_JSON, _YAML, _PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
_JSON_PATCH, _MERGE, _STRATEGIC, _APPLY = (
    f"application/{name}"
    for name in ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
)
_MOST_BYTES: Final = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Hostile:
    name: str
    code: int
    """Of the answer."""
    body: Callable[[], bytes | str | list[Any] | dict[str, Any]]
    kind: str = _JSON
    method: str = "POST"
    path: str = _MAPS
    accept: str = "*/*"


def _laughs() -> str:
    letters = "abcdefghi"
    lines = [f"a: &a [{','.join('x' * 9)}]\n"]
    lines += [f"{one}: &{one} [{','.join([f'*{below}'] * 9)}]\n" for below, one in itertools.pairwise(letters)]
    return "".join(lines)


def _config_map(name: str, size: int) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {f"key-{number:05}": "v" for number in range(size)}}


def _filled(item: bytes) -> bytes:
    """As many items as a body may have bytes for."""
    return b'{"metadata":{"name":"x"},"x":[' + item * ((_MOST_BYTES - 100) // len(item)) + b"1]}"


def _schemas_in_schemas() -> bytes:
    schema = b""
    for _ in range(10_000):
        schema = field(28, schema)  # not
    return field(2, field(7, field(4, field(1, schema))))


_HOSTILE = [
    _Hostile("aliases of aliases", 400, _laughs, _YAML),
    _Hostile("a value in itself", 400, lambda: "&a [*a]", _YAML),
    _Hostile("much plain YAML", 413, lambda: "".join(f"key-{n:06}: value-{n}\n" for n in range(120_000)), _YAML),
    _Hostile("YAML of many lists", 413, lambda: "[" + "[]," * 900_000, _YAML),
    _Hostile("JSON of many lists", 413, lambda: _filled(b"[],")),
    _Hostile("JSON of many numbers", 413, lambda: _filled(b"1,")),
    _Hostile("JSON of many escapes", 201, lambda: _filled(b"1,")[:30] + b'"' + b"\\n" * 1_400_000 + b'"]}'),
    _Hostile("many members", 201, lambda: _config_map("many", 20_000)),
    _Hostile("many labels", 422, lambda: {"metadata": {"name": "x", "labels": {f"l{n}": "!" for n in range(20_000)}}}),
    _Hostile("many fields twice", 201, lambda: '{"metadata":{"name":"y"},"data":{' + '"k":"v",' * 40_000 + '"k":"v"}}'),
    _Hostile("a varint without end", 400, lambda: b"k8s\0" + b"\xff" * 3_000_000, _PROTOBUF),
    _Hostile("protobuf of many fields that are not known", 422, lambda: b"k8s\0" + b"\x7a\x00" * 1_500_000, _PROTOBUF),
    _Hostile(
        "protobuf of many finalizers", 413,
        lambda: enveloped("v1", "ConfigMap", field(1, b"\x72\x00" * 1_400_000)),
        _PROTOBUF,
    ),
    _Hostile(
        "protobuf of many containers", 413,
        lambda: enveloped("v1", "Pod", field(2, b"\x12\x00" * 1_400_000)),
        _PROTOBUF, path=_PODS,
    ),
    _Hostile(
        "protobuf of schemas in schemas", 400,
        lambda: enveloped("apiextensions.k8s.io/v1", "CustomResourceDefinition", _schemas_in_schemas()),
        _PROTOBUF, path=_CRDS,
    ),
    _Hostile(
        "many containers", 201,
        lambda: {
            "metadata": {"name": "p"}, "spec": {"containers": [{"name": f"c{n}", "image": "i"} for n in range(500)]}
        },
        path=_PODS,
    ),
    _Hostile(
        "20 copies", 422,
        lambda: [{"op": "copy", "from": "/data", "path": f"/data/{n}"} for n in range(20)],
        _JSON_PATCH, "PATCH", f"{_MAPS}/a",
    ),
    _Hostile(
        "10,000 tests", 200,
        lambda: [{"op": "test", "path": "/data/absent"}] * 10_000,
        _JSON_PATCH, "PATCH", f"{_MAPS}/large",
    ),
    _Hostile(
        "10,000 moves", 422,
        lambda: [{"op": "add", "path": "/metadata/finalizers", "value": [f"a.b/{n}" for n in range(10_000)]}]
        + [{"op": "move", "from": "/metadata/finalizers/0", "path": "/metadata/finalizers/-"}] * 9_000
        + [{"op": "remove", "path": "/none"}],
        _JSON_PATCH, "PATCH", f"{_MAPS}/a",
    ),
    _Hostile(
        "lists in another order", 200,
        lambda: {"metadata": {
            "finalizers": [f"a.b/{n}" for n in range(5_000)],
            "$setElementOrder/finalizers": [f"a.b/{n}" for n in reversed(range(5_000))],
        }},
        _STRATEGIC, "PATCH", f"{_MAPS}/a",
    ),
    _Hostile(
        "many managers", 200,
        lambda: {"metadata": {"managedFields": [
            {"manager": f"m{n}", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:data": {"f:k": {}}}} for n in range(5_000)
        ]}},
        _MERGE, "PATCH", f"{_MAPS}/a",
    ),
    _Hostile(
        "a small patch of a large object", 200, lambda: {"data": {"k": "v"}}, _MERGE, "PATCH", f"{_MAPS}/large"
    ),
    _Hostile(
        "a small configuration of a large object", 200,
        lambda: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"k": "w"}},
        _APPLY, "PATCH", f"{_MAPS}/large?fieldManager=x&force=true",
    ),
    _Hostile("a large object in YAML", 200, lambda: b"", method="GET", path=f"{_MAPS}/large", accept=_YAML),
]  # fmt: skip


async def _ask(cluster: Cluster, method: str, path: str, body: Any, kind: str = _JSON, accept: str = "*/*") -> Answer:
    path, _, query = path.partition("?")
    headers = {"authorization": f"Bearer {cluster.server.token}", "content-type": kind, "accept": accept}
    raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(method, path, dict(parse_qsl(query)), headers, raw)
    answer = await cluster.server._parts.handler.serve(request)
    assert isinstance(answer, Answer)
    return answer


class _Renewals:
    """Renews a lease, without a pause."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.count = 0

    async def run(self) -> None:
        while True:
            body = {"spec": {"holderIdentity": str(self.count)}}
            answer = await _ask(self._cluster, "PATCH", f"{_LEASES}/beat", body, _MERGE)
            assert answer.status == 200, answer.body
            self.count += 1
            await asyncio.sleep(0)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster() as cluster:
        yield cluster


async def test_heartbeats_go_on(cluster: Cluster) -> None:
    for path, body in (
        (_LEASES, {"metadata": {"name": "beat"}, "spec": {}}),
        (_MAPS, {"metadata": {"name": "a"}, "data": {"k": "x" * 10}}),
        (_MAPS, _config_map("large", 10_000)),
    ):
        assert (await _ask(cluster, "POST", path, body)).status == 201
    renewals = _Renewals(cluster)
    without: list[str] = []
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(renewals.run(), name="heartbeats")
        for each in _HOSTILE:
            before = renewals.count
            answer = await _ask(cluster, each.method, each.path, each.body(), each.kind, each.accept)
            assert answer.status == each.code, f"{each.name}: {answer.status} {answer.body[:300]!r}"
            if renewals.count == before:
                without.append(each.name)
        beating.cancel()
    assert not without
