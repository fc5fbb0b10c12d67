"""Which pods a scheduler has to find a node for."""

from fake_dra_driver.cluster.kinds import Pod

__all__ = ["is_waiting"]


def is_waiting(pod: Pod, scheduler_name: str) -> bool:
    """Whether a scheduler of that name has to find a node for the pod."""
    return (
        not pod.spec.node_name
        and not pod.is_deleting
        and not pod.is_finished
        and not pod.spec.scheduling_gates
        and pod.spec.scheduler_name == scheduler_name
    )
