"""In which form an answer comes: tables, metadata alone, YAML, and formats that are not supported."""

import httpx
import pytest
import yaml

from tests.conformance.api import Api
from tests.conformance.objects import config_map, core, pod, widget

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.fixture
def maps(api: Api, namespace: str) -> str:
    """The path of the ConfigMaps of the test's namespace: one, with one entry."""
    path = core(namespace, "configmaps")
    api.post(path, config_map("a", {"k": "v"}, labels={"app": "x"}))
    return path


def body(answer: httpx.Response, code: int = 200) -> dict[str, object]:
    """What was answered, in JSON."""
    assert answer.status_code == code, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, object] = answer.json()
    return found


def test_table_of_a_list(api: Api, maps: str) -> None:
    """T01: what kubectl get asks for, with its fallback; rows carry the metadata of their object."""
    version = api.version_of_list(maps)
    table = body(api.call("GET", maps, accept=f"{TABLE},application/json"))
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert table["metadata"] == {"resourceVersion": version}
    columns = table["columnDefinitions"]
    assert isinstance(columns, list)
    assert [(each["name"], each["type"], each["format"], each["priority"]) for each in columns] == [
        ("Name", "string", "name", 0),
        ("Data", "string", "", 0),
        ("Age", "string", "", 0),
    ]
    rows = table["rows"]
    assert isinstance(rows, list)
    [row] = rows
    assert row["cells"][:2] == ["a", 1]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["labels"] == {"app": "x"}


def test_table_of_one_object(api: Api, maps: str) -> None:
    """T01, for kubectl get with a name, and for the answer to a write."""
    created = api.call("POST", maps, config_map("b"), accept=TABLE)
    table = body(created, 201)
    rows = table["rows"]
    assert isinstance(rows, list)
    assert [row["cells"][:2] for row in rows] == [["b", 0]]
    version = api.get(f"{maps}/b")["metadata"]["resourceVersion"]
    assert table["metadata"] == {"resourceVersion": version}


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap")]
)
def test_what_a_row_carries(api: Api, maps: str, include: str, kind: str | None) -> None:
    """T01: kubectl asks for the whole object when it sorts or filters by it."""
    [row] = api.call("GET", maps, accept=TABLE, includeObject=include).json()["rows"]
    found = row.get("object")
    assert (found and found["kind"]) == kind
    if include == "Object":
        assert found["data"] == {"k": "v"}


def test_what_a_row_cannot_carry(api: Api, maps: str) -> None:
    """T01, misspelled."""
    answer = api.call("GET", maps, accept=TABLE, includeObject="All")
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    assert "must be 'Metadata', 'Object', 'None', or empty" in answer.json()["message"]


def test_table_of_a_custom_kind(api: Api, widgets: str) -> None:
    """T01: the columns of the CRD, those of -o wide with their priority."""
    api.post(widgets, widget("a", color="blue"))
    table = api.call("GET", widgets, accept=TABLE).json()
    assert [(each["name"], each["type"], each["priority"]) for each in table["columnDefinitions"]] == [
        ("Name", "string", 0),
        ("Size", "integer", 0),
        ("Color", "string", 1),
    ]
    assert table["rows"][0]["cells"] == ["a", 3, "blue"]


def test_errors_stay_what_they_are(api: Api, maps: str) -> None:
    """T01: a Status is no table."""
    answer = api.call("GET", f"{maps}/none", accept=TABLE)
    assert (answer.status_code, answer.json()["kind"]) == (404, "Status")


def test_metadata_of_a_list(api: Api, maps: str) -> None:
    """T02."""
    found = body(api.call("GET", maps, accept=METADATA_LIST))
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    items = found["items"]
    assert isinstance(items, list)
    [item] = items
    assert item["metadata"] == api.get(f"{maps}/a")["metadata"]
    assert item.keys() <= {"kind", "apiVersion", "metadata"}


def test_metadata_of_one_object(api: Api, maps: str) -> None:
    """T02."""
    found = body(api.call("GET", f"{maps}/a", accept=METADATA))
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert found.keys() == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(("suffix", "accept"), [("", METADATA), ("/a", METADATA_LIST)])
def test_metadata_of_the_other_thing(api: Api, maps: str, suffix: str, accept: str) -> None:
    """T02: a list is asked for as a list, and an object as an object."""
    answer = api.call("GET", maps + suffix, accept=accept)
    assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable")


@pytest.mark.parametrize("accept", ["application/yaml", "application/json;q=0.5, application/yaml"])
def test_yaml(api: Api, maps: str, accept: str) -> None:
    """T03: spoken where it is preferred."""
    answer = api.call("GET", f"{maps}/a", accept=accept)
    assert answer.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.text)["data"] == {"k": "v"}


@pytest.mark.parametrize(
    "accept", ["*/*", "text/html, */*", "application/json;as=Nothing;v=v1;g=meta.k8s.io, application/json"]
)
def test_json_unless_asked_for_otherwise(api: Api, maps: str, accept: str) -> None:
    """T03."""
    assert body(api.call("GET", f"{maps}/a", accept=accept))["kind"] == "ConfigMap"


@pytest.mark.parametrize("accept", ["text/html", "application/*", "application/json;as=Nothing;v=v1;g=meta.k8s.io"])
def test_nothing_that_is_spoken(api: Api, maps: str, accept: str) -> None:
    """T03."""
    answer = api.call("GET", f"{maps}/a", accept=accept)
    assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable")


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/apps", "/version"])
def test_nothing_that_is_spoken_where_there_are_no_objects(api: Api, path: str) -> None:
    answer = api.call("GET", path, accept="application/apply-patch+yaml")
    assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable")


def test_a_refusal_is_said_to_any_client(api: Api) -> None:
    """In JSON, if need be."""
    answer = api.call("GET", "/apis/apps/v1/nothing", accept="application/apply-patch+yaml")
    assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")


@pytest.mark.parametrize("accept", ["application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf, */*"])
def test_protobuf(api: Api, namespace: str, accept: str) -> None:
    """T03: honoured, or refused with 406, or passed over where there is something else; never a wrong body."""
    path = core(namespace, "pods")
    api.post(path, pod("a"))
    answer = api.call("GET", f"{path}/a", accept=accept)
    if answer.headers["Content-Type"] == "application/vnd.kubernetes.protobuf":
        assert answer.content.startswith(b"k8s\x00")
    elif "*/*" in accept:
        assert answer.json()["kind"] == "Pod"
    else:
        assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable")
