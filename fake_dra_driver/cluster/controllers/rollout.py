"""The arithmetic of a Deployment's rolling update, without a cluster.

Follows k8s.io/kubernetes/pkg/controller/deployment (rolling.go) and its util (NewRSNewReplicas, ResolveFenceposts).
"""

from collections.abc import Mapping, Sequence

from fake_dra_driver.cluster.workloadkinds import Deployment, ReplicaSet

__all__ = ["max_surge", "max_unavailable", "new_set_replicas", "old_set_replicas", "resolve"]


def resolve(value: int | str | None, total: int, *, up: bool) -> int:
    """A number, or a percentage of ``total`` rounded up or down; nothing is 0."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%"))
    return -(-total * percent // 100) if up else total * percent // 100


def max_surge(deployment: Deployment) -> int:
    """How many pods more than asked for there may be."""
    rolling = deployment.spec.strategy.rolling_update
    if deployment.spec.strategy.type != "RollingUpdate" or rolling is None:
        return 0
    return resolve(rolling.max_surge, deployment.spec.replicas, up=True)


def max_unavailable(deployment: Deployment) -> int:
    """How many of the pods asked for may be unavailable; at least 1 where nothing could move otherwise."""
    rolling = deployment.spec.strategy.rolling_update
    if deployment.spec.strategy.type != "RollingUpdate" or rolling is None or not deployment.spec.replicas:
        return 0
    unavailable = resolve(rolling.max_unavailable, deployment.spec.replicas, up=False)
    if not unavailable and not max_surge(deployment):
        return 1
    return min(unavailable, deployment.spec.replicas)


def new_set_replicas(deployment: Deployment, present: int, others: int) -> int:
    """How many pods the new ReplicaSet should have.

    Args:
        deployment: what is asked for.
        present: how many it is asked to have now.
        others: how many all other sets together are asked to have.
    """
    wanted = deployment.spec.replicas
    if present >= wanted or deployment.spec.strategy.type != "RollingUpdate":
        return wanted
    room = wanted + max_surge(deployment) - present - others
    return present + max(min(room, wanted - present), 0)


def old_set_replicas(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> Mapping[str, int]:
    """How many pods the old ReplicaSets should have, by name; those that stay as they are are left out."""
    present = {each.metadata.name: each.spec.replicas for each in old}
    # The status may be from before the set was scaled down: no more pods than asked for will stay.
    available = {each.metadata.name: min(each.status.available_replicas, each.spec.replicas) for each in old}
    least = deployment.spec.replicas - max_unavailable(deployment)
    new_unavailable = new.spec.replicas - new.status.available_replicas
    spare = sum(present.values()) + new.spec.replicas - least - new_unavailable
    if spare <= 0:
        return {}
    wanted = dict(present)
    # Those that do not work go first: they are not missed.
    for name, replicas in present.items():
        step = min(spare, replicas - available[name])
        wanted[name] -= step
        spare -= step
    surplus = min(new.status.available_replicas + sum(available.values()) - least, spare)
    for name in present:
        step = max(min(surplus, wanted[name]), 0)
        wanted[name] -= step
        surplus -= step
    return {name: count for name, count in wanted.items() if count != present[name]}
