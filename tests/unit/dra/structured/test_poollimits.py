"""What would be refused is found before anything is sent, and the message says where and what is allowed."""

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import Pool, PoolError
from fake_dra_driver.dra.structured.poollimits import check_pools
from tests.support.pool_faults import FAULTS, GOOD, PoolFault
from tests.support.slice_world import DRIVER, NODE, devices, pool_of


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_each_fault_is_found(fault: PoolFault) -> None:
    with pytest.raises(PoolError) as refused:
        check_pools(DRIVER, NODE, [fault.pool])
    assert any(fault.message in problem for problem in refused.value.problems), refused.value.problems
    assert len(refused.value.problems) == 1, refused.value.problems


@pytest.mark.parametrize("pool", GOOD)
def test_what_can_be_published_is_not_refused(pool: Pool) -> None:
    check_pools(DRIVER, NODE, [pool])


def test_what_needs_a_gate_that_is_off_by_default_is_not_refused_either() -> None:
    resources = {
        "memory": {"mapping": {"capacityKey": "m", "capacityMultiplier": "1"}},
        "cpu": {"mapping": {"deviceMultiplier": "0.5"}, "overhead": {"perPod": "0", "perContainer": "100m"}},
        "hugepages-2Mi": {"overhead": {"perPod": "2Mi"}},
    }
    attributes = {"a": {"ints": list(range(45))}, "b": {"bools": [False]}, "c": {"strings": ["x" * 64]}}
    wire = {
        "name": "dev-0",
        "attributes": {**attributes, "d": {"versions": ["1.2.3"]}},
        "capacity": {"m": {"value": "1Gi"}},
        "nodeAllocatableResources": resources,
    }
    check_pools(DRIVER, NODE, [pool_of([v1.Device.model_validate(wire)])])


def test_devices_may_select_nodes_where_the_pool_leaves_it_to_them() -> None:
    check_pools(DRIVER, None, [Pool("p", devices(1, node_name="node-7"), per_device_node_selection=True)])
    with pytest.raises(PoolError, match="exactly one of nodeName, nodeSelector and allNodes must be set"):
        check_pools(DRIVER, None, [Pool("p", devices(1), per_device_node_selection=True)])


@pytest.mark.parametrize("driver", ["", "driver_a.example.com", "a" * 64, "a..b"])
def test_the_driver_needs_a_name_that_can_be_published(driver: str) -> None:
    with pytest.raises(PoolError, match="driver: "):
        check_pools(driver, NODE, [pool_of(devices(1))])


def test_a_pool_is_there_once() -> None:
    with pytest.raises(PoolError, match="pool node-0: is there twice"):
        check_pools(DRIVER, NODE, [pool_of(devices(1)), pool_of(devices(1))])


def test_of_many_problems_a_few_are_listed_and_all_are_kept() -> None:
    with pytest.raises(PoolError) as refused:
        check_pools(DRIVER, NODE, [pool_of(devices(9, node_name="node-1"))])
    assert len(refused.value.problems) == 9
    assert str(refused.value).startswith("the devices cannot be published: pool node-0: device dev-0: nodeName, ")
    assert str(refused.value).endswith("; and 4 more")
