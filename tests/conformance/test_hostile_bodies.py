"""Bodies of clients that mean harm: each is refused, or read, as a real API server does it."""

import itertools

import pytest

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Api
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


@pytest.mark.parametrize("kind", [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH])
def test_patch_that_is_too_deep(api: Api, namespace: str, kind: str) -> None:
    path = core(namespace, "configmaps", "a")
    api.post(core(namespace, "configmaps"), config_map("a"))
    answer = api.call("PATCH", path, b'{"a":' * 100_000, content_type=kind)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    assert "invalid character '{' exceeded max depth" in answer.json()["message"]
