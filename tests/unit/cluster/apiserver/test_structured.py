"""Structured DRA in each release that has it: versions, gates, limits.

What 1.37 does by default is compared with a real API server in ``tests/conformance/structured``.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.conversion.resource_v1beta1 import V1BETA1
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import BadRequestError, InvalidError

Json = dict[str, Any]
STRUCTURED = [each for each in RELEASES.values() if each.structured_version]
DRIVER = "driver.example.com"
TAINT = {"key": "example.com/broken", "effect": "NoSchedule", "timeAdded": "2026-01-02T03:04:05Z"}
COUNTERS = [{"name": "set", "counters": {"memory": {"value": "1"}}}]
CONSUMES = [{"counterSet": "set", "counters": {"memory": {"value": "1"}}}]


def client_of(version: str, **gates: bool) -> Client:
    """A client of a new server of that release."""
    return ApiServer(kubernetes_version=version, feature_gates=gates).client("tests")


def api_of(version: str) -> ResourceApi:
    return RESOURCE_APIS[RELEASES[version].structured_version]


def in_version(model: v1.ResourceSlice | v1.ResourceClaim, kind: type[Any]) -> Any:
    """An object of v1 in another version."""
    return kind.model_validate(model.model_dump(exclude_unset=True))


def slice_of(*devices: Mapping[str, Any], **spec: Any) -> v1.ResourceSlice:
    whole = {
        "driver": DRIVER,
        "nodeName": "n1",
        "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 1},
        "devices": devices or [{"name": "dev-0"}],
        **spec,
    }
    return v1.ResourceSlice.from_wire({"metadata": {"name": "s"}, "spec": whole})


def claim(**request: Any) -> v1.ResourceClaim:
    asked = {"name": "req", "exactly": {"deviceClassName": "class", **request}}
    spec = {"devices": {"requests": [asked]}}
    return v1.ResourceClaim.from_wire({"metadata": {"name": "c", "namespace": "default"}, "spec": spec})


async def stored(client: Client, api: ResourceApi, model: v1.ResourceSlice) -> Json:
    """The first device of a slice, as it is after it was created."""
    created = await client.create(in_version(model, api.slices))
    device: Json = created.spec.devices[0].to_wire()
    return device


# --- versions ---


@pytest.mark.parametrize(
    ("version", "served"),
    [("1.32", ["v1beta1"]), ("1.33", ["v1beta2", "v1beta1"]), ("1.34", ["v1"]), ("1.37", ["v1"])],
)
async def test_the_versions_of_a_release(version: str, served: list[str]) -> None:
    registry = ApiServer(kubernetes_version=version).registry
    assert registry.groups()["resource.k8s.io"] == served


@pytest.mark.parametrize("release", STRUCTURED, ids=lambda release: release.name)
async def test_a_slice_and_a_claim_in_the_version_of_each_release(release: Any) -> None:
    client, api = client_of(release.name), RESOURCE_APIS[release.structured_version]
    device = {"name": "dev-0", "attributes": {"index": {"int": 0}}, "capacity": {"memory": {"value": "1Gi"}}}
    assert await stored(client, api, slice_of(device)) == device
    created = await client.create(in_version(claim(), api.claims))
    exactly = created.spec.devices.requests[0].exactly
    assert (exactly.device_class_name, exactly.allocation_mode, exactly.count) == ("class", "ExactCount", 1)


@pytest.mark.parametrize(
    ("kind", "stored_spec"),
    [
        ("ResourceSlice", {"driver": "d", "devices": [{"name": "a", "attributes": {"x": {"int": 1}}}, {"name": "b"}]}),
        ("ResourceSlice", {"driver": "d", "nodeName": "n"}),
        ("ResourceClaim", {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c", "count": 1}}]}}),
        ("ResourceClaim", {"devices": {"requests": [{"name": "r", "firstAvailable": [{"name": "s"}]}]}}),
        ("ResourceClaim", {"devices": {"requests": None}}),
        ("ResourceClaimTemplate", {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"count": 1}}]}}}),
        ("ResourceClaimTemplate", {}),
    ],
)
def test_v1beta1_and_back_is_the_same(kind: str, stored_spec: Json) -> None:
    conversion, obj = V1BETA1[kind], {"metadata": {"name": "o"}, "spec": stored_spec}
    before = json.dumps(obj)
    shown = conversion.from_stored(obj)
    again = conversion.to_stored(shown)
    empty_class = json.dumps(again).replace('"deviceClassName": "", ', "")
    assert json.loads(empty_class) == json.loads(before.replace('"deviceClassName": "", ', ""))
    assert json.dumps(obj) == before


# --- gates ---


@pytest.mark.parametrize(
    ("gate", "fields"),
    [
        ("DRADeviceTaints", {"taints": [TAINT]}),
        ("DRAConsumableCapacity", {"allowMultipleAllocations": True}),
        ("DRAPartitionableDevices", {"consumesCounters": CONSUMES}),
        ("DRADeviceBindingConditions", {"bindingConditions": ["a"], "bindingFailureConditions": ["b"]}),
    ],
)
async def test_a_field_is_there_where_its_gate_is_on(gate: str, fields: Json) -> None:
    api, device = api_of("1.36"), {"name": "dev-0", **fields}
    assert await stored(client_of("1.36"), api, slice_of(device)) == device
    assert await stored(client_of("1.36", **{gate: False}), api, slice_of(device)) == {"name": "dev-0"}
    assert await stored(client_of("1.34"), api, slice_of(device)) == {"name": "dev-0"}


async def test_a_gate_can_be_switched_on() -> None:
    api, device = api_of("1.34"), {"name": "dev-0", "taints": [TAINT]}
    assert await stored(client_of("1.34", DRADeviceTaints=True), api, slice_of(device)) == device


async def test_a_release_knows_no_fields_of_later_ones() -> None:
    """They are unknown, which is another thing than switched off: a strict client is refused."""
    device = {"name": "dev-0", "taints": [TAINT]}
    assert await stored(client_of("1.32"), api_of("1.32"), slice_of(device)) == {"name": "dev-0"}


async def test_binding_conditions_need_the_status_of_devices() -> None:
    device = {"name": "dev-0", "bindingConditions": ["a"], "bindingFailureConditions": ["b"]}
    client = client_of("1.36", DRAResourceClaimDeviceStatus=False)
    assert await stored(client, api_of("1.36"), slice_of(device)) == {"name": "dev-0"}


async def test_what_devices_report_is_dropped_in_1_32() -> None:
    client, api = client_of("1.32"), api_of("1.32")
    await client.create(in_version(claim(), api.claims))
    result = {"request": "req", "driver": DRIVER, "pool": "n1", "device": "dev-0"}
    entry = {"driver": DRIVER, "pool": "n1", "device": "dev-0", "data": {"a": 1}}
    status = {"allocation": {"devices": {"results": [result]}}, "devices": [entry]}
    key = NamespacedName("default", "c")
    written = await client.merge_patch(api.claims, key, {"status": status}, subresource="status")
    assert written.status.allocation is not None
    assert written.status.devices == ()


async def test_admin_access_is_dropped_in_1_32_and_refused_without_a_label_later() -> None:
    for version, check in (("1.32", _is_dropped), ("1.37", _is_refused)):
        await check(client_of(version), api_of(version))


async def _is_dropped(client: Client, api: ResourceApi) -> None:
    created = await client.create(in_version(claim(adminAccess=True), api.claims))
    assert created.spec.devices.requests[0].exactly.admin_access is None


async def _is_refused(client: Client, api: ResourceApi) -> None:
    with pytest.raises(InvalidError, match=r"requires the `resource\.kubernetes\.io/admin-access: true` label"):
        await client.create(in_version(claim(adminAccess=True), api.claims))


# --- limits ---


def _tainted(taints: int) -> v1.ResourceSlice:
    return slice_of({"name": "dev-0", "taints": [{**TAINT, "key": f"k{number}"} for number in range(taints)]})


def _many(count: int, **fields: Any) -> v1.ResourceSlice:
    return slice_of(*({"name": f"dev-{number}", **fields} for number in range(count)))


@pytest.mark.parametrize(
    ("version", "make", "most"),
    [
        ("1.33", _tainted, 4),
        ("1.34", _tainted, 4),
        ("1.35", _tainted, 16),
        ("1.37", _tainted, 16),
        ("1.34", lambda count: _many(count, taints=[TAINT]), 128),
        ("1.37", lambda count: _many(count, taints=[TAINT]), 64),
        ("1.37", _many, 128),
    ],
)
async def test_limits_of_a_slice(version: str, make: Callable[[int], v1.ResourceSlice], most: int) -> None:
    api = api_of(version)
    await stored(client_of(version, DRADeviceTaints=True), api, make(most))
    with pytest.raises(InvalidError, match=f"must have at most {most} items"):
        await stored(client_of(version, DRADeviceTaints=True), api, make(most + 1))


async def test_counters_are_in_slices_of_their_own_from_1_35_on() -> None:
    model = slice_of({"name": "dev-0", "consumesCounters": CONSUMES}, sharedCounters=COUNTERS)
    await stored(client_of("1.34", DRAPartitionableDevices=True), api_of("1.34"), model)
    with pytest.raises(InvalidError, match="only one of `sharedCounters` or `devices` is allowed"):
        await stored(client_of("1.37"), api_of("1.37"), model)


@pytest.mark.parametrize("version", ["1.32", "1.36"])
async def test_slices_cannot_be_selected_by_pool_before_1_37(version: str) -> None:
    client, api = client_of(version), api_of(version)
    words = rf"field label not supported for resource\.k8s\.io/{api.version}, Kind=ResourceSlice: spec\.pool\.name"
    with pytest.raises(BadRequestError, match=words):
        await client.list(api.slices, field_selector="spec.pool.name=n1")


# --- resources of nodes that devices stand for ---

_CPU = "spec.devices[0].nodeAllocatableResources[cpu]"


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
async def test_what_a_device_takes_of_its_node_is_kept_in_each_version(version: str) -> None:
    resources = {
        "cpu": {"mapping": {"capacityKey": "cores", "capacityMultiplier": "2"}, "overhead": {"perPod": "100m"}},
        "hugepages-2Mi": {"overhead": {"perContainer": "2Mi"}},
    }
    device = {"name": "dev-0", "capacity": {"cores": {"value": "8"}}, "nodeAllocatableResources": resources}
    server = ApiServer(
        kubernetes_version="1.37",
        feature_gates={"DRANodeAllocatableResources": True},
        runtime_config={f"resource.k8s.io/{version}": True},
    )
    assert await stored(server.client("tests"), RESOURCE_APIS[version], slice_of(device)) == device


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"cpu": {}}, f"{_CPU}: Required value: at least one of mapping or overhead must be set"),
        (
            {"ephemeral-storage": {"overhead": {"perPod": "1"}}},
            'nodeAllocatableResources[ephemeral-storage]: Invalid value: "ephemeral-storage": must be a node '
            "allocatable resource name",
        ),
        (
            {"cpu": {"mapping": {}}},
            f'{_CPU}.mapping: Invalid value: "": must specify one of: `capacityKey`, `deviceMultiplier`',
        ),
        (
            {"cpu": {"mapping": {"capacityKey": ""}}},
            f'[{_CPU}.mapping.capacityKey: Invalid value: "": capacityKey must not be an empty string, '
            f"{_CPU}.mapping.capacityMultiplier: Required value: capacityMultiplier is required when capacityKey is "
            "set]",
        ),
        (
            {"cpu": {"mapping": {"capacityKey": "nope", "capacityMultiplier": "0"}}},
            f'[{_CPU}.mapping.capacityKey: Not found: "nope", {_CPU}.mapping.capacityMultiplier: Invalid value: "0": '
            "must be positive]",
        ),
        (
            {"cpu": {"mapping": {"capacityMultiplier": "0"}}},
            f"[{_CPU}.mapping.capacityKey: Required value: capacityKey is required when capacityMultiplier is set, "
            f'{_CPU}.mapping: Invalid value: "": must specify one of: `capacityKey`, `deviceMultiplier`]',
        ),
        (
            {"cpu": {"mapping": {"capacityKey": "cores", "capacityMultiplier": "1", "deviceMultiplier": "-1"}}},
            f'[{_CPU}.mapping.deviceMultiplier: Invalid value: "-1": must be positive, {_CPU}.mapping: Invalid value: '
            '"{capacityKey, deviceMultiplier}": must specify exactly one of: `capacityKey`, `deviceMultiplier`]',
        ),
        (
            {"cpu": {"overhead": {}}},
            f'{_CPU}.overhead: Invalid value: "": at least one of perPod or perContainer must be set',
        ),
        (
            {"cpu": {"overhead": {"perPod": "-1", "perContainer": "-2"}}},
            f'[{_CPU}.overhead.perPod: Invalid value: "-1": must be non-negative, {_CPU}.overhead.perContainer: '
            'Invalid value: "-2": must be non-negative]',
        ),
    ],
)
async def test_what_is_wrong_with_resources_of_nodes_is_said_in_the_words_of_1_37(resources: Json, words: str) -> None:
    """The gate is off by default, so these were compared by hand with a 1.37.2 in which it was on."""
    device = {"name": "dev-0", "capacity": {"cores": {"value": "8"}}, "nodeAllocatableResources": resources}
    client = client_of("1.37", DRANodeAllocatableResources=True)
    with pytest.raises(InvalidError) as refused:
        await stored(client, api_of("1.37"), slice_of(device))
    assert words in str(refused.value)
