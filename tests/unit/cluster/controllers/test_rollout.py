"""The arithmetic of rolling updates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.cluster.controllers.rollout import (
    max_surge,
    max_unavailable,
    new_set_replicas,
    old_set_replicas,
    resolve,
)
from fake_dra_driver.cluster.workloadkinds import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdate,
)


def deployment(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> Deployment:
    rolling = RollingUpdate(max_surge=surge, max_unavailable=unavailable)
    return Deployment(spec=DeploymentSpec(replicas=replicas, strategy=DeploymentStrategy(rolling_update=rolling)))


def replica_set(name: str, replicas: int, available: int) -> ReplicaSet:
    return ReplicaSet(
        metadata=ObjectMeta(name=name),
        spec=ReplicaSetSpec(replicas=replicas),
        status=ReplicaSetStatus(available_replicas=available),
    )


@pytest.mark.parametrize(
    ("value", "total", "up", "result"),
    [(3, 10, True, 3), ("25%", 10, True, 3), ("25%", 10, False, 2), ("100%", 7, False, 7), ("0%", 7, True, 0)],
)
def test_numbers_and_percentages(value: int | str, total: int, result: int, *, up: bool) -> None:
    assert resolve(value, total, up=up) == result


def test_something_may_always_move() -> None:
    assert (max_surge(deployment(3, 0, 0)), max_unavailable(deployment(3, 0, 0))) == (0, 1)
    assert (max_surge(deployment(2)), max_unavailable(deployment(2))) == (1, 0)
    assert max_unavailable(deployment(0, 0, 0)) == 0
    assert max_unavailable(deployment(2, 0, 9)) == 2


def test_the_new_set_grows_as_far_as_there_is_room() -> None:
    assert new_set_replicas(deployment(4), 0, 0) == 4
    assert new_set_replicas(deployment(4), 0, 4) == 1
    assert new_set_replicas(deployment(4), 1, 4) == 1
    assert new_set_replicas(deployment(4), 1, 3) == 2
    assert new_set_replicas(deployment(2), 5, 0) == 2
    recreate = Deployment(spec=DeploymentSpec(replicas=4, strategy=DeploymentStrategy(type="Recreate")))
    assert new_set_replicas(recreate, 0, 4) == 4


def test_old_pods_go_when_new_ones_are_available() -> None:
    new = replica_set("new", 1, 0)
    old = [replica_set("old", 4, 4)]
    assert old_set_replicas(deployment(4, 1, 0), new, old) == {}
    assert old_set_replicas(deployment(4, 1, 0), replica_set("new", 1, 1), old) == {"old": 3}
    assert old_set_replicas(deployment(4, 1, 2), new, old) == {"old": 2}


def test_old_pods_that_do_not_work_go_at_once() -> None:
    old = [replica_set("older", 2, 0), replica_set("old", 4, 4)]
    assert old_set_replicas(deployment(4, 1, 0), replica_set("new", 1, 0), old) == {"older": 0}


def test_a_status_from_before_the_last_step_does_not_count_twice() -> None:
    """The old set was scaled from 4 to 3 a moment ago, and its status still speaks of 4."""
    old = [replica_set("old", 3, 4)]
    assert old_set_replicas(deployment(4, 1, 1), replica_set("new", 2, 1), old) == {"old": 2}


@given(
    replicas=st.integers(1, 10),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    new=st.integers(0, 10),
    old=st.lists(st.integers(0, 10), max_size=3),
    data=st.data(),
)
def test_bounds_hold_and_something_always_moves(
    replicas: int, surge: int, unavailable: int, new: int, old: list[int], data: st.DataObject
) -> None:
    """Never too many pods, never too few available ones by our own doing; with all available, the end is reached."""
    wanted = deployment(replicas, surge, unavailable)
    most, least = replicas + max_surge(wanted), replicas - max_unavailable(wanted)
    grown = new_set_replicas(wanted, new, sum(old))
    assert grown <= max(replicas, new)
    assert grown + sum(old) <= max(most, new + sum(old))
    available = data.draw(st.integers(0, new))
    sets = [replica_set(f"old-{at}", count, data.draw(st.integers(0, count))) for at, count in enumerate(old)]
    before = available + sum(each.status.available_replicas for each in sets)
    change = old_set_replicas(wanted, replica_set("new", new, available), sets)
    left = {each.metadata.name: change.get(each.metadata.name, each.spec.replicas) for each in sets}
    assert all(0 <= left[each.metadata.name] <= each.spec.replicas for each in sets)
    after = available + sum(min(left[each.metadata.name], each.status.available_replicas) for each in sets)
    assert after >= min(before, least)


@given(replicas=st.integers(1, 10), surge=st.integers(0, 5), unavailable=st.integers(0, 5), old=st.integers(0, 10))
def test_a_rollout_comes_to_its_end(replicas: int, surge: int, unavailable: int, old: int) -> None:
    wanted, new, steps = deployment(replicas, surge, unavailable), 0, 0
    while (new, old) != (replicas, 0):
        grown = new_set_replicas(wanted, new, old)
        if grown == new:
            shrunk = old_set_replicas(wanted, replica_set("new", new, new), [replica_set("old", old, old)])
            assert shrunk, "stuck"
            old = shrunk["old"]
        new, steps = grown, steps + 1
        assert steps < 100
