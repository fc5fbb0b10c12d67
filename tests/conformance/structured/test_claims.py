"""ResourceClaims: what users ask for, what the scheduler writes into the status, and what drivers add to it."""

from typing import Any

import pytest

from tests.conformance.api import APPLY, MERGE_PATCH, Api, Json, causes
from tests.conformance.structured.objects import DRIVER, allocation, claim, consumer, path, result, template

ADMIN = (
    "admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace"
)
REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
CLASS = "class.example.com"
PARAMETERS: Json = {"driver": DRIVER, "parameters": {"kind": "Config", "size": 1}}


def exactly(name: str = "req", **fields: Any) -> Json:
    """A request for devices of a class."""
    return {"name": name, "exactly": {"deviceClassName": CLASS, **fields}}


def alternatives(*names: str) -> Json:
    """A request with subrequests."""
    return {"name": "req", "firstAvailable": [{"name": name, "deviceClassName": CLASS} for name in names]}


def apply_devices(*entries: Json, namespace: str) -> Json:
    """What a driver applies to the status of the claim ``a``."""
    metadata = {"name": "a", "namespace": namespace}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": metadata,
        "status": {"devices": list(entries)},
    }


def entry(device: str = "dev-0", driver: str = DRIVER, **more: Any) -> Json:
    """What a driver says of a device."""
    return {"driver": driver, "pool": "n1", "device": device, **more}


def condition(**more: str) -> Json:
    """A condition of a device."""
    whole = {"type": "Ready", "status": "True", "reason": "Prepared", "message": ""}
    return {**whole, "lastTransitionTime": "2024-05-01T10:00:00Z", **more}


@pytest.fixture
def status(api: Api, claims: str) -> str:
    """The status of a claim ``a``, newly created."""
    api.post(claims, claim("a"))
    return f"{claims}/a/status"


@pytest.fixture
def allocated(api: Api, status: str) -> str:
    """The status of a claim ``a`` that has two devices, one of another driver, for a pod ``p``."""
    other = {**result("dev-1"), "driver": "other.example.com"}
    api.patch(status, {"status": allocation(result(), other, pods=("p",))})
    return status


# --- the spec ---


def test_defaults(api: Api, claims: str) -> None:
    """A request is for one device; a status in the body is not taken; there is no generation."""
    answer = api.post(claims, {**claim("a"), "status": allocation()})
    asked = {"deviceClassName": CLASS, "allocationMode": "ExactCount", "count": 1}
    assert answer["spec"] == {"devices": {"requests": [{"name": "req", "exactly": asked}]}}
    assert answer["status"] == {}
    assert "generation" not in answer["metadata"]


def test_defaults_of_subrequests_and_tolerations(api: Api, claims: str) -> None:
    toleration = {"key": "example.com/broken", "effect": "NoSchedule"}
    everything = exactly("all", allocationMode="All", tolerations=[toleration])
    requests = api.post(claims, claim("a", alternatives("one"), everything))["spec"]["devices"]["requests"]
    assert requests[0]["firstAvailable"] == [
        {"name": "one", "deviceClassName": CLASS, "allocationMode": "ExactCount", "count": 1}
    ]
    assert requests[1]["exactly"] == {
        "deviceClassName": CLASS,
        "allocationMode": "All",
        "tolerations": [{**toleration, "operator": "Equal"}],
    }


def test_a_claim_without_requests(api: Api, claims: str) -> None:
    body = claim("a")
    del body["spec"]["devices"]["requests"]
    assert api.post(claims, body)["spec"] == {"devices": {"requests": None}}


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        (
            [{"name": "req"}],
            "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
        ),
        (
            [{**exactly(), **alternatives("one")}],
            "exactly one of `exactly` or `firstAvailable` is required, but multiple",
        ),
        (
            [{"name": "req", "exactly": {"count": 1}}],
            "spec.devices.requests[0].exactly.deviceClassName: Required value",
        ),
        ([exactly(deviceClassName="No Name")], "spec.devices.requests[0].exactly.deviceClassName: Invalid value"),
        ([exactly(count=-1)], "spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero"),
        (
            [exactly(allocationMode="All", count=1)],
            "count: Invalid value: 1: must not be specified when allocationMode is 'All'",
        ),
        ([exactly(allocationMode="Some")], 'exactly.allocationMode: Unsupported value: "Some"'),
        ([exactly(), exactly()], "spec.devices.requests[1]: Duplicate value:"),
        ([exactly("No_Name")], 'spec.devices.requests[0].name: Invalid value: "No_Name": a lowercase RFC 1123 label'),
        (
            [exactly(f"r{number}") for number in range(33)],
            "spec.devices.requests: Too many: 33: must have at most 32 items",
        ),
        (
            [alternatives(*(f"s{number}" for number in range(9)))],
            "firstAvailable: Too many: 9: must have at most 8 items",
        ),
        ([exactly(selectors=[{}])], "exactly.selectors[0].cel: Required value"),
        ([exactly(selectors=[{"cel": {"expression": "true " * 2100}}])], "may not be more than 10240 bytes"),
        (
            [exactly(tolerations=[{"key": "a", "operator": "Exists", "value": "v"}])],
            "must be empty for operator `Exists`",
        ),
        ([exactly(tolerations=[{"key": "a", "operator": "Like"}])], 'operator: Unsupported value: "Like"'),
    ],
)
def test_refused_requests(api: Api, claims: str, requests: list[Json], words: str) -> None:
    api.refused(422, "Invalid", "POST", claims, claim("a", *requests), says=words)


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (
            {"constraints": [{}]},
            'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
        ),
        (
            {"constraints": [{"matchAttribute": "model"}]},
            "a fully qualified name must be a domain and a name separated by a slash",
        ),
        ({"constraints": [{"requests": ["other"], "matchAttribute": "d/model"}]}, f'"other": {REFERENCE}'),
        ({"config": [{"requests": ["req/none"], "opaque": PARAMETERS}]}, f'"req/none": {REFERENCE}'),
        (
            {"config": [{"requests": ["req", "req"], "opaque": PARAMETERS}]},
            'config[0].requests[1]: Duplicate value: "req"',
        ),
        ({"config": [{}]}, "spec.devices.config[0].opaque: Required value"),
        ({"config": [{"opaque": {"driver": DRIVER}}]}, "spec.devices.config[0].opaque.parameters: Required value"),
        (
            {"config": [{"opaque": {"driver": "", "parameters": {}}}]},
            "spec.devices.config[0].opaque.driver: Required value",
        ),
        (
            {"config": [{"opaque": {"driver": DRIVER, "parameters": {"a": "x" * 10240}}}]},
            "spec.devices.config[0].opaque.parameters: Too long: may not be more than 10240 bytes",
        ),
    ],
)
def test_refused_constraints_and_configurations(api: Api, claims: str, devices: Json, words: str) -> None:
    api.refused(422, "Invalid", "POST", claims, claim("a", **devices), says=words)


def test_both_attributes_of_a_constraint_are_taken(api: Api, claims: str) -> None:
    """Which the words of the refusal deny."""
    both = {"matchAttribute": "d/model", "distinctAttribute": "d/uuid"}
    assert api.post(claims, claim("a", constraints=[both]))["spec"]["devices"]["constraints"] == [both]


def test_the_spec_is_immutable(api: Api, claims: str) -> None:
    created = api.post(claims, claim("a"))
    created["spec"]["devices"]["requests"][0]["exactly"]["count"] = 2
    answer = api.refused(422, "Invalid", "PUT", f"{claims}/a", created, says="field is immutable")
    assert causes(answer) == {"spec": "FieldValueInvalid"}


def test_a_template_is_checked_and_immutable(api: Api, namespace: str) -> None:
    templates = path("resourceclaimtemplates", namespace=namespace)
    api.refused(422, "Invalid", "POST", templates, template("t", {"name": "req"}), says="spec.spec.devices.requests[0]")
    created = api.post(templates, template("t"))
    assert created["spec"]["spec"]["devices"]["requests"][0]["exactly"]["count"] == 1
    created["spec"]["metadata"] = {"labels": {"a": "b"}}
    api.refused(422, "Invalid", "PUT", f"{templates}/t", created, says="field is immutable")


def test_admin_access_needs_a_label_on_the_namespace(api: Api, claims: str, namespace: str) -> None:
    """In claims, in templates, and in what is allocated."""
    templates = path("resourceclaimtemplates", namespace=namespace)
    wanted = exactly(adminAccess=True)
    for collection, body in ((claims, claim("a", wanted)), (templates, template("t", wanted))):
        answer = api.refused(422, "Invalid", "POST", collection, body, says=ADMIN)
        assert causes(answer) == {"spec.devices.requests[0].adminAccess": "FieldValueForbidden"}
    label = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    api.patch(f"/api/v1/namespaces/{namespace}", label)
    assert api.post(claims, claim("a", wanted))["spec"]["devices"]["requests"][0]["exactly"]["adminAccess"] is True
    api.patch(
        f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": {"resource.kubernetes.io/admin-access": None}}}
    )
    given = {"status": allocation(result(adminAccess=True))}
    api.refused(422, "Invalid", "PATCH", f"{claims}/a/status", given, says=ADMIN, content_type=MERGE_PATCH)


# --- allocation ---


def test_the_status_is_written_by_itself(api: Api, claims: str, status: str) -> None:
    """The object's path writes no status; the status' path writes no spec, no finalizers and no labels."""
    assert api.patch(f"{claims}/a", {"status": allocation()})["status"] == {}
    more = {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/f"]}, "spec": {"devices": {}}}
    answer = api.patch(status, {"status": allocation(), **more})
    assert answer["status"] == allocation()
    assert "labels" not in answer["metadata"]
    assert "finalizers" not in answer["metadata"]
    assert answer["spec"]["devices"]["requests"]


def test_an_allocation_as_the_scheduler_writes_it(api: Api, claims: str, status: str) -> None:
    node = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]}
    found = api.get(f"{claims}/a")
    found["status"] = allocation(pods=("p",), nodeSelector=node, allocationTimestamp="2024-05-01T10:00:00Z")
    config = {"source": "FromClass", "requests": ["req"], "opaque": PARAMETERS}
    found["status"]["allocation"]["devices"]["config"] = [config]
    assert api.put(status, found)["status"] == found["status"]


def test_an_allocation_is_set_and_taken_back_but_never_changed(api: Api, status: str) -> None:
    api.patch(status, {"status": allocation()})
    other = {"status": allocation(result("dev-1"))}
    words = "Invalid value: null: field cannot be modified once set"
    answer = api.refused(422, "Invalid", "PATCH", status, other, says=words, content_type=MERGE_PATCH)
    assert causes(answer) == {"status.allocation": "FieldValueInvalid"}
    assert api.patch(status, {"status": {"allocation": None}})["status"] == {}
    assert api.patch(status, other)["status"] == other["status"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"reservedFor": [consumer("p")]},
            "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
        ),
        (allocation(result(request="other")), f'results[0].request: Invalid value: "other": {REFERENCE}'),
        (allocation(result(pool="")), "status.allocation.devices.results[0].pool: Required value"),
        (
            allocation(*(result(f"dev-{number}") for number in range(33))),
            "results: Too many: 33: must have at most 32 items",
        ),
        (
            allocation(result(shareID="no uid")),
            'results[0].shareID: Invalid value: "no uid": must be a lowercase UUID in',
        ),
        (
            {**allocation(), "reservedFor": [consumer(f"p{number}") for number in range(257)]},
            "status.reservedFor: Too many: 257: must have at most 256 items",
        ),
        (
            {**allocation(), "reservedFor": [{"resource": "pods", "uid": "u"}]},
            "status.reservedFor[0].name: Required value",
        ),
        ({**allocation(), "devices": [entry("dev-1")]}, "must be an allocated device in the claim"),
        ({"devices": [entry()]}, "must be an allocated device in the claim"),
        ({**allocation(), "devices": [entry(data={"a": "x" * 10240})]}, "status.devices[0].data: Too long"),
        (
            {**allocation(), "devices": [entry(conditions=[condition(reason="")])]},
            "conditions[0].reason: Required value",
        ),
        (
            {**allocation(), "devices": [entry(conditions=[condition(type=f"T{number}") for number in range(9)])]},
            "status.devices[0].conditions: Too many: 9: must have at most 8 items",
        ),
    ],
)
def test_refused_statuses(api: Api, status: str, given: Json, words: str) -> None:
    api.refused(422, "Invalid", "PATCH", status, {"status": given}, says=words, content_type=MERGE_PATCH)


def test_no_pod_is_added_to_a_claim_that_is_being_deleted(api: Api, claims: str, allocated: str) -> None:
    api.add_finalizer(f"{claims}/a")
    api.delete(f"{claims}/a")
    more = {"status": {"reservedFor": [consumer("p"), consumer("q")]}}
    words = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
    api.refused(422, "Invalid", "PATCH", allocated, more, says=words, content_type=MERGE_PATCH)
    api.patch(allocated, {"status": {"reservedFor": None}})


def test_a_pod_is_taken_off_by_its_uid(api: Api, allocated: str) -> None:
    """As the scheduler does it, which may not know of other pods."""
    api.patch(allocated, {"status": {"reservedFor": [consumer("p"), consumer("q")]}})
    body = {"status": {"reservedFor": [{"$patch": "delete", "uid": "uid-p"}]}}
    answer = api.patch(allocated, body, "application/strategic-merge-patch+json")
    assert answer["status"]["reservedFor"] == [consumer("q")]


# --- what drivers report ---


def test_each_driver_owns_its_devices(api: Api, allocated: str, namespace: str) -> None:
    mine = entry(data={"uuid": "FAKE-1"}, conditions=[condition()])
    theirs = entry("dev-1", "other.example.com", data={"a": 1})
    api.apply(allocated, apply_devices(mine, namespace=namespace), DRIVER, force="true")
    answer = api.apply(allocated, apply_devices(theirs, namespace=namespace), "other.example.com", force="true")
    assert answer["status"]["devices"] == [mine, {**theirs, "conditions": None}]
    less = entry(conditions=[condition()])
    answer = api.apply(allocated, apply_devices(less, namespace=namespace), DRIVER, force="true")
    assert answer["status"]["devices"][0] == less
    answer = api.apply(allocated, apply_devices(namespace=namespace), DRIVER, force="true")
    assert [each["device"] for each in answer["status"]["devices"]] == ["dev-1"]
    assert answer["status"]["reservedFor"] == [consumer("p")]


def test_applying_again_writes_nothing(api: Api, allocated: str, namespace: str) -> None:
    body = apply_devices(entry(data={"uuid": "FAKE-1"}), namespace=namespace)
    first = api.apply(allocated, body, DRIVER, force="true")
    assert api.apply(allocated, body, DRIVER, force="true") == first


def test_two_conditions_of_one_type_cannot_be_applied(api: Api, allocated: str, namespace: str) -> None:
    body = apply_devices(entry(conditions=[condition(), condition()]), namespace=namespace)
    answer = api.call("PATCH", allocated, body, content_type=APPLY, fieldManager=DRIVER, force="true")
    assert answer.status_code >= 400


def test_shares_of_a_device_are_told_apart(api: Api, status: str, namespace: str) -> None:
    shares = ("11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666")
    api.patch(status, {"status": allocation(*(result(shareID=share) for share in shares))})
    entries = [entry(shareID=share, data={"share": share}) for share in shares]
    answer = api.apply(status, apply_devices(*entries, namespace=namespace), DRIVER, force="true")
    assert [each["shareID"] for each in answer["status"]["devices"]] == list(shares)


def test_deallocation_drops_what_was_reported(api: Api, allocated: str, namespace: str) -> None:
    """Whoever deallocates may know nothing of it, and may even send it."""
    api.apply(allocated, apply_devices(entry(), namespace=namespace), DRIVER, force="true")
    answer = api.patch(allocated, {"status": {"allocation": None, "reservedFor": None}})
    assert answer["status"] == {}


def test_a_claim_of_another_uid_is_not_written(api: Api, allocated: str, namespace: str) -> None:
    """What a driver applies for a claim that was deleted and created again."""
    body = apply_devices(entry(), namespace=namespace)
    body["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555"
    options = {"content_type": APPLY, "fieldManager": DRIVER, "force": "true"}
    answer = api.refused(422, "Invalid", "PATCH", allocated, body, says="field is immutable", **options)
    assert causes(answer) == {"metadata.uid": "FieldValueInvalid"}
