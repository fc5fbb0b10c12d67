"""Bodies of clients that mean harm: each is refused, or read, as a real API server does it."""

import itertools

import pytest

from tests.conformance.api import APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Api, Json
from tests.conformance.objects import config_map, core

YAML = "application/yaml"
JSON = "application/json"
HEAD = "apiVersion: v1\nkind: ConfigMap\n"
NAMED = HEAD + "metadata: {name: a}\n"
_PARSE = "couldn't get version/kind; json parse error: "
_NO_OBJECT = 'into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string'


def laughs(levels: int = 9, width: int = 9) -> str:
    """Aliases of aliases: each level has as many times the values of the one below it."""
    names = [chr(ord("a") + level) for level in range(levels)]
    lines = [f"a: &a [{','.join('x' * width)}]\n"]
    lines += [f"{one}: &{one} [{','.join([f'*{below}'] * width)}]\n" for below, one in itertools.pairwise(names)]
    return NAMED + "".join(lines)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (laughs(), "yaml: document contains excessive aliasing"),
        (HEAD + "metadata: &m {name: a, labels: *m}\n", "yaml: anchor 'm' value contains itself"),
        ("&a [*a]", "yaml: anchor 'a' value contains itself"),
        ("kind: ConfigMap\nmetadata: &a {<<: *a, name: b}", "yaml: anchor 'a' value contains itself"),
        ("a: *b", "yaml: unknown anchor 'b' referenced"),
        ("metadata:\n  <<: 3\n", "yaml: map merge requires map or sequence of maps as the value"),
        ("? [a, b]\n: c\n", 'yaml: invalid map key: []interface {}{"a", "b"}'),
        ("? {a: b}\n: c\n", 'yaml: invalid map key: map[interface {}]interface {}{"a":"b"}'),
        (NAMED + "data: {a: .nan}\n", "json: unsupported value: NaN"),
        (NAMED + "data: {a: .inf}\n", "json: unsupported value: +Inf"),
        (NAMED + "data: {a: -.INF}\n", "json: unsupported value: -Inf"),
        (NAMED + "data: {a: !!binary '###'}\n", "yaml: !!binary value contains invalid base64 data"),
        (NAMED + "data: {a: !!binary é}\n", "yaml: !!binary value contains invalid base64 data"),
        (NAMED + 'data: {a: "\\ud800"}\n', "yaml: line 4: found invalid Unicode character escape code"),
        (NAMED + "data: {a: \x00}\n", "yaml: control characters are not allowed"),
        (NAMED.encode() + b"data: {a: \xff\xfe}\n", "yaml: invalid leading UTF-8 octet"),
        ("[" * 100_000, "yaml: exceeded max depth of 1"),
        ("- " * 11_000 + "x", "yaml: exceeded max depth of 1"),
    ],
    ids=str,
)
def test_yaml_that_cannot_be_read(api: Api, namespace: str, body: str | bytes, problem: str) -> None:
    answer = api.call("POST", core(namespace, "configmaps"), body, content_type=YAML)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    expected = f"the object provided is unrecognized (must be of type ConfigMap): {problem}"
    assert answer.json()["message"].startswith(expected)


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ("data: {a: !foo 'text', b: !!str 3}", {"a": "text", "b": "3"}),
        ("data: {a: !!binary aGVsbG8=}", {"a": "hello"}),
        ("data: &d {a: &x b, c: *x}", {"a": "b", "c": "b"}),
        ("data: {<<: [{a: '1', b: '1'}, {a: '2', c: '2'}], b: '3'}", {"a": "1", "b": "3", "c": "2"}),
        ('data: {a: "\\0"}', {"a": "\0"}),
        ("data: {1.5: x, yes: z, 0x10: h, 2020-01-01: d}", {"1.5": "x", "true": "z", "16": "h", "2020-01-01": "d"}),
        ("data: {a: b}\n---\nkind: Pod\n", {"a": "b"}),
    ],
    ids=str,
)  # fmt: skip
def test_yaml_that_can_be_read(api: Api, namespace: str, fields: str, data: dict[str, str]) -> None:
    answer = api.call("POST", core(namespace, "configmaps"), NAMED + fields, content_type=YAML)
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"] == data


def test_aliases_up_to_the_bound(api: Api, namespace: str) -> None:
    """The same three levels that are refused with one more below them."""
    for levels, code in ((3, 201), (5, 400)):
        answer = api.call("POST", core(namespace, "configmaps"), laughs(levels), content_type=YAML)
        assert answer.status_code == code, answer.text


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[" * 100_000, _PARSE + "invalid character '[' exceeded max depth"),
        (b'{"a":' * 100_000, _PARSE + "invalid character '{' exceeded max depth"),
        (b"\xff\xfe{}", _PARSE + "invalid character 'ÿ' looking for beginning of value"),
        (b"\xef\xbb\xbf{}", _PARSE + "invalid character 'ï' looking for beginning of value"),
        ('{"metadata":{}}'.encode("utf-16"), _PARSE + "invalid character 'ÿ' looking for beginning of value"),
        (b'{"data":{"a":"\x00"}}', _PARSE + "invalid character '\\x00' in string literal"),
        (b'{"data":NaN}', _PARSE + "invalid character 'N' looking for beginning of value"),
        (b'{"data":-Infinity}', _PARSE + "invalid character 'I' in numeric literal"),
        (b"   ", _PARSE + "unexpected end of JSON input"),
        (b"{}{}", _PARSE + "invalid character '{' after top-level value"),
        (b"[]", _PARSE + "json: cannot unmarshal array " + _NO_OBJECT),
        (b"true", _PARSE + "json: cannot unmarshal bool " + _NO_OBJECT),
        (b'{"kind":3}', _PARSE + "json: cannot unmarshal number into Go struct field .kind of type string"),
        (b'{"kind":{}}', _PARSE + "json: cannot unmarshal object into Go struct field .kind of type string"),
        (b'{"apiVersion":[]}', _PARSE + "json: cannot unmarshal array into Go struct field .apiVersion of type string"),
    ],
    ids=str,
)  # fmt: skip
def test_json_that_cannot_be_read(api: Api, namespace: str, body: bytes, problem: str) -> None:
    answer = api.call("POST", core(namespace, "configmaps"), body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    expected = f"the object provided is unrecognized (must be of type ConfigMap): {problem}"
    assert answer.json()["message"].startswith(expected)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (b"x\\ud800y", "x\ufffdy"),
        (b"\\udc00\\ud800", "\ufffd\ufffd"),
        (b"\\ud83d\\ude00", "\U0001f600"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\\u0000", "\0"),
    ],
)
def test_text_that_no_utf8_can_express(api: Api, namespace: str, sent: bytes, stored: str) -> None:
    """It becomes the sign for what cannot be read."""
    body = b'{"metadata":{"name":"a"},"data":{"k":"' + sent + b'"}}'
    answer = api.call("POST", core(namespace, "configmaps"), body)
    assert answer.status_code == 201, answer.text
    assert api.get(core(namespace, "configmaps", "a"))["data"] == {"k": stored}


@pytest.mark.parametrize(
    "field", ['"name":"\\ud800"', '"name":"a","labels":{"a":"\\ud800"}', '"generateName":"\\udfff"']
)
def test_such_text_in_a_message(api: Api, namespace: str, field: str) -> None:
    answer = api.call("POST", core(namespace, "configmaps"), f'{{"metadata":{{{field}}}}}')
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert "\ufffd" in answer.json()["message"]


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", "-1e999", "99999999999999999999", "1e2", "1.5"])
def test_number_that_does_not_fit(api: Api, namespace: str, number: str) -> None:
    body = f'{{"metadata":{{"name":"a","generation":{number}}}}}'
    answer = api.call("POST", core(namespace, "configmaps"), body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    assert "json: cannot unmarshal number" in answer.json()["message"]


def test_field_that_is_there_a_hundred_times(api: Api, namespace: str) -> None:
    members = ",".join(['"k":"v"'] * 300)
    body = f'{{"metadata":{{"name":"a"}},"data":{{{members}}}}}'
    path = core(namespace, "configmaps")
    strict = api.call("POST", path, body, fieldValidation="Strict")
    assert (strict.status_code, strict.json()["message"].count("duplicate field")) == (400, 1)
    assert api.call("POST", path, body).headers.get_list("Warning") == ['299 - "duplicate field \\"data.k\\""']


def test_unknown_fields_are_reported_in_bounds(api: Api, namespace: str) -> None:
    path = core(namespace, "configmaps")
    body = {**config_map("a"), **{f"f{number}": 1 for number in range(3000)}}
    strict = api.post(path, body, 400, fieldValidation="Strict")
    assert strict["message"].count("unknown field") == 100
    assert len(api.call("POST", path, body, dryRun="All").headers.get_list("Warning")) == 100
    long = {**config_map("a"), **{letter * 10_000: 1 for letter in "abc"}}
    warnings = api.call("POST", path, long, dryRun="All").headers.get_list("Warning")
    assert [len(warning) for warning in warnings] == [265] * 3


def test_unknown_field_with_signs_that_a_header_cannot_have(api: Api, namespace: str) -> None:
    body = {**config_map("a"), "a\nb": 1, "c\rd": 1}
    answer = api.call("POST", core(namespace, "configmaps"), body)
    assert answer.status_code == 201, answer.text
    assert answer.headers.get_list("Warning") == [
        '299 - "unknown field \\"a\\\\nb\\""',
        '299 - "unknown field \\"c\\\\rd\\""',
    ]


_REFUSED = "the server rejected our request due to an error in our request"
_PATCH = "error decoding patch: json: cannot unmarshal"
_APPLY = "error decoding YAML: error"
_NO_MAP = "into Go value of type map[string]interface {}"


@pytest.fixture
def patched(api: Api, namespace: str) -> str:
    """The path of a ConfigMap to patch."""
    api.post(core(namespace, "configmaps"), config_map("a", {"k": "x" * 10}))
    return core(namespace, "configmaps", "a")


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [(JSON_PATCH, "error decoding patch: "), (MERGE_PATCH, "error decoding patch: "), (STRATEGIC_PATCH, "")],
)
def test_patch_that_cannot_be_read(api: Api, patched: str, minor: int, kind: str, prefix: str) -> None:
    for body, problem in (
        (b'{"a":' * 100_000, "invalid character '{' exceeded max depth"),
        (b"", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b'{"x":\x00}', "invalid character '\\x00' looking for beginning of value"),
    ):
        answer = api.call("PATCH", patched, body, content_type=kind)
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "invalid JSON patch" if minor > 30 else prefix + problem,
        )


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "copy", "from": "/data", "path": f"/data/{number}"} for number in range(20)],
        [{"op": "add", "path": "/data/k", "value": "x" * 1000}]
        + [{"op": "copy", "from": "/data/k", "path": f"/data/{number}"} for number in range(4000)],
        [{"op": "move", "from": "/data", "path": "/data/x"}],
        [{"op": "copy", "path": "/data/x"}],
        [{"op": "remove", "path": ""}],
        [{"op": "test", "path": "/data/k", "value": "y"}],
        [{"op": "add", "value": 1}],
        [{"op": "add", "path": None, "value": 1}],
        [{"op": "add", "path": "data", "value": 1}],
        [{"op": "none", "path": "/data/k"}],
        [{"path": "/data/k"}],
        [None],
        [
            {"op": "add", "path": "/metadata/finalizers", "value": ["a/b"]},
            {"op": "add", "path": "/metadata/finalizers/" + "9" * 5000, "value": "c/d"},
        ],
    ],
    ids=lambda operations: str(operations)[:60],
)
def test_json_patch_that_is_not_possible(api: Api, patched: str, operations: list[Json]) -> None:
    answer = api.call("PATCH", patched, operations, content_type=JSON_PATCH)
    assert (answer.status_code, answer.json()["reason"], answer.json()["message"]) == (422, "Invalid", _REFUSED)


@pytest.mark.parametrize(
    ("kind", "patch", "code", "message"),
    [
        (JSON_PATCH, "{}", 400, f"{_PATCH} object into Go value of type []handlers.jsonPatchOp"),
        (JSON_PATCH, '"x"', 400, f"{_PATCH} string into Go value of type []handlers.jsonPatchOp"),
        (JSON_PATCH, '["x"]', 400, f"{_PATCH} string into Go value of type handlers.jsonPatchOp"),
        (JSON_PATCH, '[{"op":3}]', 400, f"{_PATCH} number into Go struct field jsonPatchOp.op of type string"),
        (JSON_PATCH, '[{"path":{}}]', 400, f"{_PATCH} object into Go struct field jsonPatchOp.path of type string"),
        (JSON_PATCH, '[{"op":"replace","path":"","value":[]}]', 422, ' "" is invalid: patch: Invalid value: "[]": '),
        (MERGE_PATCH, "null", 400, "Invalid JSON Patch"),
        (MERGE_PATCH, "[]", 400, f"{_PATCH} array {_NO_MAP}"),
        (MERGE_PATCH, "true", 400, f"{_PATCH} bool {_NO_MAP}"),
        (MERGE_PATCH, '{"metadata":"x"}', 422, ' "" is invalid: patch: Invalid value: "{'),
        (STRATEGIC_PATCH, "[]", 400, f"json: cannot unmarshal array {_NO_MAP}"),
        (STRATEGIC_PATCH, "1", 400, f"json: cannot unmarshal number {_NO_MAP}"),
        (STRATEGIC_PATCH, '{"data":[1]}', 422, ' "" is invalid: patch: Invalid value: "'),
        (STRATEGIC_PATCH, '{"data":{"$retainKeys":"x"}}', 400, "invalid patch format of retainKeys"),
        (STRATEGIC_PATCH, '{"metadata":{"finalizers":[{}]}}', 422, ' "" is invalid: patch: Invalid value: "'),
        (STRATEGIC_PATCH, '{"metadata":{"ownerReferences":[3]}}', 422, ' "" is invalid: patch: Invalid value: "'),
        (APPLY, "null", 400, "invalid object type: /, Kind="),
        (APPLY, HEAD + "metadata: x", 500, "failed to create typed patch object ("),
        (APPLY, HEAD + "metadata: {name: 3}", 500, "failed to create typed patch object ("),
        (APPLY, HEAD + "metadata: {namespace: {}}", 500, "failed to create typed patch object ("),
    ],
)  # fmt: skip
def test_patch_of_the_wrong_form(api: Api, patched: str, kind: str, patch: str, code: int, message: str) -> None:
    query = {"fieldManager": "tests"} if kind == APPLY else {}
    answer = api.call("PATCH", patched, patch, content_type=kind, **query)
    assert (answer.status_code, answer.json()["message"][: len(message)]) == (code, message)


@pytest.mark.parametrize(
    ("patch", "stage", "message"),
    [
        ("[]", "decoding", "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array"),
        ("&a [*a]", "encoding", "yaml: anchor 'a' value contains itself"),
        (laughs(), "encoding", "yaml: document contains excessive aliasing"),
    ],
)
def test_applied_yaml_that_is_none(api: Api, patched: str, minor: int, patch: str, stage: str, message: str) -> None:
    if minor > 30:
        says = f"error {stage} patch: {message}"
    else:
        says = f"error decoding YAML: {'error converting YAML to JSON: ' if stage == 'encoding' else ''}{message}"
    answer = api.call("PATCH", patched, patch, content_type=APPLY, fieldManager="tests")
    assert (answer.status_code, answer.json()["message"][: len(says)]) == (400, says)


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (JSON_PATCH, "null"),
        (JSON_PATCH, '[{"op":"test","path":"/data/absent","value":null}]'),
        (STRATEGIC_PATCH, "null"),
        (STRATEGIC_PATCH, '{"metadata":{"$deleteFromPrimitiveList/finalizers":3}}'),
        (STRATEGIC_PATCH, '{"metadata":{"$deleteFromPrimitiveList/finalizers":[{}]}}'),
        (STRATEGIC_PATCH, '{"metadata":{"$deleteFromPrimitiveList/none":["a"]}}'),
    ],
)
def test_patch_that_changes_nothing(api: Api, patched: str, kind: str, patch: str) -> None:
    before = api.get(patched)
    answer = api.call("PATCH", patched, patch, content_type=kind)
    assert (answer.status_code, answer.json()) == (200, before)


def test_json_patch_of_many_operations(api: Api, patched: str) -> None:
    operation = {"op": "test", "path": "/data/k", "value": "x" * 10}
    assert api.call("PATCH", patched, [operation] * 10_000, content_type=JSON_PATCH).status_code == 200
    answer = api.call("PATCH", patched, [operation] * 10_001, content_type=JSON_PATCH)
    assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")
    assert answer.json()["message"] == (
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    )


@pytest.mark.parametrize(
    "fields",
    ["x", {"x": {}}, {"f:data": 3}, {"k:{": {}}, {"k:[]": {}}, {"k:" + "[" * 100_000: {}}],
    ids=lambda fields: str(fields)[:20],
)  # fmt: skip
def test_managed_fields_that_cannot_be_read(api: Api, patched: str, fields: object) -> None:
    """They are not taken over: those that are there stay."""
    entry = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}
    answer = api.call("PATCH", patched, {"metadata": {"managedFields": [entry]}}, content_type=MERGE_PATCH)
    if answer.status_code == 200:
        assert {each["manager"] for each in answer.json()["metadata"]["managedFields"]} == {"conformance"}
    else:
        assert answer.status_code in (400, 422), answer.text
