"""ResourceSlices, as drivers publish and kubelets delete them."""

from typing import Any

import pytest

from tests.conformance.api import MERGE_PATCH, Api, Json, causes
from tests.conformance.structured.objects import DRIVER, slice_of

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
SELECTION = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
TAINT: Json = {"key": "example.com/broken", "effect": "NoSchedule"}
NODES: Json = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "host", "operator": "In", "values": ["n1"]}]}]}


def attributes(**values: Json) -> Json:
    """A device with these attributes."""
    return {"name": "dev-0", "attributes": values}


def device_of(answer: Json) -> Json:
    """The first device of a slice."""
    found: Json = answer["spec"]["devices"][0]
    return found


def test_what_is_written_is_read(api: Api, slices: str, namespace: str) -> None:
    """Devices with attributes and capacity of every type; nothing is added to them."""
    device = {
        "name": "dev-0",
        "attributes": {
            "index": {"int": 0},
            "is_fake": {"bool": False},
            "uuid": {"string": "FAKE-1"},
            "example.com/version": {"version": "1.2.3-rc.1+build"},
        },
        "capacity": {"memory": {"value": "80Gi"}},
    }
    answer = api.post(slices, slice_of(namespace, device))
    assert device_of(answer) == device
    assert answer["metadata"]["generation"] == 1
    assert api.get(f"{slices}/{namespace}") == answer


def test_the_generation_counts_changes_of_the_spec(api: Api, slices: str, namespace: str) -> None:
    api.post(slices, slice_of(namespace))
    path = f"{slices}/{namespace}"
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    changed = api.patch(path, {"spec": {"devices": [{"name": "other"}]}})
    assert changed["metadata"]["generation"] == 2
    again = api.patch(path, {"spec": {"devices": [{"name": "other"}]}})
    assert again["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]


def test_writes_are_answered_with_the_metadata_alone_and_keep_no_record_of_fields_once_it_is_reset(
    api: Api, slices: str, namespace: str
) -> None:
    """What a publisher of thousands of slices relies on, which neither reads nor keeps them."""
    wanted = slice_of(namespace)
    created = api.call("POST", slices, wanted, accept=METADATA, fieldValidation="Ignore")
    assert (created.status_code, created.json()["kind"]) == (201, "PartialObjectMetadata")
    metadata = created.json()["metadata"]
    assert (metadata["generation"], [entry["operation"] for entry in metadata["managedFields"]]) == (1, ["Update"])
    pool = {**wanted["spec"]["pool"], "generation": 2}
    changed = {**wanted, "metadata": {**metadata, "managedFields": [{}]}, "spec": {**wanted["spec"], "pool": pool}}
    for generation in (2, 2):
        answer = api.call("PUT", f"{slices}/{namespace}", changed, accept=METADATA, fieldValidation="Ignore")
        assert (answer.status_code, answer.json()["kind"]) == (200, "PartialObjectMetadata")
        found = answer.json()["metadata"]
        assert found["generation"] == generation
        assert "managedFields" not in found
        changed["metadata"] = found
    assert api.get(f"{slices}/{namespace}")["spec"]["pool"] == pool


def test_a_slice_can_be_replaced_without_a_version(api: Api, slices: str, namespace: str) -> None:
    api.post(slices, slice_of(namespace))
    api.put(f"{slices}/{namespace}", slice_of(namespace, {"name": "other"}))


def test_selection_by_node_driver_and_pool(api: Api, slices: str, namespace: str) -> None:
    one, two = f"{namespace}-1", f"{namespace}-2"
    for node in (one, two):
        api.post(slices, slice_of(node))
    by_node = api.get(slices, fieldSelector=f"spec.nodeName={two},spec.driver={DRIVER}")
    by_pool = api.get(slices, fieldSelector=f"spec.pool.name={two}")
    for found in (by_node, by_pool):
        assert [each["metadata"]["name"] for each in found["items"]] == [two]
    assert not api.get(slices, fieldSelector=f"spec.nodeName={one},spec.driver=other.example.com")["items"]


def test_a_watch_follows_the_selection(api: Api, slices: str, namespace: str) -> None:
    version = api.version_of_list(slices)
    selector = f"spec.nodeName={namespace}"
    with api.watch(slices, resourceVersion=version, fieldSelector=selector, timeoutSeconds=20) as watch:
        api.post(slices, slice_of(f"{namespace}-other"))
        api.post(slices, slice_of(namespace))
        api.delete(f"{slices}/{namespace}")
        seen = [(event["type"], event["object"]["metadata"]["name"]) for event in (watch.next(), watch.next())]
    assert seen == [("ADDED", namespace), ("DELETED", namespace)]


@pytest.mark.parametrize("field", ["spec.nodename", "spec.pool.generation", "metadata.namespace"])
def test_other_fields_cannot_be_selected_by(api: Api, slices: str, field: str) -> None:
    words = f"field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {field}"
    api.refused(400, "BadRequest", "GET", slices, says=words, fieldSelector=f"{field}=x")


def test_the_slices_of_a_node_can_be_deleted_at_once(api: Api, slices: str, namespace: str) -> None:
    """What a kubelet does when a driver is gone."""
    for name in ("a", "b"):
        body = slice_of(namespace)
        body["metadata"]["name"] = f"{namespace}-{name}"
        api.post(slices, body)
    other = api.post(slices, slice_of(f"{namespace}-other"))
    api.delete(slices, fieldSelector=f"spec.nodeName={namespace}")
    assert not api.get(slices, fieldSelector=f"spec.nodeName={namespace}")["items"]
    api.get(f"{slices}/{other['metadata']['name']}")


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_a_deletion_is_bound_to_its_preconditions(api: Api, slices: str, namespace: str, field: str) -> None:
    created = api.post(slices, slice_of(namespace))
    options = {"kind": "DeleteOptions", "apiVersion": "v1"}
    wrong = {**options, "preconditions": {field: "1"}}
    api.refused(409, "Conflict", "DELETE", f"{slices}/{namespace}", wrong)
    api.delete(f"{slices}/{namespace}", {**options, "preconditions": {field: created["metadata"][field]}})
    api.gone(f"{slices}/{namespace}")


def test_a_taint_is_dated_each_time_it_comes_without_a_time(api: Api, slices: str, namespace: str) -> None:
    given = "2024-05-01T10:00:00Z"
    answer = api.post(slices, slice_of(namespace, {"name": "dev-0", "taints": [{**TAINT, "timeAdded": given}]}))
    assert device_of(answer)["taints"] == [{**TAINT, "timeAdded": given}]
    answer = api.put(f"{slices}/{namespace}", slice_of(namespace, {"name": "dev-0", "taints": [TAINT]}))
    assert device_of(answer)["taints"][0]["timeAdded"] > given


def test_capitals_in_the_name_of_a_driver_are_warned_about(api: Api, slices: str, namespace: str) -> None:
    answer = api.call("POST", slices, slice_of(namespace, driver="Driver.example.com"))
    assert answer.status_code == 201
    words = r"spec.driver: driver names should be lowercase; \"Driver.example.com\" contains uppercase characters"
    assert answer.headers["Warning"] == f'299 - "{words}"'


def test_a_field_whose_gate_is_off_is_dropped_in_silence(api: Api, slices: str, namespace: str) -> None:
    """And counted as a change each time it is written: a writer that does not look at the answer never rests."""
    device = {"name": "dev-0", "nodeAllocatableResources": {"cpu": {"mapping": {"deviceMultiplier": "1"}}}}
    answer = api.call("POST", slices, slice_of(namespace, device))
    assert answer.status_code == 201
    assert "Warning" not in answer.headers
    assert device_of(answer.json()) == {"name": "dev-0"}
    again = api.put(f"{slices}/{namespace}", slice_of(namespace, device))
    assert device_of(again) == {"name": "dev-0"}
    assert again["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"nodeName": "other"}, "spec.nodeName"),
        ({"driver": "other.example.com"}, "spec.driver"),
        ({"pool": {"name": "other"}}, "spec.pool.name"),
    ],
)
def test_whose_slice_it_is_cannot_change(api: Api, slices: str, namespace: str, change: Json, path: str) -> None:
    api.post(slices, slice_of(namespace))
    target = f"{slices}/{namespace}"
    body = {"spec": change}
    status = api.refused(422, "Invalid", "PATCH", target, body, says="field is immutable", content_type=MERGE_PATCH)
    assert causes(status) == {path: "FieldValueInvalid"}


def _many(count: int, **more: Any) -> list[Json]:
    return [{"name": f"dev-{number}", **more} for number in range(count)]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"nodeName": None}, f"spec: Required value: {SELECTION}"),
        (
            {"allNodes": True},
            f'spec: Invalid value: "{{`nodeName`, `allNodes`}}": {SELECTION}, but multiple fields are set',
        ),
        ({"nodeName": ""}, 'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string'),
        ({"allNodes": False}, "spec.allNodes: Invalid value: false: must be either unset or set to true"),
        (
            {"nodeName": None, "nodeSelector": {"nodeSelectorTerms": [*NODES["nodeSelectorTerms"]] * 2}},
            "must have exactly one node selector term",
        ),
        ({"driver": ""}, "spec.driver: Required value"),
        ({"driver": "d" * 64}, "spec.driver: Too long: may not be more than 63 bytes"),
        ({"driver": "not a name"}, 'spec.driver: Invalid value: "not a name": a lowercase RFC 1123 subdomain'),
        ({"pool": {"name": "", "resourceSliceCount": 1}}, "spec.pool.name: Required value"),
        (
            {"pool": {"name": "p", "resourceSliceCount": 0}},
            "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
        ),
        (
            {"pool": {"name": "p", "resourceSliceCount": 1, "generation": -1}},
            "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero",
        ),
        ({"devices": _many(129)}, "spec.devices: Too many: 129: must have at most 128 items"),
        ({"devices": _many(65, taints=[TAINT])}, "spec.devices: Too many: 65: must have at most 64 items"),
        ({"devices": [{"name": "a"}, {"name": "a"}]}, 'spec.devices[1]: Duplicate value: "a"'),
        ({"devices": [{"name": "Dev_0"}]}, 'spec.devices[0].name: Invalid value: "Dev_0": a lowercase RFC 1123 label'),
        (
            {"devices": [attributes(**{f"a{number}": {"int": number} for number in range(33)})]},
            "spec.devices[0]: Invalid value: 33: the total number of attributes and capacities must not exceed 32",
        ),
        ({"devices": [attributes(a={})]}, 'attributes[a]: Invalid value: "": must specify one of: `int`, `bool`'),
        (
            {"devices": [attributes(a={"int": 1, "bool": True})]},
            '"{int, bool}": must specify exactly one of: `int`, `bool`, `string`, `version`, `ints`',
        ),
        (
            {"devices": [attributes(a={"version": "1.2"})]},
            'spec.devices[0].attributes[a].version: Invalid value: "1.2": must be a string compatible with semver.org',
        ),
        (
            {"devices": [attributes(a={"string": "x" * 65})]},
            "spec.devices[0].attributes[a].string: Too long: may not be more than 64 bytes",
        ),
        (
            {"devices": [attributes(**{"no-identifier": {"int": 1}})]},
            'spec.devices[0].attributes: Invalid value: "no-identifier": a valid C identifier must start',
        ),
        (
            {"devices": [attributes(**{"a" * 33: {"int": 1}})]},
            "spec.devices[0].attributes: Too long: may not be more than 32 bytes",
        ),
        ({"devices": [{"name": "a", "taints": [{"key": "a"}]}]}, "spec.devices[0].taints[0].effect: Required value"),
        (
            {"devices": [{"name": "a", "taints": [{"key": "a", "effect": "Never"}]}]},
            "spec.devices[0].taints[0].effect: Unsupported value:",
        ),
        (
            {"devices": [{"name": "a", "taints": [TAINT] * 17}]},
            "spec.devices[0].taints: Too many: 17: must have at most 16 items",
        ),
        (
            {"devices": [{"name": "a", "bindingConditions": ["c"]}]},
            "bindingFailureConditions are required to use bindingConditions",
        ),
        (
            {"devices": [{"name": "a", "nodeName": "n"}]},
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true",
        ),
        (
            {"devices": [{"name": "a", "capacity": {"m": {"value": "1", "requestPolicy": {"default": "1"}}}}]},
            "spec.devices[0].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be true",
        ),
        (
            {"sharedCounters": [{"name": "c", "counters": {"m": {"value": "1"}}}]},
            "only one of `sharedCounters` or `devices` is allowed",
        ),
        ({"devices": None, "sharedCounters": [{"name": "c"}]}, "spec.sharedCounters[0].counters: Required value"),
        (
            {"devices": [{"name": "a", "consumesCounters": [{"counterSet": "", "counters": {"m": {"value": "1"}}}]}]},
            "spec.devices[0].consumesCounters[0].counterSet: Required value",
        ),
    ],
)
def test_refusals(api: Api, slices: str, namespace: str, spec: Json, words: str) -> None:
    api.refused(422, "Invalid", "POST", slices, slice_of(namespace, **spec), says=words)
