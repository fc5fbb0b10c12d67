"""What is sent of a pool is what the models would send, and nothing is sent that would be refused."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.apiserver.http.protobuf import decode_protobuf
from fake_dra_driver.dra.structured import Pool, PoolError
from fake_dra_driver.dra.structured.fleet.encoding import PoolEncoder
from fake_dra_driver.dra.structured.fleet.slicemessage import SliceMessages
from fake_dra_driver.dra.structured.pool import slices_of
from fake_dra_driver.dra.structured.slicespec import at_generation
from tests.support.slice_world import taint

DRIVER = "gpu.example.com"
MODEL = v1.DeviceAttribute(string="H100")
OTHER = v1.DeviceAttribute(string="another text")
MEMORY = v1.DeviceCapacity(value="80Gi")
USED = v1.DeviceCounterConsumption(counter_set="gpu-0", counters={"memory": v1.Counter(value="1Gi")})
SETS = tuple(v1.CounterSet(name=f"gpu-{n}", counters={"memory": v1.Counter(value="80Gi")}) for n in range(9))

COLOURED = v1.CounterSet(name="gpu-0", counters={"memory": v1.Counter(value="1Gi", colour="red")})


def device(number: int, uuid: str, **fields: Any) -> v1.Device:
    attributes = {
        "model": MODEL,
        "uuid": v1.DeviceAttribute(string=uuid),
        "index": v1.DeviceAttribute(int_value=number),
    }
    return v1.Device(name=f"gpu-{number}", **{"attributes": attributes, "capacity": {"memory": MEMORY}, **fields})


def pool(node: str, *devices: v1.Device, **fields: Any) -> Pool:
    return Pool(node, devices, node_name=node, **fields)


def without_empty(value: Any) -> Any:
    """The object without empty objects, which are nothing in protobuf."""
    if isinstance(value, dict):
        return {name: without_empty(each) for name, each in value.items() if each != {}}
    return [without_empty(each) for each in value] if isinstance(value, list) else value


POOLS = [
    pool("node-0", *(device(n, f"node-0-{n}") for n in range(200))),
    pool("node-1", *(device(n, f"node-1-{n}") for n in range(200))),
    pool("node-2", *(device(n, f'"\\ü{n}') for n in range(200)), shared_counters=SETS),
    pool("node-3", *(device(n, f"node-3-{n}", consumes_counters=(USED,)) for n in range(70)), shared_counters=SETS),
    pool("node-4", device(0, "a", taints=(taint(),)), device(1, "b", capacity={})),
    pool("node-5", device(0, "c", attributes={"uuid": v1.DeviceAttribute(string="c")}), device(1, "d")),
    pool("node-6", device(0, "\ue0000\ue001"), device(1, "e", attributes={})),
    pool("node-7", device(0, "f", attributes={"uuid": v1.DeviceAttribute(version="1.2.3"), "model": MODEL})),
    pool("node-8", device(0, "f"), device(1, "")),
    pool("node-9", device(0, "g" * 64), device(1, "h", attributes={f"text_{n}": MODEL for n in range(20)})),
    pool("node-10", device(0, "i", attributes={}), device(1, "j", attributes={f"text_{n}": OTHER for n in range(20)})),
    pool("node-11", device(0, "k"), device(1, "l", attributes={f"text_{n}": MODEL for n in range(20)})),
    pool(
        "node-12",
        device(
            0, "m", taints=(taint().model_copy(update={"time_added": datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC)}),)
        ),
    ),
    pool("node-0"),
]


@pytest.mark.parametrize("version", RESOURCE_APIS)
def test_what_is_sent_is_what_the_models_say_whatever_was_written_before(version: str) -> None:
    api = RESOURCE_APIS[version]
    encoder, messages = PoolEncoder(api, DRIVER), SliceMessages(api)
    metadata = {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]}
    equal = [replace(one, devices=tuple(device.model_copy(deep=True) for device in one.devices)) for one in POOLS]
    for each in [*POOLS, *reversed(POOLS), *equal, *equal]:
        encoded = encoder.encode(each.name, each)
        assert [one.wanted for one in encoded] == list(slices_of(DRIVER, each))
        for one in encoded:
            body = messages.slice(metadata, messages.at_generation(one.pool, one.rest, 7))
            expected = api.slices(spec=at_generation(one.wanted.spec, 7)).to_wire()
            assert decode_protobuf(body, "") == {**without_empty(expected), "metadata": metadata}


def test_a_digest_is_the_same_for_the_same_slice_and_no_other() -> None:
    api = RESOURCE_APIS["v1"]
    digests = [[one.digest for one in PoolEncoder(api, DRIVER).encode(each.name, each)] for each in POOLS]
    encoder = PoolEncoder(api, DRIVER)
    assert [[one.digest for one in encoder.encode(each.name, each)] for each in POOLS] == digests
    every = [digest for of_pool in digests for digest in of_pool]
    assert len(set(every)) == len(every)


def test_the_fields_that_some_api_server_drops_are_known() -> None:
    encoder = PoolEncoder(RESOURCE_APIS["v1"], DRIVER)
    shared = {"memory": v1.DeviceCapacity(value="1Gi", request_policy=v1.CapacityRequestPolicy(default="1Gi"))}
    lists = {"models": v1.DeviceAttribute(strings=("a",))}
    (sets, *_), (gpus, *_) = (encoder.encode(each.name, each)[::-1] for each in (POOLS[3], POOLS[4]))
    (more,) = encoder.encode(
        "node-9", pool("node-9", device(0, "a", capacity=shared, attributes=lists, allow_multiple_allocations=True))
    )
    assert encoder.encode("node-3", POOLS[3])[0].gated_fields == {"sharedCounters"}
    assert sets.gated_fields == {"devices[].consumesCounters"}
    assert gpus.gated_fields == {"devices[].taints"}
    assert gpus.has_taints
    assert more.gated_fields == {
        "devices[].allowMultipleAllocations",
        "devices[].capacity[].requestPolicy",
        "devices[].attributes[].strings",
    }


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (pool("node-1", device(0, "x" * 65)), r"device gpu-0: attributes\[uuid\].string: at most 64 bytes, has 65"),
        (pool("node-1", device(0, "ü" * 33)), r"device gpu-0: attributes\[uuid\].string: at most 64 bytes, has 66"),
        (pool("node-1", device(0, "a"), device(0, "b")), "device gpu-0: is there twice"),
        (pool("node-1", device(0, "a", consumes_counters=(USED,))), "the pool has no such counter set; it has none"),
        (pool("node-1", device(0, "a"), shared_counters=SETS[:1] * 2), "counter set gpu-0: is there twice"),
        (pool("node-2", device(0, "a")), "node_name: must be node-1, the node that is published here, is node-2"),
        (pool("node-1", device(0, "a", all_nodes=True)), "only where the pool selects nodes by device"),
        (
            pool("node-1", device(0, "a", other="field")),
            "device gpu-0: no Kubernetes known to this driver has",
        ),
        (pool("node-1", device(0, "a"), shared_counters=(COLOURED,)), "counter sets: no Kubernetes known to this"),
    ],
)
def test_what_would_be_refused_is_not_written_after_others_that_are_like_it(wrong: Pool, problem: str) -> None:
    encoder = PoolEncoder(RESOURCE_APIS["v1"], DRIVER)
    fine = pool("node-1", device(0, "c"), device(1, "d"))
    for each in (POOLS[0], POOLS[3], fine):
        encoder.encode(each.name, each)
    for _ in range(2):
        with pytest.raises(PoolError, match=problem):
            encoder.encode("node-1", wrong)
    assert encoder.encode("node-1", fine) == PoolEncoder(RESOURCE_APIS["v1"], DRIVER).encode("node-1", fine)
