"""Classic DRA: the kinds of resource.k8s.io/v1alpha2, as scheduler, controller and kubelet use them."""

import pytest

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, Api, Json, causes
from tests.conformance.objects import RESOURCE, claim, core, pod, resource

DRIVER = "driver.example.com"


def resource_class(name: str) -> Json:
    """A ResourceClass."""
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClass",
        "metadata": {"name": name},
        "driverName": DRIVER,
    }


def slice_of(name: str, node_name: str) -> Json:
    """A ResourceSlice."""
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "nodeName": node_name,
        "driverName": DRIVER,
        "namedResources": {"instances": [{"name": "one"}]},
    }


def allocation(**more: object) -> Json:
    """The status that a controller writes with its allocation."""
    nodes = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "host", "operator": "In", "values": ["n1"]}]}]}
    handles = [{"driverName": DRIVER, "data": "{}"}]
    return {"driverName": DRIVER, "allocation": {"resourceHandles": handles, "availableOnNodes": nodes, **more}}


def consumer(name: str) -> Json:
    """An entry of reservedFor."""
    return {"resource": "pods", "name": name, "uid": f"uid-{name}"}


@pytest.fixture
def claims(namespace: str) -> str:
    """The claims of the test's namespace."""
    return resource(namespace, "resourceclaims")


@pytest.fixture
def status_path(api: Api, claims: str) -> str:
    """The status of a claim ``a``, newly created."""
    api.post(claims, claim("a"))
    return f"{claims}/a/status"


def test_class(api: Api, namespace: str) -> None:
    """A01."""
    body = resource_class(namespace)
    body["parametersRef"] = {"apiGroup": "fake.example.com", "kind": "Parameters", "name": "p"}
    answer = api.post(f"{RESOURCE}/resourceclasses", body)
    assert "namespace" not in answer["metadata"]
    path = f"{RESOURCE}/resourceclasses/{namespace}"
    assert api.get(path)["parametersRef"] == body["parametersRef"]
    assert api.patch(path, {"parametersRef": None}).get("parametersRef") is None
    api.delete(path)
    api.gone(path)


def test_class_validation(api: Api, namespace: str) -> None:
    """A01: a driver is needed."""
    body = resource_class(namespace)
    del body["driverName"]
    status = api.refused(422, "Invalid", "POST", f"{RESOURCE}/resourceclasses", body)
    reasons = [(each["field"], each["reason"]) for each in status["details"]["causes"]]
    assert reasons == [("driverName", "FieldValueRequired"), ("driverName", "FieldValueInvalid")]
    body = {**resource_class(namespace), "parametersRef": {"name": "p"}}
    status = api.refused(422, "Invalid", "POST", f"{RESOURCE}/resourceclasses", body)
    assert causes(status) == {"parametersRef.kind": "FieldValueRequired"}


def test_slice(api: Api, namespace: str) -> None:
    """A02."""
    answer = api.post(f"{RESOURCE}/resourceslices", slice_of(namespace, "n1"))
    assert answer["namedResources"]["instances"] == [{"name": "one"}]
    assert api.get(f"{RESOURCE}/resourceslices/{namespace}") == answer


def test_slice_validation(api: Api, namespace: str) -> None:
    """A03."""
    body = slice_of(namespace, "n1")
    del body["driverName"], body["namedResources"]
    status = api.refused(422, "Invalid", "POST", f"{RESOURCE}/resourceslices", body)
    assert causes(status).keys() == {"driverName", "<nil>"}


def test_slice_selectors(api: Api, namespace: str) -> None:
    """A04."""
    for suffix in ("1", "2"):
        api.post(f"{RESOURCE}/resourceslices", slice_of(f"{namespace}-{suffix}", f"{namespace}-node{suffix}"))
    found = api.get(f"{RESOURCE}/resourceslices", fieldSelector=f"nodeName={namespace}-node2,driverName={DRIVER}")
    assert [each["metadata"]["name"] for each in found["items"]] == [f"{namespace}-2"]


def test_claim_defaults(api: Api, claims: str) -> None:
    """What a claim is when it is new; a status in the body is not taken."""
    answer = api.post(claims, {**claim("a"), "status": allocation()})
    assert answer["spec"] == {"resourceClassName": "class.example.com", "allocationMode": "WaitForFirstConsumer"}
    assert answer["status"] == {}
    assert "generation" not in answer["metadata"]


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"resourceClassName": ""}, "spec.resourceClassName", "FieldValueInvalid"),
        ({"resourceClassName": "Not A Name"}, "spec.resourceClassName", "FieldValueInvalid"),
        ({"allocationMode": "Later"}, "spec.allocationMode", "FieldValueNotSupported"),
        ({"parametersRef": {"name": "p"}}, "spec.parametersRef.kind", "FieldValueRequired"),
        ({"parametersRef": {"kind": "P"}}, "spec.parametersRef.name", "FieldValueRequired"),
    ],
)
def test_claim_validation(api: Api, claims: str, spec: Json, field: str, reason: str) -> None:
    """What a manifest gets wrong."""
    status = api.refused(422, "Invalid", "POST", claims, claim("a", **spec))
    assert (field, reason) in causes(status).items()


def test_claim_spec_is_immutable(api: Api, claims: str) -> None:
    """A05."""
    created = api.post(claims, claim("a"))
    created["spec"]["resourceClassName"] = "other.example.com"
    status = api.refused(422, "Invalid", "PUT", f"{claims}/a", created, says="field is immutable")
    assert causes(status) == {"spec": "FieldValueInvalid"}


def test_claim_status(api: Api, claims: str, status_path: str) -> None:
    """A05: written through the subresource only, which writes nothing else."""
    assert api.patch(f"{claims}/a", {"status": allocation()})["status"] == {}
    answer = api.patch(status_path, {"status": allocation(), "spec": {"allocationMode": "Immediate"}})
    assert answer["status"] == allocation()
    assert answer["spec"]["allocationMode"] == "WaitForFirstConsumer"


def test_claim_finalizer_and_status_are_two_writes(api: Api, claims: str, status_path: str) -> None:
    """As the controller does it: a finalizer first, then the allocation against that version."""
    api.add_finalizer(f"{claims}/a")
    found = api.get(f"{claims}/a")
    found["status"] = allocation()
    stale = {**found, "metadata": {**found["metadata"], "resourceVersion": "1"}}
    api.refused(409, "Conflict", "PUT", status_path, stale)
    assert api.put(status_path, found)["status"]["driverName"] == DRIVER
    held = api.delete(f"{claims}/a")
    assert held["metadata"]["finalizers"] == ["example.com/hold"]
    assert held["status"]["allocation"]


def test_allocation_needs_a_driver(api: Api, status_path: str) -> None:
    """The two belong together."""
    body: Json = {"status": {"allocation": {"shareable": True}}}
    status = api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH)
    assert causes(status) == {"status.driverName": "FieldValueRequired"}


def test_allocation_is_immutable(api: Api, status_path: str) -> None:
    """It can be cleared and made again, not changed."""
    api.patch(status_path, {"status": allocation()})
    body: Json = {"status": {"allocation": {"shareable": True}}}
    status = api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH)
    assert causes(status) == {"status.allocation": "FieldValueInvalid"}
    assert api.patch(status_path, {"status": {"allocation": None, "driverName": None}})["status"] == {}


def test_reserved_for(api: Api, status_path: str) -> None:
    """Only what is allocated can be reserved, and for one pod unless it is shareable."""
    body: Json = {"status": {"reservedFor": [consumer("x")]}}
    status = api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH)
    assert causes(status) == {"status.reservedFor": "FieldValueForbidden"}
    api.patch(status_path, {"status": {**allocation(), "reservedFor": [consumer("x")]}})
    body = {"status": {"reservedFor": [consumer("x"), consumer("y")]}}
    status = api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH)
    assert causes(status) == {"status.reservedFor": "FieldValueForbidden"}


def test_reserved_for_of_a_shared_claim(api: Api, status_path: str) -> None:
    """At most 32 consumers, none twice, each complete."""
    api.patch(status_path, {"status": allocation(shareable=True)})

    def reserve(*consumers: Json) -> Json:
        body: Json = {"status": {"reservedFor": list(consumers)}}
        return causes(api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH))

    many = [consumer(f"p{number}") for number in range(33)]
    assert reserve(*many) == {"status.reservedFor": "FieldValueTooLong"}
    assert reserve(consumer("x"), consumer("x")) == {"status.reservedFor[1].uid": "FieldValueDuplicate"}
    assert reserve({"resource": "pods"}).keys() == {"status.reservedFor[0].name", "status.reservedFor[0].uid"}
    api.patch(status_path, {"status": {"reservedFor": many[:32]}})


def test_deallocation(api: Api, claims: str, status_path: str) -> None:
    """Can be requested only of a claim that is not in use, which cannot be reserved then; only the driver ends it."""
    api.patch(status_path, {"status": {**allocation(), "reservedFor": [consumer("x")]}})
    ask: Json = {"status": {"deallocationRequested": True}}
    status = api.refused(422, "Invalid", "PATCH", status_path, ask, content_type=MERGE_PATCH)
    assert "FieldValueForbidden" in causes(status).values()
    answer = api.patch(status_path, {"status": {"deallocationRequested": True, "reservedFor": None}})
    assert answer["status"]["deallocationRequested"] is True
    body: Json = {"status": {"reservedFor": [consumer("y")]}}
    status = api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH)
    assert causes(status) == {"status.reservedFor": "FieldValueForbidden"}
    body = {"status": {"deallocationRequested": False}}
    status = api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH)
    assert causes(status) == {"status.deallocationRequested": "FieldValueForbidden"}
    done: Json = {"status": {"allocation": None, "driverName": None, "deallocationRequested": None}}
    assert api.patch(status_path, done)["status"] == {}


def test_handle_too_long(api: Api, status_path: str) -> None:
    """16 KiB for a handle."""
    body: Json = {"status": allocation(resourceHandles=[{"driverName": DRIVER, "data": "x" * (16 * 1024 + 1)}])}
    status = api.refused(422, "Invalid", "PATCH", status_path, body, content_type=MERGE_PATCH)
    assert list(causes(status).values()) == ["FieldValueTooLong"]


def test_status_by_json_patch(api: Api, status_path: str) -> None:
    """Removing one reservation against what one has seen, as the resource claim controller may."""
    api.patch(status_path, {"status": {**allocation(shareable=True), "reservedFor": [consumer("x"), consumer("y")]}})
    operations: list[Json] = [
        {"op": "test", "path": "/status/reservedFor/0/uid", "value": "uid-x"},
        {"op": "remove", "path": "/status/reservedFor/0"},
    ]
    answer = api.patch(status_path, operations, JSON_PATCH)
    assert [each["name"] for each in answer["status"]["reservedFor"]] == ["y"]


def test_template(api: Api, namespace: str) -> None:
    """Templates are defaulted as claims are, and cannot be changed."""
    path = resource(namespace, "resourceclaimtemplates")
    body = {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "a"},
        "spec": {"metadata": {"labels": {"l": "m"}}, "spec": {"resourceClassName": "class.example.com"}},
    }
    created = api.post(path, body)
    assert created["spec"]["spec"]["allocationMode"] == "WaitForFirstConsumer"
    created["spec"]["spec"]["resourceClassName"] = "other"
    status = api.refused(422, "Invalid", "PUT", f"{path}/a", created, says="field is immutable")
    assert causes(status) == {"spec": "FieldValueInvalid"}


def scheduling_context(name: str, **spec: object) -> Json:
    """A PodSchedulingContext."""
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "PodSchedulingContext",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_scheduling_context(api: Api, namespace: str) -> None:
    """The scheduler writes the spec, the driver its entry of the status."""
    path = resource(namespace, "podschedulingcontexts")
    created = api.post(path, scheduling_context("a", potentialNodes=["n1", "n2"]))
    assert created["status"] == {}
    answer = api.patch(f"{path}/a", {"spec": {"selectedNode": "n1"}, "status": {"resourceClaims": [{"name": "c"}]}})
    assert answer["spec"] == {"selectedNode": "n1", "potentialNodes": ["n1", "n2"]}
    assert answer["status"] == {}
    entries = [{"name": "c", "unsuitableNodes": ["n2"]}]
    answer = api.patch(f"{path}/a/status", {"status": {"resourceClaims": entries}, "spec": {"selectedNode": "n2"}})
    assert answer["status"] == {"resourceClaims": entries}
    assert answer["spec"]["selectedNode"] == "n1"


def test_scheduling_context_entries_are_applied_one_by_one(api: Api, namespace: str) -> None:
    """Two drivers answer for one pod: a list map by name."""
    path = resource(namespace, "podschedulingcontexts")
    api.post(path, scheduling_context("a", potentialNodes=["n1"]))
    for name in ("c", "d"):
        body = scheduling_context("a")
        del body["spec"]
        body["status"] = {"resourceClaims": [{"name": name, "unsuitableNodes": ["n1"]}]}
        answer = api.apply(f"{path}/a/status", body, f"driver-{name}")
    assert [each["name"] for each in answer["status"]["resourceClaims"]] == ["c", "d"]


def test_scheduling_context_limits(api: Api, namespace: str) -> None:
    """At most 128 nodes."""
    path = resource(namespace, "podschedulingcontexts")
    nodes = [f"n{number}" for number in range(129)]
    status = api.refused(422, "Invalid", "POST", path, scheduling_context("a", potentialNodes=nodes))
    assert causes(status) == {"spec.potentialNodes": "FieldValueTooLong"}
    api.post(path, scheduling_context("a", potentialNodes=nodes[:128]))
    body: Json = {"status": {"resourceClaims": [{"name": "c", "unsuitableNodes": nodes}]}}
    status = api.refused(422, "Invalid", "PATCH", f"{path}/a/status", body, content_type=MERGE_PATCH)
    assert causes(status) == {"status.claims[0].unsuitableNodes": "FieldValueTooLong"}


def test_cluster_scope(api: Api, namespace: str) -> None:
    """A06."""
    path = resource(namespace, "resourceclasses")
    assert api.call("GET", path).status_code == 404
    assert api.call("POST", path, resource_class(namespace)).status_code == 404


def test_later_version(api: Api) -> None:
    """1.30 has no structured DRA."""
    assert api.call("GET", "/apis/resource.k8s.io/v1/deviceclasses").status_code == 404


def test_pod_with_claims(api: Api, namespace: str) -> None:
    """The pod's side: claims by name and by template, and the generated names in its status."""
    refs = [
        {"name": "own", "source": {"resourceClaimTemplateName": "template"}},
        {"name": "shared", "source": {"resourceClaimName": "claim"}},
    ]
    containers = [{"name": "main", "image": "busybox:1.37", "resources": {"claims": [{"name": "own"}]}}]
    path = core(namespace, "pods")
    answer = api.post(path, pod("a", {"containers": containers, "resourceClaims": refs}))
    assert answer["spec"]["resourceClaims"] == refs
    assert answer["spec"]["containers"][0]["resources"] == {"claims": [{"name": "own"}]}
    statuses = [{"name": "own", "resourceClaimName": "a-own-x7z"}]
    answer = api.patch(f"{path}/a/status", {"status": {"resourceClaimStatuses": statuses}})
    assert answer["status"]["resourceClaimStatuses"] == statuses
    bad: Json = {"status": {"resourceClaimStatuses": [{"name": "none", "resourceClaimName": "c"}]}}
    status = api.refused(422, "Invalid", "PATCH", f"{path}/a/status", bad, content_type=MERGE_PATCH)
    assert causes(status)["status.resourceClaimStatuses[0].name"] == "FieldValueInvalid"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "pending"),
        (allocation(), "allocated"),
        ({**allocation(), "reservedFor": [consumer("x")]}, "allocated,reserved"),
    ],
)
def test_claim_in_a_table(api: Api, claims: str, status_path: str, status: Json, state: str) -> None:
    """What kubectl get resourceclaims shows."""
    api.patch(status_path, {"status": status})
    table = api.call("GET", claims, accept="application/json;as=Table;v=v1;g=meta.k8s.io").json()
    assert [each["name"] for each in table["columnDefinitions"]] == [
        "Name",
        "ResourceClassName",
        "AllocationMode",
        "State",
        "Age",
    ]
    [row] = table["rows"]
    assert row["cells"][:4] == ["a", "class.example.com", "WaitForFirstConsumer", state]


def test_status_of_a_claim(api: Api, namespace: str) -> None:
    """reservedFor is a list map by UID."""
    api.post(resource(namespace, "resourceclaims"), claim("a"))
    path = resource(namespace, "resourceclaims", "a") + "/status"
    base = {"apiVersion": "resource.k8s.io/v1alpha2", "kind": "ResourceClaim", "metadata": {"name": "a"}}
    allocated = {"driverName": "driver.example.com", "allocation": {"shareable": True}}
    api.apply(path, {**base, "status": allocated}, "driver")
    for name in ("x", "y"):
        consumers = [{"resource": "pods", "name": name, "uid": f"uid-{name}"}]
        answer = api.apply(path, {**base, "status": {"reservedFor": consumers}}, f"scheduler-{name}")
    assert [each["name"] for each in answer["status"]["reservedFor"]] == ["x", "y"]


def test_a_pod_has_to_say_where_its_claim_comes_from(api: Api, namespace: str) -> None:
    """C14."""
    body = pod("a", {"resourceClaims": [{"name": "c", "source": {}}]})
    status = api.refused(422, "Invalid", "POST", core(namespace, "pods"), body)
    assert causes(status) == {"spec.resourceClaims[0].source": "FieldValueInvalid"}
