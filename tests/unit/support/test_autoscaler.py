"""How many nodes of which pool the pods need that wait."""

from collections.abc import Mapping, Sequence

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1
from tests.support.autoscaler import Pool, Seen, nodes_needed

DRIVER = "cards.example.com"
CLASS = v1.DeviceClass.from_wire({"metadata": {"name": "card"}, "spec": {}})


def pool(name: str, count: int, most: int = 10) -> Pool:
    devices = [{"name": f"card-{number}", "attributes": {"pool": {"string": name}}} for number in range(count)]
    in_pool = {"name": "any", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "nodeName": "any", "pool": in_pool, "devices": devices}
    return Pool(name, [v1.ResourceSliceSpec.model_validate(spec)], most)


SMALL, LARGE = pool("small", 2), pool("large", 8)


def claim(name: str, count: int = 1, pool: str | None = None) -> v1.ResourceClaim:
    exactly: dict[str, object] = {"deviceClassName": "card", "allocationMode": "ExactCount", "count": count}
    if pool is not None:
        exactly["selectors"] = [{"cel": {"expression": f"device.attributes['{DRIVER}'].pool == '{pool}'"}}]
    requests = [{"name": "cards", "exactly": exactly}]
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return v1.ResourceClaim.from_wire({"metadata": metadata, "spec": {"devices": {"requests": requests}}})


def seen(
    waiting: Sequence[Sequence[v1.ResourceClaim]], nodes: Mapping[str, Sequence[str]] | None = None, **more: object
) -> Seen:
    named = {pool: [Node(metadata=ObjectMeta(name=name)) for name in names] for pool, names in (nodes or {}).items()}
    claims = [each for claims in waiting for each in claims]
    return Seen(waiting=waiting, claims=claims, classes=[CLASS], slices=[], nodes=named)


def test_pods_share_a_new_node_as_long_as_it_has_room() -> None:
    waiting = [[claim(f"claim-{number}", 3, "large")] for number in range(5)]
    assert nodes_needed(seen(waiting), [SMALL, LARGE]) == {"large": 3}


def test_the_first_pool_that_has_room_for_a_pod_is_taken() -> None:
    waiting = [[claim("one")], [claim("two")], [claim("three")], [claim("many", 5)]]
    assert nodes_needed(seen(waiting), [SMALL, LARGE]) == {"small": 2, "large": 1}


def test_claims_of_one_pod_have_to_fit_together() -> None:
    waiting = [[claim("first"), claim("second", 2)]]
    assert nodes_needed(seen(waiting), [SMALL, LARGE]) == {"large": 1}


@pytest.mark.parametrize(("wanted", "needed"), [(2, {}), (3, {"small": 1})])
def test_nodes_that_are_on_their_way_count(wanted: int, needed: Mapping[str, int]) -> None:
    waiting = [[claim(f"claim-{number}", pool="small")] for number in range(wanted)]
    assert nodes_needed(seen(waiting, {"small": ["small-1"]}), [SMALL, LARGE]) == needed


def test_a_pool_has_an_end_and_the_next_one_is_taken() -> None:
    waiting = [[claim(f"claim-{number}", 2)] for number in range(4)]
    assert nodes_needed(seen(waiting, {"small": ["small-1"]}), [pool("small", 2, most=2), LARGE]) == {
        "small": 1,
        "large": 1,
    }


def test_what_no_node_could_have_adds_none() -> None:
    assert nodes_needed(seen([[claim("huge", 9)]]), [SMALL, LARGE]) == {}


def test_devices_that_are_taken_do_not_count() -> None:
    node = "small-1"
    (spec,) = SMALL.slices
    in_pool = spec.pool.model_copy(update={"name": node})
    published = v1.ResourceSlice(
        metadata=ObjectMeta(name=node), spec=spec.model_copy(update={"pool": in_pool, "node_name": node})
    )
    taken = claim("taken", 2, "small").to_wire()
    results = [
        {"request": "cards", "driver": DRIVER, "pool": node, "device": device} for device in ("card-0", "card-1")
    ]
    taken["status"] = {"allocation": {"devices": {"results": results}}}
    waits = claim("waits", pool="small")
    there = Seen(
        waiting=[[waits]],
        claims=[waits, v1.ResourceClaim.from_wire(taken)],
        classes=[CLASS],
        slices=[published],
        nodes={"small": [Node(metadata=ObjectMeta(name=node))]},
    )
    assert nodes_needed(there, [SMALL, LARGE]) == {"small": 1}
