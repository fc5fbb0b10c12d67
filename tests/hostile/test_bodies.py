"""Whatever a client sends to the embedded API server is answered, in bounds, and the server lives.

Each answer is JSON or YAML, none is an internal error, and afterwards a good request works and everything that was
stored can be read in each form. Requests go through the server's handler in this process; ``make soak`` sends more.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loguru import logger

import fake_dra_driver
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.message import Answer, Request
from tests.crash.bounds import examples

_NAMESPACE = "/api/v1/namespaces/default"
_WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "replicas": {"type": "integer"},
                                    "tags": {
                                        "type": "array",
                                        "items": {"type": "string"},
                                        "x-kubernetes-list-type": "set",
                                    },
                                    "parts": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {"name": {"type": "string"}, "size": {"type": "number"}},
                                        },
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                    },
                                },
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}
_APPS = "/apis/apps/v1/namespaces/default"
_DRA = "/apis/resource.k8s.io/v1alpha2/namespaces/default"
_POD_SPEC = {"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}]}]}
_SAMPLES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    f"{_NAMESPACE}/configmaps": ({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"}}, ()),
    f"{_NAMESPACE}/pods": (
        {"apiVersion": "v1", "kind": "Pod", "spec": _POD_SPEC},
        ("/status", "/binding", "/eviction"),
    ),
    f"{_NAMESPACE}/serviceaccounts": ({"apiVersion": "v1", "kind": "ServiceAccount"}, ("/token",)),
    f"{_APPS}/deployments": (
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": _POD_SPEC},
            },
        },
        ("/status", "/scale"),
    ),
    f"{_DRA}/resourceclaims": (
        {"apiVersion": "resource.k8s.io/v1alpha2", "kind": "ResourceClaim", "spec": {"resourceClassName": "c"}},
        ("/status",),
    ),
    _WIDGETS: (
        {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "spec": {"replicas": 1, "tags": ["a"], "parts": [{"name": "a", "size": 1.5}]},
            "extra": {"any": [1, {"thing": None}]},
        },
        ("/status", "/scale"),
    ),
    _CRDS: (_CRD, ("/status",)),
}
"""By path: an object that is there, and the subresources of its kind."""
_NAMES = ("a", "a", "a", "new")
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_TYPES = (*["application/json"] * 5, *["application/yaml"] * 3, "application/vnd.kubernetes.protobuf", "", *_PATCHES)

# --- values ---

_FIELDS = st.sampled_from([
    "apiVersion", "kind", "metadata", "name", "namespace", "generateName", "labels", "annotations", "finalizers", "uid",
    "ownerReferences", "managedFields", "fieldsV1", "manager", "operation", "time", "resourceVersion", "generation",
    "deletionTimestamp", "spec", "status", "data", "binaryData", "immutable", "containers", "image", "env", "value",
    "resources", "limits", "claims", "replicas", "selector", "matchLabels", "template", "tags", "parts", "size",
    "$patch", "$retainKeys", "$setElementOrder/finalizers", "$deleteFromPrimitiveList/finalizers", "target", "f:data",
    "$setElementOrder/containers", "k:{", 'k:{"name":"a"}', "v:1", ".", "<<", "schema", "openAPIV3Schema", "versions",
    "resourceClassName", "allocation", "handle", "preconditions", "gracePeriodSeconds", "dryRun", "propagationPolicy",
])  # fmt: skip
_TEXTS = st.one_of(
    _FIELDS,
    st.sampled_from([
        "", "a", "b", "v1", "ConfigMap", "Widget", "Apply", "Update", "FieldsV1", "replace", "delete", "merge", "1",
        "\0", "\ud800", "\udfff\ud800", "\N{REPLACEMENT CHARACTER}", "\u202e", "a\nb", '"', "\\", "%s{}", "..",
        "9" * 5000, "2020-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00:00-23:59", "1e999",
        "1" * 400 + "Ei", "\N{ARABIC-INDIC DIGIT THREE}", "All", "Foreground", "aGVsbG8=", "=", "x" * 300,
    ]),
    st.text(max_size=6),
)  # fmt: skip
_NUMBERS = st.one_of(
    st.sampled_from([0, -0.0, 1, -1, 2**31, -(2**31) - 1, 2**63, 2**64, 10**400, 1.5, 1e21, 1e308, 5e-324]),
    st.integers(),
)
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(_FIELDS, _TEXTS), inner, max_size=5)
    ),
    max_leaves=12,
)
_PARTS = st.lists(
    st.one_of(_FIELDS, st.sampled_from(["-", "0", "-1", "01", "~0", "~2", "", "9" * 30])), max_size=3
).map(lambda parts: "".join(f"/{part}" for part in parts))
_POINTERS = st.one_of(
    _PARTS,
    st.tuples(st.sampled_from(["/metadata", "/spec", "/data", "/extra", "/spec/parts/0"]), _PARTS).map("".join),
)
_OPERATIONS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
                "path": _POINTERS,
            },
            optional={"from": _POINTERS, "value": _VALUES},
        ),
        _VALUES,
    ),
    max_size=6,
)

_YAML_PIECES = st.sampled_from([
    "a: ", "? ", "- ", "\n", "  ", "{", "}", "[", "]", ", ", ": ", "'", '"', "|\n", ">-\n", "# c\n", "---\n",
    "...\n", "&x ", "*x", "*y", "<<: ", "%YAML 1.1\n", "!foo ", "!!str ", "!!int ", "!!float ", "!!null ", "!!binary ",
    "!!bool ", "!!map ", "!!set ", "!!merge ", "!!timestamp ", "", "~", "true", "y", "1", "089", "0x1F", "1_000", "1e3",
    ".inf", ".nan", "12:30", "2020-01-01", "aGVsbG8=", "é", "\u2028", "\0", "\t", "@", "`",
    "\N{ARABIC-INDIC DIGIT THREE}",
])  # fmt: skip
"""What makes YAML more than JSON in other signs: anchors, tags, merges."""


@st.composite
def _objects(draw: st.DrawFn, path: str) -> Any:
    """The object that is served there, with some of its values replaced."""
    body = json.loads(json.dumps(_SAMPLES[path][0]))
    body.setdefault("metadata", {"name": draw(st.sampled_from(_NAMES))})
    for _ in range(draw(st.integers(1, 3))):
        node = body
        while True:
            key = draw(st.sampled_from(list(node)) if node and draw(st.booleans()) else _FIELDS)
            inner = node.get(key)
            if isinstance(inner, list) and inner:
                inner = inner[0]
            if not isinstance(inner, dict) or draw(st.integers(0, 3)) == 0:
                break
            node = inner
        node[key] = draw(_VALUES)
    return body


@st.composite
def _encoded(draw: st.DrawFn, value: Any) -> bytes:
    """A body: the value, in one way or another, and perhaps with some bytes that are wrong."""
    match draw(st.sampled_from(["json", "json", "json", "yaml", "pieces", "flow", "protobuf"])):
        case "yaml":
            raw = yaml.dump(_plain(value), Dumper=yaml.CSafeDumper).encode(errors="surrogatepass")
        case "pieces":
            raw = "".join(draw(st.lists(_YAML_PIECES, max_size=12))).encode()
        case "flow":
            raw = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
        case "protobuf":
            raw = b"k8s\0" + draw(st.binary(max_size=30))
        case _:
            raw = json.dumps(value).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.binary(max_size=4)) + raw[at + draw(st.integers(0, 3)) :]
    return raw


def _plain(value: Any) -> Any:
    """The value without what the YAML library cannot write."""
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    path = draw(st.sampled_from(list(_SAMPLES)))
    method = draw(st.sampled_from(["POST", "POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE"]))
    media = draw(st.sampled_from(_PATCHES if method == "PATCH" else _TYPES[:-2] if method != "DELETE" else _TYPES[:3]))
    value = draw(_OPERATIONS if "json-patch" in media else st.one_of(_objects(path), _objects(path), _VALUES))
    raw = draw(_encoded(value))
    subresources = _SAMPLES[path][1]
    if method != "POST" or (subresources and draw(st.booleans())):
        path += "/widgets.example.com" if path == _CRDS else f"/{draw(st.sampled_from(_NAMES))}"
        path += draw(st.sampled_from(subresources if method == "POST" else ("", "", *subresources)))
    query = draw(
        st.dictionaries(
            st.sampled_from([
                "fieldManager", "fieldValidation", "dryRun", "force", "resourceVersion", "limit", "continue", "pretty",
                "gracePeriodSeconds", "propagationPolicy", "labelSelector", "fieldSelector", "timeoutSeconds",
            ]),
            st.one_of(_TEXTS, st.sampled_from(["All", "Strict", "true", "tests"])),
            max_size=2,
        )
    )  # fmt: skip
    if "apply" in media:
        query = {"fieldManager": "tests", **query}
    accept = draw(st.sampled_from([*[""] * 9, "application/json", "application/yaml", _TABLE, _METADATA, ";;,q=,"]))
    return Request(method, path, query, {"content-type": media, "accept": accept, "user-agent": "tests/1"}, raw)


_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"


class _World:
    """A server and its event loop, for many examples."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.restart()

    def restart(self) -> None:
        """A new server, with the samples."""
        self._server = ApiServer(token="token", seed=1)
        for path, (body, _) in sorted(_SAMPLES.items(), key=lambda each: each[0] != _CRDS):
            self.good("POST", path, {"metadata": {"name": "a"}, **body}, (201,))

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def send(self, request: Request) -> Answer:
        headers = {**request.headers, "authorization": "Bearer token"}
        sent = Request(request.method, request.path, request.query, headers, request.body)
        answer = self._loop.run_until_complete(self._server._parts.handler.serve(sent))
        assert isinstance(answer, Answer)
        return answer

    def good(self, method: str, path: str, body: Any, codes: tuple[int, ...]) -> Any:
        """A request that has to work."""
        answer = self.send(Request(method, path, {}, {}, json.dumps(body).encode() if body else b""))
        assert answer.status in codes, answer.body
        return _read(answer)


def _read(answer: Answer) -> Any:
    text = answer.body.decode()
    if answer.content_type == "application/yaml":
        return yaml.load(text, Loader=yaml.CSafeLoader)
    return json.loads(text, parse_constant=_no_constant) if answer.content_type == "application/json" else text


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


@pytest.fixture(scope="module")
def world() -> Iterator[_World]:
    world = _World()
    yield world
    world.close()


@pytest.fixture
def errors() -> Iterator[list[str]]:
    """What is logged as an error meanwhile."""
    logger.enable(fake_dra_driver.__name__)
    logged: list[str] = []
    sink = logger.add(lambda message: logged.append(str(message)), level="ERROR", format="{message} {exception}")
    yield logged
    logger.remove(sink)
    logger.disable(fake_dra_driver.__name__)


@settings(examples(60, 10_000), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(requests=st.lists(_requests(), min_size=1, max_size=6))
def test_any_request_is_answered_and_the_server_lives(
    world: _World, errors: list[str], requests: list[Request]
) -> None:
    world.restart()
    for request in requests:
        answer = world.send(request)
        shown = f"{request}: {answer.status} {answer.body[:500]!r}"
        assert not errors, shown + "".join(errors)
        assert answer.status < 500 or _is_known(answer), shown
        _read(answer)
        for name, value in answer.headers:
            assert (name + value).isprintable(), shown
    for path in {path for path in _SAMPLES for request in requests if request.path.startswith(path)}:
        for accept in ("application/json", "application/yaml", _TABLE, _METADATA.replace("Metadata;", "MetadataList;")):
            listed = world.send(Request("GET", path, {}, {"accept": accept}))
            assert listed.status == 200 or path == _WIDGETS, listed.body
            _read(listed)
    world.good("PUT", f"{_NAMESPACE}/configmaps/good", {"metadata": {"name": "good"}}, (404,))
    world.good("POST", f"{_NAMESPACE}/configmaps", {"metadata": {"name": "good"}}, (201,))
    assert not errors, errors


def _is_known(answer: Answer) -> bool:
    """Whether it is one of the refusals for which a real server has no other code than 500."""
    message = _read(answer)["message"]
    return any(
        known in message
        for known in (
            "strconv.ParseUint: parsing",
            "failed to create typed patch object",
            "resourceVersion should not be set on objects to be created",
            "etcdserver: request is too large",
            "target.name: Required value",
            "target.kind: Unsupported value",
        )
    )
